"""GET /v1/keys: the keys that the caller may manage, without their secrets."""

from odometer.access.policy import MANAGE_KEYS
from odometer.api.v1.family import v1
from odometer.api.v1.keys import keys_of

handler = v1("/keys", may=MANAGE_KEYS)(keys_of)
