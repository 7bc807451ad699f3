"""The usage metrics endpoints that read the directory: lists, pages, filters and bad input."""

from typing import Any

import pytest

from odometer.domain.people import State
from tests.support.memory_directory import ACME, NOON
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, Stack

USERS = "/api/v1/organization/users"
NUL, LONG = "%00", "x" * 8192
NO_NUMBERS = ["", "-1", "%2B1", "1.0", "1e1", "1_0", "x", "%D9%A1", NUL, "1%0D%0A", LONG]


@pytest.fixture
def us(stack: Stack) -> People:
    people_of(stack, OTHER)
    return people_of(stack, ACME)


def get(us: People, url: str) -> Reply:
    return us.stack.get(url, us.key("admin"))


def names(reply: Reply) -> list[str]:
    assert reply.status == 200
    return [row["username"].partition("@")[0] for row in reply.json["data"]]


def bad_request(*errors: str) -> dict[str, Any]:
    return {
        "error": "BAD_REQUEST",
        "message": "Bad Request – Invalid or missing parameters.",
        "status": 400,
        "requestId": "request-1",
        "details": {"errors": list(errors)},
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("teamMember=true&active=true", ["lead", "member", "stranger"]),
        ("teamMember=false&active=true", ["admin", "manager"]),
        ("teamMember=false&active=false", ["gone"]),
        ("teamMember=true&active=false", []),
        ("", ["admin", "lead", "manager", "member", "stranger"]),
        ("active=false", ["gone"]),
        ("teamMember=False&active=True", ["admin", "manager"]),
        ("teamMember=TRUE&active=tRuE", ["lead", "member", "stranger"]),
        ("active=FALSE", ["gone"]),
    ],
)
def test_users_are_all_or_in_a_team_or_in_none_registered_or_deactivated(
    us: People, query: str, found: list[str]
) -> None:
    assert names(get(us, f"{USERS}?offset=0&limit=0&{query}")) == found


def test_a_deactivated_user_says_since_when(us: People) -> None:
    (row,) = get(us, f"{USERS}?offset=0&limit=1&active=false").json["data"]
    assert row["deactivatedAt"] == row["updatedAt"] == "2026-02-28T12:00:00Z"


@pytest.mark.parametrize(
    ("offset", "limit", "found", "following"),
    [
        (0, 0, ["lead", "member", "stranger"], None),
        (0, 3, ["lead", "member", "stranger"], None),
        (0, 2, ["lead", "member"], {"limit": 2, "offset": 2}),
        (2, 2, ["stranger"], None),
        (3, 2, [], None),
        (10**9, 1000, [], None),
        (10**9 + 1, 1001, [], None),
        (2**63 - 1, "9" * 40, [], None),
    ],
)
def test_a_page_says_how_to_go_on(
    us: People, offset: int, limit: int | str, found: list[str], following: Any
) -> None:
    reply = get(us, f"{USERS}?offset={offset}&limit={limit}&teamMember=true")
    assert names(reply) == found
    assert reply.json["meta"] == {"count": len(found), "total": 3, "next": following}


def test_without_a_limit_or_with_a_larger_one_a_page_has_a_thousand_rows(us: People) -> None:
    rows = [{"id": f"t{n:04}", "name": f"Team {n:04}"} for n in range(1001)]
    us.stack.put(us.key("admin"), {"teams": rows})
    reply = get(us, "/api/v1/organization/teams")
    assert reply.json["meta"] == {
        "count": 1000,
        "total": 1003,
        "next": {"limit": 1000, "offset": 1000},
    }
    for clamped in (1001, 2**31, 2**63, "9" * 40):
        assert get(us, f"/api/v1/organization/teams?limit={clamped}").json == reply.json
    assert get(us, "/api/v1/organization/teams?offset=1000&limit=1000").json["meta"] == {
        "count": 3,
        "total": 1003,
        "next": None,
    }


