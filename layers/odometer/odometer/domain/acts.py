"""What the trail of an organization tells: acts, who did them, and when.

An entry has numbers of users and ids of keys. It has no name, so that nothing is to be erased.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from odometer.domain.frozen import frozen

USUAL_TRAIL_DAYS: Final = 400
"""A year, and time to look at it."""
MOST_NAMED: Final = 100
"""So many users an entry names at most."""


class Action(StrEnum):
    """What was done."""

    KEY_MADE = "key.made"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    TOKENS_MADE = "embed_tokens.made"
    DIRECTORY_CHANGED = "directory.changed"
    DIRECTORY_EXPORTED = "directory.exported"
    USER_ERASED = "user.erased"
    ORGANIZATION_MADE = "organization.made"
    LIMITS_CHANGED = "limits.changed"
    LANES_RAISED = "lanes.raised"
    REBUILD_ASKED = "rebuild.asked"
    RESTORE_BEGUN = "restore.begun"
    RESTORE_FINISHED = "restore.finished"
    SECRET_ROTATING = "secret.rotating"  # noqa: S105  that is what is done with it
    SECRET_ROTATED = "secret.rotated"  # noqa: S105  that it is done
    PAUSED = "deployment.paused"
    OPENED = "deployment.opened"


@frozen
class Actor:
    """Who acts and when: a user with a key, or an operator with a key of AWS."""

    at: datetime
    kept_days: int = USUAL_TRAIL_DAYS
    key_id: str | None = None
    user: int | None = None
    operator: str | None = None
    """The id of the AWS access key."""

    @property
    def kept_until(self) -> datetime:
        return self.at + timedelta(self.kept_days)


@frozen
class Act:
    """Something that is done, and to what."""

    action: Action
    key_id: str | None = None
    user: int | None = None
    users: Sequence[int] = ()
    """The first of those whom a change of the directory is about."""
    details: Mapping[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """Writes acts down."""

    def commit(self, act: Act, *writes: Any) -> bool: ...


Commit = Callable[..., bool]
"""Makes a write together with the entry that tells of it; false if its condition does not hold."""
