"""A new version of the deployment's secret: what is stored is hashed again with it, key by key.

Nobody's key is needed for that, and none ends. Each key is one conditional write, so whoever dies
on the way is gone on from by whoever begins again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from odometer.access.keys import Credential
from odometer.access.secret import Secret
from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.time import KEPT_FOR_CURSORS
from odometer.storage.directory import DirectoryStore

TRIES = 5
HASHES = ("digest", "former_digest", "earlier", "earlier_until")


@frozen
class Standing:
    """How many keys need which version of the secret, and until when older signatures are good."""

    keys: Mapping[int, int]
    behind: int
    """Keys that are not hashed with the newest version yet."""
    signed_before_until: datetime | None


def standing(directories: DirectoryStore, secret: Secret, now: datetime) -> Standing:
    keys: Counter[int] = Counter()
    behind, ends = 0, [now]
    for credential in credentials(directories):
        keys[credential.version] += 1
        behind += credential.is_behind(secret)
        ends += [credential.earlier_until] if credential.earlier_until else []
    return Standing(dict(sorted(keys.items())), behind, max(ends) if max(ends) > now else None)


def hash_all_again(
    directories: DirectoryStore,
    secret: Secret,
    clock: Callable[[], datetime],
    *,
    at_once: bool = False,
) -> Iterator[Credential]:
    """Hash every key again that is not hashed with the newest version; each as it is done.

    What was signed with older hashes is good for as long as any of it may last, or ends at once.
    For that all keys are looked at until nothing is left, and a few times at most, because a key
    that was made meanwhile reads the cursors that its maker's key read.
    """
    for _ in range(TRIES if at_once else 1):
        done = 0
        for credential in credentials(directories):
            if credential.is_behind(secret) or (at_once and credential.earlier):
                until = None if at_once else (clock() + KEPT_FOR_CURSORS).replace(microsecond=0)
                hash_again(directories, credential, secret, until)
                done += 1
                yield credential
        if not done:
            return


def hash_again(
    directories: DirectoryStore, credential: Credential, secret: Secret, until: datetime | None
) -> None:
    """Hash one key again; whoever changes it meanwhile is waited for."""
    present: Credential | None = credential
    for _ in range(TRIES):
        if present is None:  # its user was erased
            return
        changed = present.hashed_again(secret, until)
        if directories.change_credential(changed, *HASHES, digest=present.digest):
            return
        present = directories.credential(present.organization, present.key_id)
    raise Unavailable(credential.key_id)


def credentials(directories: DirectoryStore) -> Iterator[Credential]:
    for organization in directories.organizations():
        yield from directories.credentials(organization)