def test_lists_are_by_name_and_then_by_id(us: People) -> None:
    us.stack.put(
        us.key("admin"), {"teams": [{"id": "b", "name": "Core"}, {"id": "z", "name": "Aaa"}]}
    )
    data = get(us, "/api/v1/organization/teams").json["data"]
    assert [row["id"] for row in data] == ["z", us.id("core"), "b", us.id("edge")]


@pytest.mark.parametrize("role", ["Admin", "Manager", "TeamLead", "Member"])
def test_permissions_are_the_holders_of_a_role(us: People, role: str) -> None:
    holders = {
        "Admin": ["admin", "gone"],
        "Manager": ["manager"],
        "TeamLead": ["lead"],
        "Member": ["invited", "member", "stranger"],
    }
    assert get(us, f"/api/v1/instance/permissions?role={role}").json == [
        {"username": us.username(who), "organizationId": ACME} for who in holders[role]
    ]


def test_permissions_are_those_of_admins_unless_told(us: People) -> None:
    found = get(us, "/api/v1/instance/permissions").json
    assert [row["username"] for row in found] == [us.username("admin"), us.username("gone")]


def test_the_teams_of_a_user_in_no_team_are_an_empty_object(us: People) -> None:
    assert get(us, f"/api/v1/user/{us.id('manager')}").json["teams"] == {}


@pytest.mark.parametrize(
    ("username", "email"), [("kim@acme.example", "kim@acme.example"), ("build-7", "")]
)
@pytest.mark.parametrize("older", [True, False])
def test_an_email_that_nobody_gave_is_the_username_if_it_has_an_at(
    us: People, username: str, email: str, *, older: bool
) -> None:
    us.stack.user(ACME, id="kim", username=username)
    if older:  # rows of an older version were stored without the default
        us.stack.directories.change(
            ACME,
            NOON,
            lambda edit: edit.users.change(len(edit.users) - 1, {"email": None}),
        )
    exported = us.stack.get("/v1/directory/export", us.key("admin")).text
    rows = get(us, f"{USERS}?offset=0&limit=0&teamMember=false").json["data"]
    assert [row["email"] for row in rows if row["id"] == "kim"] == [email]
    assert get(us, "/api/v1/user/kim").json["user"]["email"] == email
    again = us.stack.call(
        "PUT",
        "/v1/directory",
        us.key("admin"),
        headers={"content-type": "application/x-ndjson"},
        body=exported,
    )
    assert {result["status"] for result in again.json["results"]} == {"unchanged"}


def test_an_organization_without_a_license_has_none(stack: Stack) -> None:
    user = stack.user(ACME, username="admin", role="Admin", state=State.REGISTERED)
    reply = stack.get("/api/v1/license", stack.key(ACME, user))
    assert (reply.status, reply.json["error"]) == (404, "NOT_FOUND")


# bad input

OFFSET = f"offset: expected an integer from 0 to {2**63 - 1}"
LIMIT = "limit: expected an integer from 0"


