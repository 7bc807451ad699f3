"""From an Authorization header to a caller."""

from datetime import datetime
from typing import Protocol

from odometer.access.credentials import Credential, Presented
from odometer.access.policy import Caller
from odometer.domain.errors import Unauthenticated
from odometer.domain.people import Role, State


class Holder(Protocol):
    """The user who owns a key."""

    @property
    def id(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def state(self) -> State: ...
    @property
    def team(self) -> int | None: ...


def caller_of(
    presented: Presented, credential: Credential, holder: Holder, pepper: bytes, now: datetime
) -> Caller:
    """The caller, if the key is live, the owner active and, with Basic, named by their username."""
    proved = credential.proved_by(presented.key, pepper, now)
    named = presented.username in (None, holder.username)
    if not (proved and named) or holder.state == State.DEACTIVATED:
        raise Unauthenticated
    return Caller(
        organization=credential.organization,
        key_id=credential.key_id,
        scopes=credential.scopes,
        ordinal=credential.user,
        user_id=holder.id,
        username=holder.username,
        role=Role(holder.role),
        team=holder.team,
    )
