"""POST /v1/keys/{key_id}/rotate: a new secret for a key; the former one works on for a while."""

from odometer.access.keys import Keyring
from odometer.access.policy import MANAGE_KEYS
from odometer.api.v1.family import v1
from odometer.api.v1.keys import KeyPath, KeyRotated, Rotation
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Conflict
from odometer.storage.trail import Trail


@v1("/keys/{key_id}/rotate", "POST", may=MANAGE_KEYS, raises=(Conflict,))
def handler(
    query: KeyPath, body: Rotation, directory: Directory, keyring: Keyring, trail: Trail
) -> KeyRotated:
    key, credential = keyring.rotate(query.key_id, body.grace, trail)
    return KeyRotated.of(key, credential, directory)
