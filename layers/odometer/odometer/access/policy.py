"""Who may: the scopes of keys, and the one table of what each role may access."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum, StrEnum

from odometer.domain.errors import Forbidden
from odometer.domain.frozen import frozen
from odometer.domain.people import Role
from odometer.domain.text import as_kept


class Scope(StrEnum):
    """What a key is for."""

    READ_USAGE = "usage:read"
    WRITE_USAGE = "usage:write"
    READ_DIRECTORY = "directory:read"
    WRITE_DIRECTORY = "directory:write"
    WRITE_KEYS = "keys:write"
    WRITE_EMBEDS = "embed:write"


class Access(IntEnum):
    """Whose data a role may access through a route; each value includes those above it."""

    NOTHING = 0
    SELF = 1
    TEAM = 2
    ORGANIZATION = 3


@frozen
class Grant:
    """What an embed token opens to its holder, who has no role."""

    access: Access
    """Whose usage: that of the caller, their team or their organization."""
    products: frozenset[str] | None = None
    """Of which products, by id; None stands for all."""
    origins: frozenset[str] = frozenset()
    """The origins of the pages that may read the answers."""


@frozen
class Caller:
    """Who is calling: the only source of a request's organization.

    That is the owner of the key that was presented. With an embed token it is the token's subject
    instead: its user, a nobody in its team, or a nobody.
    """

    organization: str
    key_id: str
    scopes: frozenset[Scope]
    ordinal: int
    user_id: str
    username: str
    role: Role
    team: int | None
    grant: Grant | None = None
    """What an embed token opens, instead of what the role does."""

    def products_among(self, products: Sequence[str], *, named: bool) -> list[str]:
        """Those of some products, by id, that the caller may ask about.

        None may be missing of products that were named, and not all of others. Named ones are to be
        asked about before they are looked up, so that nobody learns what exists.
        """
        if self.grant is None or self.grant.products is None:
            return list(products)
        open_ones = [each for each in products if each in self.grant.products]
        if not open_ones or (named and len(open_ones) < len(products)):
            raise Forbidden
        return open_ones

    @property
    def reach(self) -> str:
        """Names what the answers to a caller may be about: all who have keys share one."""
        if self.grant is None:
            return self.organization
        access, products = self.grant.access, self.grant.products
        some = None if products is None else sorted(products)
        return f"{self.organization} {access} {self.ordinal} {self.team} {some}"

    def is_of(self, organization: str) -> bool:
        """Whether that is the id of the caller's organization, in upper or lower case."""
        return as_kept(organization) == self.organization


@frozen
class Target:
    """Whom a request is about: a user (by ordinal) and that user's team, or a team alone."""

    team: int | None = None
    user: int | None = None


@frozen
class Rule:
    """The scope that a route needs, and what each role may access through it."""

    scope: Scope
    access: Mapping[Role, Access] = field(default_factory=dict)
    embeds: bool = False
    """Whether embed tokens open the route, too."""

    def admit(self, caller: Caller) -> None:
        """Refuse a caller whose key lacks the scope, or whose role may access nothing here."""
        if self.scope not in caller.scopes or self.access_of(caller) is Access.NOTHING:
            raise Forbidden

    def admit_to(self, caller: Caller, target: Target | None) -> None:
        """Refuse a caller who may not access this target.

        If the role may access only some, a target that does not exist (None) is refused as well, so
        that nobody learns what exists.
        """
        if not self.reaches(caller, target):
            raise Forbidden

    def reaches(self, caller: Caller, target: Target | None) -> bool:
        access = self.access_of(caller)
        found = target is not None and is_accessible(access, caller, target)
        return found or access is Access.ORGANIZATION

    def access_of(self, caller: Caller) -> Access:
        if caller.grant:
            return caller.grant.access if self.embeds else Access.NOTHING
        return self.access.get(caller.role, Access.NOTHING)


def is_accessible(access: Access, caller: Caller, target: Target) -> bool:
    """Whether the target is the caller, or in the caller's team when that is enough."""
    if target.user is not None and target.user == caller.ordinal:
        return access >= Access.SELF
    return access >= Access.TEAM and target.team is not None and target.team == caller.team


ALL, TEAM, SELF = Access.ORGANIZATION, Access.TEAM, Access.SELF
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
READ_SUBJECT = Rule(Scope.READ_USAGE, {**LEADS, Role.MEMBER: SELF}, embeds=True)
MAKE_EMBEDS = Rule(Scope.WRITE_EMBEDS, {**LEADS, Role.MEMBER: SELF})
SEND_EVENTS = Rule(Scope.WRITE_USAGE, EVERYONE)
WRITE_DIRECTORY = Rule(Scope.WRITE_DIRECTORY, ADMINS)
READ_DIRECTORY = Rule(Scope.READ_DIRECTORY, ADMINS)
MANAGE_KEYS = Rule(Scope.WRITE_KEYS, {**dict.fromkeys(Role, SELF), Role.ADMIN: ALL})
