"""GET /v1/keys: the keys that the caller may manage, without their secrets."""

from odometer.access.keyring import Keyring
from odometer.access.policy import MANAGE_KEYS, Caller
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.keys import KeyList
from odometer.directory.snapshot import Directory
from odometer.storage.activity import Activity


@endpoint(ENVELOPE, "GET", "/v1/keys", may=MANAGE_KEYS)
def handler(caller: Caller, directory: Directory, keyring: Keyring, activity: Activity) -> KeyList:
    """Answer with every key, revoked and expired ones included, and when each was last used."""
    return KeyList.of(keyring.all(), directory, activity.keys_used(caller.organization))
