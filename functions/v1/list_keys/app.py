"""GET /v1/keys: the keys that the caller may manage, without their secrets."""

from odometer.access.keys import Keyring
from odometer.access.policy import MANAGE_KEYS, Caller
from odometer.api.v1.family import v1
from odometer.api.v1.keys import KeyList
from odometer.directory.snapshot import Directory
from odometer.services.tasks import Tasks
from odometer.storage.key_activity import KeyActivity


@v1("/keys", may=MANAGE_KEYS)
def handler(
    caller: Caller, directory: Directory, keyring: Keyring, activity: KeyActivity, tasks: Tasks
) -> KeyList:
    """Answer with every key, revoked and expired ones included, and when each was last used."""
    used = tasks.begin(lambda: activity.keys_used(caller.organization))
    return KeyList.of(keyring.all(), directory, used.result())
