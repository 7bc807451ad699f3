"""Who is calling, and what they may ask about: whole answers, and nothing of anybody else."""

from typing import Any

import pytest

from odometer import __version__
from odometer.access.policy import Scope
from odometer.api.v1 import me as module
from odometer.domain.people import Role
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, People, people_of
from tests.support.stack import OTHER, Stack

APP = "0e5c1b5d-6a36-4d4c-9c7e-0a1f6a5a0b11"
PAGES = {
    "name": "scan",
    "label": "Scans",
    "days": "local",
    "measures": [
        {"name": "pages", "unit": "count", "decimals": 1, "aggregate": "sum"},
        {"name": "scans", "aggregate": "count", "label": "Scans"},
    ],
    "ratios": [{"name": "pages_per_scan", "of": "pages", "per": "scans"}],
    "breakdowns": ["format"],
}
AS_ANSWERED = {
    **PAGES,
    "measures": [
        {"name": "pages", "label": "pages", "unit": "count", "decimals": 1, "aggregate": "sum"},
        {"name": "scans", "label": "Scans", "unit": "count", "decimals": 0, "aggregate": "count"},
    ],
    "ratios": [
        {"name": "pages_per_scan", "label": "pages_per_scan", "of": "pages", "per": "scans"}
    ],
}
BUILT_IN_KINDS = ["test", "visual", "completion", "chat", "app"]


@pytest.fixture
def us(stack: Stack) -> People:
    """Two organizations, of which ours has a kind, a product and a department of its own."""
    people_of(stack, OTHER)
    us = people_of(stack, ACME)
    rows = {
        "kinds": [PAGES],
        "products": [
            {"id": APP, "name": "Mail", "kind": "app"},
            {"id": "scanner", "name": "<b>Scanner</b>", "kind": "scan"},
        ],
        "departments": [{"id": "1f0d5e3e-3a86-4a52-8d2e-56e2a34ab1a5", "name": "Sales"}],
    }
    answer = stack.put(us.key("admin"), rows)
    assert {each["status"] for each in answer.json["results"]} == {"created"}, answer.text
    return us


def me(us: People, key: str, **headers: str) -> dict[str, Any]:
    reply = us.stack.get("/v1/me", key, **headers)
    assert reply.status == 200, reply.text
    answer: dict[str, Any] = reply.json
    return answer


def group(us: People, name: str) -> dict[str, str]:
    return {"id": us.id(name), "name": name.title()}


def user(us: People, name: str, role: Role) -> dict[str, str]:
    return {"id": us.id(name), "username": us.username(name), "role": role}


def test_an_admin_is_told_everything_that_can_be_named(us: People) -> None:
    answer = me(us, us.key("admin", Scope.READ_USAGE, Scope.WRITE_USAGE))
    kinds = {each["name"]: each for each in answer.pop("kinds")}
    products = answer.pop("products")
    assert answer.pop("data_through")
    assert answer == {
        "organization": {"id": ACME, "name": "Acme Corp", "timezone": "UTC"},
        "caller": {
            "type": "key",
            "user": user(us, "admin", Role.ADMIN),
            "scopes": ["usage:read", "usage:write"],
            "subject": {"organization": True},
        },
        "more_products": False,
        "teams": [group(us, "core"), group(us, "edge")],
        "more_teams": False,
        "departments": [{"id": "1f0d5e3e-3a86-4a52-8d2e-56e2a34ab1a5", "name": "Sales"}],
        "more_departments": False,
        "release": __version__,
    }
    assert list(kinds) == [*BUILT_IN_KINDS, "scan"]
    assert kinds["scan"] == AS_ANSWERED
    assert kinds["app"]["measures"][0] == {
        "name": "active_ms",
        "label": "Active time",
        "unit": "ms",
        "decimals": 0,
        "aggregate": "sum",
    }
    assert {"id": "scanner", "name": "<b>Scanner</b>", "kind": "scan"} in products
    assert {"id": APP, "name": "Mail", "kind": "app"} in products
    assert {"id": "chat", "name": "chat", "kind": "chat"} in products
    names = [each["name"].casefold() for each in products]
    assert names == sorted(names)


