"""Who may: the scopes, the reach of a role and the one table of what each role reaches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from odometer.domain.errors import Forbidden
from odometer.domain.identity import as_kept
from odometer.domain.people import Role


class Scope(StrEnum):
    """What a key is for."""

    READ_USAGE = "usage:read"
    WRITE_USAGE = "usage:write"
    READ_DIRECTORY = "directory:read"
    WRITE_DIRECTORY = "directory:write"
    WRITE_KEYS = "keys:write"


class Reach(IntEnum):
    """How far a role sees through one route; a larger reach includes the smaller ones."""

    NOTHING = 0
    SELF = 1
    TEAM = 2
    ORGANIZATION = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever proved to hold a key: the only source of the organization of a request."""

    organization: str
    key_id: str
    scopes: frozenset[Scope]
    ordinal: int
    user_id: str
    username: str
    role: Role
    team: int | None

    def is_of(self, organization: str) -> bool:
        """Whether that is the id of the caller's organization, in either case."""
        return as_kept(organization) == self.organization


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a request is about: a user (by ordinal) and that user's team, or a team alone."""

    team: int | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Which scope a route needs and how far each role reaches through it."""

    scope: Scope
    reach: Mapping[Role, Reach] = field(default_factory=dict)

    def admit(self, caller: Caller) -> None:
        """Let in a caller whose key and role have anything to do here."""
        if self.scope not in caller.scopes or self.reach_of(caller) is Reach.NOTHING:
            raise Forbidden

    def admit_to(self, caller: Caller, target: Target | None) -> None:
        """Let in a caller who may see this target.

        To those who see only some, one that does not exist (None) is like one that is not theirs.
        """
        reach = self.reach_of(caller)
        if reach is Reach.ORGANIZATION:
            return
        if target is None or not reached(reach, caller, target):
            raise Forbidden

    def reach_of(self, caller: Caller) -> Reach:
        """How far the caller's role reaches here."""
        return self.reach.get(caller.role, Reach.NOTHING)


def reached(reach: Reach, caller: Caller, target: Target) -> bool:
    """Whether the target is the caller, or in the caller's team when that is enough."""
    if target.user is not None and target.user == caller.ordinal:
        return reach >= Reach.SELF
    return reach >= Reach.TEAM and target.team is not None and target.team == caller.team


ALL, TEAM, SELF = Reach.ORGANIZATION, Reach.TEAM, Reach.SELF
ADMINS = {Role.ADMIN: ALL}
MANAGERS = {Role.ADMIN: ALL, Role.MANAGER: ALL}
LEADS = {**MANAGERS, Role.TEAM_LEAD: TEAM}
EVERYONE = dict.fromkeys(Role, ALL)

# The routes, and who may call them.
READ_REPORT = Rule(Scope.READ_USAGE, ADMINS)
READ_ORGANIZATION = Rule(Scope.READ_USAGE, MANAGERS)
READ_TEAM = Rule(Scope.READ_USAGE, LEADS)
READ_OWN_TEAM = Rule(Scope.READ_USAGE, {**LEADS, Role.MEMBER: TEAM})
READ_PERSON = Rule(Scope.READ_USAGE, {**LEADS, Role.MEMBER: SELF})
SEND_EVENTS = Rule(Scope.WRITE_USAGE, EVERYONE)
WRITE_DIRECTORY = Rule(Scope.WRITE_DIRECTORY, ADMINS)
READ_DIRECTORY = Rule(Scope.READ_DIRECTORY, ADMINS)
MANAGE_KEYS = Rule(Scope.WRITE_KEYS, {**dict.fromkeys(Role, SELF), Role.ADMIN: ALL})
