"""DELETE /v1/keys/{key_id}: end a key, now and for good."""

from odometer.access.keys import Keyring
from odometer.access.policy import MANAGE_KEYS
from odometer.api.v1.family import v1
from odometer.api.v1.keys import KeyPath
from odometer.storage.trail import Trail


@v1("/keys/{key_id}", "DELETE", may=MANAGE_KEYS)
def handler(query: KeyPath, keyring: Keyring, trail: Trail) -> None:
    keyring.revoke(query.key_id, trail)