@pytest.mark.parametrize("sent", NO_NUMBERS, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(
    "url", ["/api/v1/organization/teams", USERS, "/api/v1/team/acme-core/users"]
)
def test_what_is_no_number_is_no_offset_and_no_limit(us: People, url: str, sent: str) -> None:
    reply = get(us, f"{url}?limit={sent}&offset={sent}")
    assert (reply.status, reply.json) == (400, bad_request(OFFSET, LIMIT))


@pytest.mark.parametrize(
    ("url", "errors"),
    [
        (USERS, ["offset: required", "limit: required"]),
        (f"{USERS}?limit=-1&offset=0", [LIMIT]),
        (f"{USERS}?offset={2**63}&limit=0", [OFFSET]),
        (f"{USERS}?offset={'9' * 40}&limit=0", [OFFSET]),
        (
            f"{USERS}?active=yes&teamMember=1&limit=a&offset=b",
            [OFFSET, LIMIT, "teamMember: expected true or false", "active: expected true or false"],
        ),
        (
            f"{USERS}?offset=0&limit=0&active=yes&teamMember=",
            ["teamMember: expected true or false", "active: expected true or false"],
        ),
        (f"{USERS}?offset=0&limit=0&active=true{NUL}", ["active: expected true or false"]),
        (f"{USERS}?offset=0&offset=0&limit=1", ["offset: sent more than once"]),
        (
            f"{USERS}?offset=0&offset=0&limit=1&limit=2&active=x&active=true",
            [
                "offset: sent more than once",
                "limit: sent more than once",
                "active: sent more than once",
            ],
        ),
        ("/api/v1/team/acme-core/users", ["offset: required", "limit: required"]),
        *(
            (
                f"/api/v1/instance/permissions?role={role}",
                ["role: expected one of Admin, Manager, TeamLead, Member"],
            )
            for role in ("", "admin", "Owner", "Admin%20", f"Admin{NUL}", "Admin,Member", LONG)
        ),
        ("/api/v1/instance/permissions?role=Admin&role=Admin", ["role: sent more than once"]),
    ],
    ids=lambda value: str(value)[:80],
)
def test_all_faults_of_a_request_are_listed_in_the_order_of_the_contract(
    us: People, url: str, errors: list[str]
) -> None:
    reply = get(us, url)
    assert (reply.status, reply.json) == (400, bad_request(*errors))


@pytest.mark.parametrize("url", ["/api/v1/organization", "/api/v1/license"])
def test_unknown_parameters_are_ignored(us: People, url: str) -> None:
    assert get(us, f"{url}?nope=1&nope=2&{LONG}={NUL}") == get(us, url)


@pytest.mark.parametrize(
    "unknown",
    [
        "nobody",
        "other-core",
        NUL,
        "%0D%0AX:%20y",
        "%E2%98%83",
        "%D9%A1",
        "%25",
        "..",
        LONG,
        "%F0%9F%98%80",
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize(
    "url", ["/api/v1/team/{}", "/api/v1/team/{}/users?offset=0&limit=0", "/api/v1/user/{}"]
)
def test_an_unknown_id_is_not_found_however_it_is_spelled(
    us: People, url: str, unknown: str
) -> None:
    reply = get(us, url.format(unknown))
    assert (reply.status, reply.json["error"]) == (404, "NOT_FOUND")


def test_who_sees_only_some_cannot_tell_an_unknown_id_from_a_foreign_one(us: People) -> None:
    for url in ("/api/v1/team/{}", "/api/v1/user/{}"):
        for who in ("lead", "member"):
            replies = [
                us.stack.get(url.format(name), us.key(who))
                for name in (us.id("edge"), us.id("stranger"), "other-core", "nobody")
            ]
            assert {(reply.status, reply.text) for reply in replies} == {
                (403, replies[0].text),
            }


def test_authorization_comes_before_validation(us: People) -> None:
    for key, status in ((None, 401), (us.key("member"), 403), (us.key("admin"), 400)):
        assert us.stack.get(f"{USERS}?offset=x", key).status == status
    lead = us.key("lead")
    assert us.stack.get("/api/v1/team/acme-edge/users?offset=x", lead).status == 403
    assert us.stack.get("/api/v1/team/acme-core/users?offset=x", lead).status == 400
    assert us.stack.get("/api/v1/team/nobody/users?offset=x", us.key("admin")).status == 400


def test_an_answer_is_the_same_whatever_the_neighbour_holds(us: People) -> None:
    key = us.key("admin")
    urls = [
        "/api/v1/organization",
        "/api/v1/organization/teams",
        f"{USERS}?offset=0&limit=0",
        "/api/v1/license",
        "/api/v1/instance/permissions",
        f"/api/v1/team/{us.id('core')}",
        "/v1/directory/export",
    ]
    before = [us.stack.get(url, key).text for url in urls]
    them = People(us.stack, OTHER)
    document = {
        "teams": [{"id": us.id("core"), "name": "Core"}],
        "users": [{"id": us.id("admin"), "username": us.username("admin"), "role": "Member"}],
    }
    assert us.stack.put(them.key("admin"), document).status == 200
    assert [us.stack.get(url, key).text for url in urls] == before