def test_a_caller_is_told_only_of_those_whom_they_may_ask_about(us: People) -> None:
    core, member = us.id("core"), us.id("member")
    expected = {
        us.key("manager"): ({"organization": True}, ["Core", "Edge"], ["Sales"], us.id("manager")),
        us.key("lead"): ({"team": core}, ["Core"], [], us.id("lead")),
        us.key("member"): ({"user": member}, [], [], member),
        us.token(): ({"organization": True}, ["Core", "Edge"], ["Sales"], None),
        us.token(team="core"): ({"team": core}, ["Core"], [], None),
        us.token(user="member"): ({"user": member}, [], [], None),
    }
    for key, (subject, teams, departments, owner) in expected.items():
        answer = me(us, key)
        assert answer["caller"]["subject"] == subject
        assert [each["name"] for each in answer["teams"]] == teams
        assert [each["name"] for each in answer["departments"]] == departments
        assert (answer["caller"]["user"] or {}).get("id") == owner
        assert answer["caller"]["type"] == ("key" if owner else "token")
        assert ("release" in answer) == bool(owner)  # strangers see a page with a token


def test_a_lead_without_a_team_may_ask_about_themselves(us: People) -> None:
    lead = us.stack.user(ACME, username="lead2@acme.example", role=Role.TEAM_LEAD)
    answer = me(us, us.stack.key(ACME, lead))
    assert (answer["caller"]["subject"], answer["teams"]) == ({"user": lead}, [])


def test_the_subject_is_whom_usage_answers_about(us: People) -> None:
    """What `/v1/me` says may be asked can be asked, and with a name beyond it nothing is."""
    for key in (us.key("lead"), us.key("member"), us.token(team="core"), us.token(user="member")):
        subject = me(us, key)["caller"]["subject"]
        ((about, name),) = subject.items()
        assert us.stack.get(f"/v1/usage?kind=chat&period=7d&{about}={name}", key).status == 200
        for other in (f"team={us.id('edge')}", f"user={us.id('stranger')}"):
            assert us.stack.get(f"/v1/usage?kind=chat&period=7d&{other}", key).status == 403


def test_a_token_for_some_products_tells_of_no_other_product_or_kind(us: People) -> None:
    wish = {"for": {"organization": True}, "products": ["chat"], "expires_in": 60}
    made = us.stack.call(
        "POST", "/v1/embed-tokens", us.key("admin"), body={**wish, "origins": [ORIGIN]}
    )
    answer = me(us, made.json["token"])
    assert [each["id"] for each in answer["products"]] == ["chat"]
    assert [each["name"] for each in answer["kinds"]] == ["chat"]
    assert answer["caller"]["scopes"] == ["usage:read"]


def test_a_page_of_the_token_may_read_it_and_no_other(us: People) -> None:
    token = us.token()
    reply = us.stack.get("/v1/me", token, origin=ORIGIN)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert reply.headers["Cache-Control"] == "no-store"
    assert us.stack.get("/v1/me", token, origin="https://evil.example").status == 403
    asked = {"origin": ORIGIN, "access-control-request-method": "GET"}
    assert us.stack.call("OPTIONS", "/v1/me", headers=asked).status == 204


def test_a_key_that_may_not_read_usage_is_refused(us: People) -> None:
    assert us.stack.get("/v1/me", us.key("admin", Scope.WRITE_USAGE)).status == 403


def test_nothing_of_another_organization_is_told(us: People) -> None:
    theirs = people_of(us.stack, OTHER)
    for who in ("admin", "lead", "member"):
        assert "globex" not in us.stack.get("/v1/me", us.key(who)).text
        assert "acme" not in us.stack.get("/v1/me", theirs.key(who)).text


def test_lists_end_at_a_bound_and_say_so(us: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    answer = me(us, us.key("admin"))
    for each in ("products", "teams"):
        assert (len(answer[each]), answer[f"more_{each}"]) == (1, True)
    assert (len(answer["departments"]), answer["more_departments"]) == (1, False)
    assert answer["teams"] == [group(us, "core")]
