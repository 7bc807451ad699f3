"""What an embed token is asked for: one subject, products and pages that exist, and no more."""

import json
from typing import Any

import pytest

from odometer.access.keys import issue
from odometer.access.policy import Access, Caller, Scope
from odometer.access.secret import Secret
from odometer.access.tokens import LONGEST_CLAIMS, Claims, EmbedToken, TokenMaker
from odometer.api.v1.embed_tokens import NewSubject, NewToken, TokenMade
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Forbidden, Invalid
from odometer.domain.people import Role
from odometer.domain.time import epoch_second
from odometer.web.models import read_body
from tests.support.memory_directory import ACME, NOON, MemoryDirectory

APP = "f1a2b3c4-d5e6-7890-abcd-ef1234567890"
PAGES = ["https://a.example", "https://b.example"]


def acme(*products: str) -> Directory:
    memory = MemoryDirectory()
    users = {"u1": "core", "u2": "edge"}
    memory.put(
        *(("team", {"id": team, "name": team.title()}) for team in users.values()),
        *(("user", {"id": each, "username": each, "team": team}) for each, team in users.items()),
        ("product", {"id": APP, "name": APP, "kind": "app"}),
        *(("product", {"id": each, "name": each, "kind": "chat"}) for each in products),
    )
    return memory.directory


DIRECTORY = acme()


def caller(role: Role) -> Caller:
    return Caller(ACME, "k" * 12, frozenset(Scope), 0, "u1", "u1", role, 0)


def wish(about: Any, **others: Any) -> NewToken:
    content = {"for": about, "expires_in": 60, "origins": PAGES, **others}
    return read_body(NewToken, json.dumps(content).encode())


def said(about: Any, role: Role = Role.ADMIN, **others: Any) -> Claims:
    return wish(about, **others).claims(caller(role), DIRECTORY, 7)


def faults(about: Any, **others: Any) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as refused:
        said(about, **others)
    return refused.value.faults


@pytest.mark.parametrize(
    ("about", "access", "subject"),
    [
        ({"organization": True}, Access.ORGANIZATION, None),
        ({"team": "edge"}, Access.TEAM, "edge"),
        ({"user": "u2"}, Access.SELF, "u2"),
    ],
)
def test_a_token_is_about_the_one_that_is_named(
    about: dict[str, Any], access: Access, subject: str | None
) -> None:
    expected = Claims(access=access, subject=subject, origins=tuple(PAGES), expires=7)
    assert said(about) == expected


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"organization": False},
        {"team": None},
        {"user": None},
        {"organization": True, "team": "core"},
        {"team": "core", "user": "u1"},
        {"team": "core", "user": None},
    ],
)
def test_nothing_and_two_at_once_are_no_subject(about: dict[str, Any]) -> None:
    (fault,) = faults(about)
    assert (fault.name, fault.rule) == ("for", "one")


@pytest.mark.parametrize("kind", ["team", "user"])
def test_a_subject_that_is_not_there_is_a_fault_for_who_sees_everybody(kind: str) -> None:
    words = f"expected the id of a {kind}"
    assert faults({kind: "nobody"}) == (Fault(f"for.{kind}", "value", words, "nobody"),)


@pytest.mark.parametrize(
    ("role", "about", "may"),
    [
        (Role.TEAM_LEAD, {"team": "core"}, True),
        (Role.TEAM_LEAD, {"user": "u1"}, True),
        (Role.TEAM_LEAD, {"team": "edge"}, False),
        (Role.TEAM_LEAD, {"user": "u2"}, False),
        (Role.TEAM_LEAD, {"user": "nobody"}, False),
        (Role.TEAM_LEAD, {"organization": True}, False),
        (Role.MEMBER, {"user": "u1"}, True),
        (Role.MEMBER, {"team": "core"}, False),
        (Role.MANAGER, {"organization": True}, True),
    ],
)
def test_nobody_gives_more_than_they_see_and_learns_what_exists(
    role: Role, about: dict[str, Any], *, may: bool
) -> None:
    if may:
        assert said(about, role).origins == tuple(PAGES)
        return
    with pytest.raises(Forbidden):
        said(about, role)


def test_products_and_pages_are_named_once_in_the_order_in_which_they_were_sent() -> None:
    products = ["chat", APP.upper(), "chat", APP]
    claims = said({"organization": True}, products=products, origins=[*PAGES, PAGES[0]])
    assert (claims.products, claims.origins) == (("chat", APP), tuple(PAGES))


def test_every_product_that_is_not_there_is_named_with_its_place() -> None:
    words = "expected the id of a product"
    assert faults({"organization": True}, products=["chess", "chat", "go"]) == (
        Fault("products.0", "value", words, "chess"),
        Fault("products.2", "value", words, "go"),
    )


def test_a_token_is_as_long_as_a_header_takes_and_no_longer() -> None:
    names = [f"{place:02}{'x' * 98}" for place in range(27)]

    def length(*more: str) -> int:
        asked = wish({"organization": True}, products=[*names, *more])
        return len(asked.claims(caller(Role.ADMIN), acme(*names, *more), 7).text)

    room = LONGEST_CLAIMS - length("y")
    assert room > 0
    fitting = "y" * (1 + room * 3 // 4)
    assert LONGEST_CLAIMS - 2 < length(fitting) <= LONGEST_CLAIMS
    with pytest.raises(Invalid) as refused:
        length(f"{fitting}y")
    assert [fault.name for fault in refused.value.faults] == ["products"]


def test_the_answer_is_the_token_and_the_second_in_which_it_ends() -> None:
    key, credential = issue(ACME, "t", 0, frozenset(Scope), Secret(("a",)), NOON)
    claims = Claims(access=Access.ORGANIZATION, origins=tuple(PAGES), expires=epoch_second(NOON))
    maker = TokenMaker(key, None, credential.digest, Secret(("a",)))
    made = TokenMade.of(maker, claims)
    assert (made.token, str(made.expires_at)) == (str(maker.make(claims)), "2026-02-28T12:00:00Z")
    assert EmbedToken.parse(made.token) is not None


def test_the_documents_say_that_one_subject_is_given_and_none_is_null() -> None:
    schema = NewSubject.model_json_schema()
    assert (schema["minProperties"], schema["maxProperties"]) == (1, 1)
    assert schema["properties"]["organization"]["const"] is True
    for name in ("organization", "team", "user"):
        assert not {"default", "anyOf"} & schema["properties"][name].keys()
        assert schema["properties"][name]["type"] in {"boolean", "string"}
