"""GET /v1/me: who is calling, and what they may ask about."""

from odometer.access.policy import READ_SUBJECT
from odometer.api.v1.family import v1
from odometer.api.v1.me import me

handler = v1("/me", may=READ_SUBJECT)(me)
