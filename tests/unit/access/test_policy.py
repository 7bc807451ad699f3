"""The table of who may, cell by cell."""

import pytest

from odometer.access import policy
from odometer.access.policy import Caller, Rule, Scope, Target
from odometer.domain.errors import Forbidden
from odometer.domain.people import Role
from tests.support.memory_directory import ACME

ME, MATE, STRANGER = 0, 1, 2
TEAM, OTHER_TEAM = 0, 1
TARGETS = {
    "self": Target(team=TEAM, user=ME),
    "mate": Target(team=TEAM, user=MATE),
    "stranger": Target(team=OTHER_TEAM, user=STRANGER),
    "loner": Target(user=STRANGER),
    "own team": Target(team=TEAM),
    "other team": Target(team=OTHER_TEAM),
    "unknown": None,
}
EVERYTHING = set(TARGETS)
OWN_TEAM = {"self", "mate", "own team"}
LEADING: dict[Role, set[str] | None] = {
    Role.ADMIN: EVERYTHING,
    Role.MANAGER: EVERYTHING,
    Role.TEAM_LEAD: OWN_TEAM,
    Role.MEMBER: {"self"},
}
"""Who makes a token reaches as far as who reads: a token opens nothing that its key could not."""

# what each role reaches: None is refused at the door
WHO_MAY: dict[str, tuple[Rule, Scope, dict[Role, set[str] | None]]] = {
    "usage report": (
        policy.READ_REPORT,
        Scope.READ_USAGE,
        {Role.ADMIN: EVERYTHING, Role.MANAGER: None, Role.TEAM_LEAD: None, Role.MEMBER: None},
    ),
    "usage metrics 1-7": (
        policy.READ_ORGANIZATION,
        Scope.READ_USAGE,
        {Role.ADMIN: EVERYTHING, Role.MANAGER: EVERYTHING, Role.TEAM_LEAD: None, Role.MEMBER: None},
    ),
    "usage metrics 8, 9, 11": (
        policy.READ_TEAM,
        Scope.READ_USAGE,
        {
            Role.ADMIN: EVERYTHING,
            Role.MANAGER: EVERYTHING,
            Role.TEAM_LEAD: OWN_TEAM,
            Role.MEMBER: None,
        },
    ),
    "usage metrics 10": (
        policy.READ_OWN_TEAM,
        Scope.READ_USAGE,
        {
            Role.ADMIN: EVERYTHING,
            Role.MANAGER: EVERYTHING,
            Role.TEAM_LEAD: OWN_TEAM,
            Role.MEMBER: OWN_TEAM,
        },
    ),
    "usage metrics 12-13": (
        policy.READ_PERSON,
        Scope.READ_USAGE,
        LEADING,
    ),
    "own meters and seats": (policy.READ_SUBJECT, Scope.READ_USAGE, LEADING),
    "embed tokens": (policy.MAKE_EMBEDS, Scope.WRITE_EMBEDS, LEADING),
    "events": (policy.SEND_EVENTS, Scope.WRITE_USAGE, dict.fromkeys(Role, EVERYTHING)),
    "directory, write": (
        policy.WRITE_DIRECTORY,
        Scope.WRITE_DIRECTORY,
        {Role.ADMIN: EVERYTHING, Role.MANAGER: None, Role.TEAM_LEAD: None, Role.MEMBER: None},
    ),
    "directory, export": (
        policy.READ_DIRECTORY,
        Scope.READ_DIRECTORY,
        {Role.ADMIN: EVERYTHING, Role.MANAGER: None, Role.TEAM_LEAD: None, Role.MEMBER: None},
    ),
    "keys": (
        policy.MANAGE_KEYS,
        Scope.WRITE_KEYS,
        {
            Role.ADMIN: EVERYTHING,
            Role.MANAGER: {"self"},
            Role.TEAM_LEAD: {"self"},
            Role.MEMBER: {"self"},
        },
    ),
}
CELLS = [(route, role) for route in WHO_MAY for role in Role]


def caller(role: Role, *scopes: Scope, team: int | None = TEAM) -> Caller:
    return Caller(ACME, "key", frozenset(scopes), ME, "u1", "jo", role, team)


def admitted(rule: Rule, someone: Caller) -> set[str] | None:
    """What a caller reaches through a rule; None when not even the door."""
    try:
        rule.admit(someone)
    except Forbidden:
        return None
    return {name for name, target in TARGETS.items() if reaches(rule, someone, target)}


def reaches(rule: Rule, someone: Caller, target: Target | None) -> bool:
    try:
        rule.admit_to(someone, target)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(("route", "role"), CELLS)
def test_a_role_reaches_exactly_what_the_table_says(route: str, role: Role) -> None:
    rule, scope, cells = WHO_MAY[route]
    assert admitted(rule, caller(role, scope)) == cells[role]


@pytest.mark.parametrize(("route", "role"), CELLS)
def test_a_key_without_the_scope_opens_nothing(route: str, role: Role) -> None:
    rule, scope, _ = WHO_MAY[route]
    assert admitted(rule, caller(role, *set(Scope) - {scope})) is None


@pytest.mark.parametrize("role", [Role.TEAM_LEAD, Role.MEMBER])
def test_who_is_in_no_team_has_no_team_mates(role: Role) -> None:
    alone = caller(role, Scope.READ_USAGE, team=None)
    assert admitted(policy.READ_PERSON, alone) == {"self"}
    assert admitted(policy.READ_OWN_TEAM, alone) == {"self"}


def test_an_organization_is_ones_own_in_either_case() -> None:
    me = caller(Role.MEMBER)
    assert (me.is_of(ACME), me.is_of(ACME.upper())) == (True, True)
    assert (me.is_of(ACME[:-1] + "f"), me.is_of("")) == (False, False)


def test_every_rule_of_the_policy_stands_in_the_table() -> None:
    rules = {name for name, value in vars(policy).items() if isinstance(value, Rule)}
    tabled = {id(rule) for rule, _, _ in WHO_MAY.values()}
    assert {name for name in rules if id(getattr(policy, name)) not in tabled} == set()
