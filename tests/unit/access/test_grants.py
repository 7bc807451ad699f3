"""What the holder of an embed token reaches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from odometer.access import policy
from odometer.access.policy import Access, Caller, Grant, Rule, Scope, Target
from odometer.access.tokens import Claims, holder_of
from odometer.domain.errors import Forbidden, Unauthenticated
from odometer.domain.people import Role
from tests.support.memory_directory import ACME

USER, MATE, STRANGER, NOBODY = 0, 1, 2, -1
TEAM, OTHER_TEAM = 0, 1
TARGETS: dict[str, Target | None] = {
    "user": Target(team=TEAM, user=USER),
    "mate": Target(team=TEAM, user=MATE),
    "stranger": Target(team=OTHER_TEAM, user=STRANGER),
    "loner": Target(user=STRANGER),
    "team": Target(team=TEAM),
    "other team": Target(team=OTHER_TEAM),
    "unknown": None,
}
REACHED = {
    Access.ORGANIZATION: set(TARGETS),
    Access.TEAM: {"user", "mate", "team"},
    Access.SELF: {"user"},
}
RULES = {name: each for name, each in vars(policy).items() if isinstance(each, Rule)}


def holder(access: Access, *products: str) -> Caller:
    """Whoever has a token of the user, the team or the organization."""
    user = USER if access is Access.SELF else NOBODY
    team = None if access is Access.ORGANIZATION else TEAM
    grant = Grant(access, frozenset(products) or None)
    return Caller(ACME, "key", frozenset(Scope), user, "", "", Role.ADMIN, team, grant)


@pytest.mark.parametrize("access", REACHED)
def test_a_token_reaches_its_subject_and_nobody_else_whatever_role_is_said(access: Access) -> None:
    caller = holder(access)
    reached = {
        name for name, target in TARGETS.items() if policy.READ_SUBJECT.reaches(caller, target)
    }
    assert reached == REACHED[access]


@pytest.mark.parametrize("access", REACHED)
def test_a_token_opens_only_rules_that_say_so(access: Access) -> None:
    opened = {name for name, rule in RULES.items() if admits(rule, holder(access))}
    assert opened == {"READ_SUBJECT"}


def admits(rule: Rule, caller: Caller) -> bool:
    try:
        rule.admit(caller)
    except Forbidden:
        return False
    return True


def among(caller: Caller, products: Sequence[str], *, named: bool) -> list[str] | None:
    try:
        return caller.products_among(products, named=named)
    except Forbidden:
        return None


def test_a_token_of_all_products_asks_about_any() -> None:
    assert among(holder(Access.TEAM), ["a", "b"], named=True) == ["a", "b"]
    assert among(holder(Access.TEAM), [], named=False) == []


@pytest.mark.parametrize(
    ("asked", "if_named", "otherwise"),
    [
        (["b"], ["b"], ["b"]),
        (["c", "b"], ["c", "b"], ["c", "b"]),
        (["a", "b", "d"], None, ["b"]),
        (["a", "d"], None, None),
        (["nothing"], None, None),
        ([], None, None),
    ],
)
def test_a_token_of_some_products_asks_about_no_others(
    asked: list[str], if_named: list[str] | None, otherwise: list[str] | None
) -> None:
    caller = holder(Access.ORGANIZATION, "b", "c")
    assert among(caller, asked, named=True) == if_named
    assert among(caller, asked, named=False) == otherwise


OWNER = Caller(ACME, "key", frozenset(Scope), USER, "u1", "jo", Role.MANAGER, TEAM)
ORIGINS = ("https://a.example", "https://b.example")


def claims(access: Access, **said: Any) -> Claims:
    return Claims(access=access, origins=ORIGINS, expires=0, **said)


def test_the_holder_of_a_token_is_its_subject_and_never_the_owner_of_its_key() -> None:
    def holding(said: Claims, subject: Target | None) -> Caller:
        return holder_of(said, OWNER, subject)

    def caller(ordinal: int, user_id: str, team: int | None, grant: Grant) -> Caller:
        scopes = frozenset({Scope.READ_USAGE})
        return Caller(ACME, "key", scopes, ordinal, user_id, "", Role.MEMBER, team, grant)

    origins = frozenset(ORIGINS)
    user = holding(claims(Access.SELF, subject="u2", products=("a", "b")), Target(TEAM, MATE))
    grant = Grant(Access.SELF, frozenset({"a", "b"}), origins)
    assert user == caller(MATE, "u2", TEAM, grant)
    team = holding(claims(Access.TEAM, subject="core"), Target(OTHER_TEAM))
    assert team == caller(NOBODY, "", OTHER_TEAM, Grant(Access.TEAM, None, origins))
    everybody = holding(claims(Access.ORGANIZATION), None)
    assert everybody == caller(NOBODY, "", None, Grant(Access.ORGANIZATION, None, origins))


@pytest.mark.parametrize(
    ("role", "access", "subject"),
    [
        (Role.TEAM_LEAD, Access.TEAM, "team"),
        (Role.TEAM_LEAD, Access.SELF, "mate"),
        (Role.MEMBER, Access.SELF, "user"),
    ],
)
def test_who_reaches_some_gives_a_token_of_those(role: Role, access: Access, subject: str) -> None:
    held = holder_of(claims(access), replace(OWNER, role=role), TARGETS[subject])
    assert (held.team, held.role) == (TEAM, Role.MEMBER)


@pytest.mark.parametrize(
    ("owner", "access", "subject"),
    [
        (replace(OWNER, scopes=frozenset(Scope) - {Scope.WRITE_EMBEDS}), Access.SELF, "user"),
        (replace(OWNER, role=Role.TEAM_LEAD), Access.SELF, "stranger"),
        (replace(OWNER, role=Role.TEAM_LEAD), Access.TEAM, "other team"),
        (replace(OWNER, role=Role.TEAM_LEAD), Access.ORGANIZATION, "unknown"),
        (replace(OWNER, role=Role.MEMBER), Access.TEAM, "team"),
        (replace(OWNER, grant=Grant(Access.ORGANIZATION)), Access.SELF, "user"),
        (OWNER, Access.SELF, "unknown"),
        (OWNER, Access.TEAM, "unknown"),
    ],
)
def test_a_token_holds_nothing_that_its_owner_could_not_give_or_that_is_not_there(
    owner: Caller, access: Access, subject: str
) -> None:
    with pytest.raises(Unauthenticated):
        holder_of(claims(access), owner, TARGETS[subject])


def test_answers_for_different_tokens_are_told_apart_and_those_for_keys_are_not() -> None:
    mate = replace(OWNER, ordinal=MATE, user_id="u2")
    assert OWNER.reach == mate.reach == ACME
    apart = [
        holder(Access.ORGANIZATION),
        holder(Access.TEAM),
        replace(holder(Access.TEAM), team=OTHER_TEAM),
        holder(Access.SELF),
        replace(holder(Access.SELF), ordinal=MATE),
        holder(Access.TEAM, "a"),
        holder(Access.TEAM, "a", "b"),
        replace(holder(Access.TEAM), organization="another"),
    ]
    assert len({each.reach for each in [OWNER, *apart]}) == len(apart) + 1
    assert holder(Access.TEAM, "b", "a").reach == apart[6].reach


def test_a_key_asks_about_any_products_or_none() -> None:
    owner = Caller(ACME, "key", frozenset(Scope), USER, "u1", "jo", Role.MEMBER, TEAM)
    assert among(owner, ["a"], named=True) == ["a"]
    assert among(owner, [], named=False) == []
