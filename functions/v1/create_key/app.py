"""POST /v1/keys: a new key for a user; its secret is shown in this answer only."""

from datetime import datetime

from odometer.access.keys import Keyring
from odometer.access.policy import MANAGE_KEYS
from odometer.api.v1.family import v1
from odometer.api.v1.keys import KeyMade, NewKey, owner_of
from odometer.directory.snapshot import Directory
from odometer.storage.trail import Trail


@v1("/keys", "POST", may=MANAGE_KEYS, status=201)
def handler(
    body: NewKey, directory: Directory, keyring: Keyring, trail: Trail, now: datetime
) -> KeyMade:
    body.check(now)
    owner = owner_of(directory, keyring, body.user)
    key, credential = keyring.make(body.name, owner, frozenset(body.scopes), body.expires_at, trail)
    return KeyMade.of(key, credential, directory)
