"""Every route, asked with every kind of credential, in both organizations.

Answers are compared whole. What was found is written to docs/matrix.md.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odometer.access.keys import AccessKey
from odometer.access.policy import Scope
from odometer.domain.time import epoch_ms
from tests.support.documents import compare
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, YESTERDAY, People, basic, bearer, people_of
from tests.support.stack import OTHER, ROOT, Reply, endpoints, stack_on_moto
from tests.support.usage_sender import UsageSender, used

Headers = Mapping[str, str]

CREDENTIALS: dict[str, Callable[[People], Headers]] = {
    "Admin": lambda us: bearer(us.key("admin")),
    "Manager": lambda us: bearer(us.key("manager")),
    "TeamLead": lambda us: bearer(us.key("lead")),
    "Member": lambda us: bearer(us.key("member")),
    "Basic": lambda us: basic(us.username("admin"), us.key("admin")),
    "events only": lambda us: bearer(us.key("admin", Scope.WRITE_USAGE)),
    "other org": lambda us: bearer(us.key("admin")),
    "wrong name": lambda us: basic(us.username("manager"), us.key("admin")),
    "expired": lambda us: bearer(us.key("admin", expires_at=YESTERDAY)),
    "revoked": lambda us: bearer(us.revoked("admin")),
    "owner gone": lambda us: bearer(us.key("gone")),
    "embed token": lambda us: bearer(us.token()),
    "malformed": lambda _: bearer("not-a-key"),
    "none": lambda _: {},
}
APP = "cc7cf840-9ca9-46a3-9778-9015d6580d52"
"""Both organizations have an app of that id; each is its own."""
UNKNOWN = (
    *("wrong name", "expired", "revoked", "owner gone"),
    *("embed token", "malformed", "none"),
)


@dataclass(frozen=True)
class Route:
    """One thing to ask: of what, how, and who gets which status."""

    method: str
    path: str
    about: str
    statuses: Mapping[str, int]
    query: str = ""
    body: Callable[[People], Any] = lambda _: None
    answer: Callable[[People], Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}{f' ({self.about})' if self.about else ''}"

    def url(self, us: People) -> str:
        """The path with the ids of the organization; a key is made to be named, and somebody."""
        about = us.id(self.about)
        if self.about == "somebody":
            us.stack.user(us.organization, id=about, username=about, state_since=NEXT_YEAR_MS)
        ids = {
            "teamId": about,
            "user_id": about,
            "organization": us.organization,
            "client_id": us.organization,
            "app_id": APP,
        }
        key = AccessKey.parse(us.key(self.about.split("'")[0])) if "key_id" in self.path else None
        return (self.path + self.query).format(**ids, key_id=key.key_id if key else "")


def who(admin: int, manager: int, lead: int, member: int, other: int) -> dict[str, int]:
    """The statuses of a route by role, and that of an Admin of the other organization."""
    return {
        "Admin": admin,
        "Manager": manager,
        "TeamLead": lead,
        "Member": member,
        "Basic": admin,
        "events only": 403,
        "other org": other,
        **dict.fromkeys(UNKNOWN, 401),
    }


EMBEDDED = {"embed token": 200}
"""Of a route that tokens open."""


def user_row(us: People, person: str, role: str, **values: Any) -> dict[str, Any]:
    return {
        "id": us.id(person),
        "username": us.username(person),
        "email": us.username(person),
        "role": role,
        "verified": False,
        "deactivatedAt": None,
        "updatedAt": "2026-02-28T12:00:00Z",
        **values,
    }


def page(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"data": list(rows), "meta": {"count": len(rows), "total": len(rows), "next": None}}


def team_row(us: People, team: str, users: int) -> dict[str, Any]:
    return {
        "id": us.id(team),
        "name": team.title(),
        "usersCount": users,
        "isDefaultTeam": False,
    }


def user_info(us: People, person: str, role: str, team: str) -> dict[str, Any]:
    return {
        "user": {
            "organization_id": us.organization,
            "user_id": us.id(person),
            "email": us.username(person),
            "role": role,
            "createdAt": "2026-02-28T12:00:00Z",
            "updatedAt": "2026-02-28T12:00:00Z",
        },
        "teams": {"team_id": us.id(team), "team_name": team.title()},
    }


def event(subject: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "usage",
        "id": "1",
        "source": "test",
        "subject": subject,
        "time": YESTERDAY.isoformat(timespec="seconds"),
        "data": {"product": "automation", "tests": 1},
    }


COMPLETIONS = {ACME: 30, OTHER: 40}
"""Characters completed for each user who was active on 1 February."""


def use_something(us: People) -> None:
    """Lead, member and stranger are active on one day."""
    day = datetime(2026, 2, 1, tzinfo=UTC)
    chars = COMPLETIONS[us.organization]
    people = ("lead", "member", "stranger")
    events = [used(us.id(who), "code-completions", day, 1, chars, 60, 2) for who in people]
    UsageSender(us.organization).send(events, day + timedelta(days=1))


def usage(us: People, users: int, **about: str) -> dict[str, Any]:
    """The usage of some of those who were active, on that day."""
    chars, keys = COMPLETIONS[us.organization] * users, 60 * users
    factor = round(chars / (chars + keys), 4)
    start, end = "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"
    block = {
        "from": start,
        "to": end,
        "activeUsers": users,
        "productivityFactor": factor,
        "codeCompletions": {
            "activeUsers": users,
            "completions": users,
            "charsCompleted": chars,
            "keystrokes": keys,
            "lines": 2 * users,
            "automationFactor": factor,
        },
        "chat": {
            "activeUsers": 0,
            "interactions": 0,
            "usefulChatInteractions": 0,
            "lines": 0,
            "charsCompleted": 0,
            "chatConsumptionRate": 0,
        },
    }
    named = {"organizationId": us.organization, **about, "from": start, "to": end}
    return {**named, "usage": {"granularity": "daily", "data": [block]}}


NEXT_YEAR_MS = epoch_ms(datetime.now(UTC) + timedelta(days=366))
"""Accounts that begin then are in no figure of today."""
ORGANIZATION_NAMES = {ACME: "Acme Corp", OTHER: "Other Corp"}
MANAGERS = who(200, 200, 403, 403, other=200)
ADMINS = who(200, 403, 403, 403, other=200)

USAGE = "?organizationId={organization}&from=2026-02-01&to=2026-02-02&granularity=daily"
MONTH = datetime.now(UTC)
REPORT = "type=account-user&from=2026-02-01%2000:00:00&to=2026-02-02%2000:00:00"

DAYS = "?start_date=2026-02-01&end_date=2026-02-02"

KIND = {
    "organization": "organization",
    **dict.fromkeys(("core", "edge"), "team"),
    **dict.fromkeys(("member", "lead", "nobody"), "user"),
}

ROUTES = [
    Route(
        "GET",
        "/insights/api/v3/public/usage-report/summary",
        "",
        ADMINS,
        query=f"?{REPORT}",
    ),
    Route(
        "GET",
        "/insights/api/v3/public/usage-report/drilldown",
        "",
        ADMINS,
        query=f"?{REPORT}&product=automation",
    ),
    Route(
        "GET",
        "/api/v1/organization",
        "",
        MANAGERS,
        answer=lambda us: {
            "id": us.organization,
            "name": ORGANIZATION_NAMES[us.organization],
            "publicKey": "",
            "samlEnabled": False,
            "smtpConfigured": False,
            "usernamePasswordEnabled": True,
            "domains": [],
            "planType": "standard",
        },
    ),
    Route(
        "GET",
        "/api/v1/organization/teams",
        "",
        MANAGERS,
        answer=lambda us: page(team_row(us, "core", 2), team_row(us, "edge", 1)),
    ),
    Route(
        "GET",
        "/api/v1/organization/users",
        "",
        MANAGERS,
        query="?offset=0&limit=10&teamMember=true&active=true",
        answer=lambda us: page(
            user_row(us, "lead", "TeamLead"),
            user_row(us, "member", "Member", verified=True),
            user_row(us, "stranger", "Member"),
        ),
    ),
    Route(
        "GET",
        "/api/v1/license",
        "",
        MANAGERS,
        answer=lambda us: {
            "license": {
                "exp": 1_800_000_000,
                "iat": 1_700_000_000,
                "seats": 50,
                "seatsCap": 60,
                "audience": us.name,
                "features": [],
                "settings": {},
            }
        },
    ),
    Route(
        "GET",
        "/api/v1/instance/permissions",
        "",
        MANAGERS,
        query="?role=Manager",
        answer=lambda us: [{"username": us.username("manager"), "organizationId": us.organization}],
    ),
    Route(
        "GET",
        "/api/v1/team/{teamId}/users",
        "core",
        who(200, 200, 200, 403, other=404),
        query="?offset=0&limit=10",
        answer=lambda us: page(
            user_row(us, "lead", "TeamLead"), user_row(us, "member", "Member", verified=True)
        ),
    ),
    Route(
        "GET",
        "/api/v1/team/{teamId}/users",
        "edge",
        who(200, 200, 403, 403, other=404),
        query="?offset=0&limit=10",
        answer=lambda us: page(user_row(us, "stranger", "Member")),
    ),
    Route(
        "GET",
        "/api/v1/team/{teamId}/users",
        "nowhere",
        who(404, 404, 403, 403, other=404),
        query="?offset=0&limit=10",
    ),
    Route(
        "GET",
        "/api/v1/team/{teamId}",
        "core",
        who(200, 200, 200, 200, other=404),
        answer=lambda us: {"id": us.id("core"), "name": "Core"},
    ),
    Route(
        "GET",
        "/api/v1/team/{teamId}",
        "edge",
        who(200, 200, 403, 403, other=404),
        answer=lambda us: {"id": us.id("edge"), "name": "Edge"},
    ),
    Route("GET", "/api/v1/team/{teamId}", "nowhere", who(404, 404, 403, 403, other=404)),
    Route(
        "GET",
        "/api/v1/user/{user_id}",
        "member",
        who(200, 200, 200, 200, other=404),
        answer=lambda us: user_info(us, "member", "Member", "core"),
    ),
    Route(
        "GET",
        "/api/v1/user/{user_id}",
        "lead",
        who(200, 200, 200, 403, other=404),
        answer=lambda us: user_info(us, "lead", "TeamLead", "core"),
    ),
    Route(
        "GET",
        "/api/v1/user/{user_id}",
        "stranger",
        who(200, 200, 403, 403, other=404),
        answer=lambda us: user_info(us, "stranger", "Member", "edge"),
    ),
    Route("GET", "/api/v1/user/{user_id}", "nobody", who(404, 404, 403, 403, other=404)),
    Route(
        "GET",
        "/api/v1/organization/account-utilizations",
        "",
        MANAGERS,
        query=f"?startDate={MONTH:%Y-%m}",
        answer=lambda _: [
            {
                "year": MONTH.year,
                "month": MONTH.month - 1,
                "registered": 5,
                "deactivated": 1,
                "active": 0,
                "pending": 1,
            }
        ],
    ),
    Route(
        "GET",
        "/api/v1/organization/usage",
        "",
        who(200, 200, 403, 403, other=401),
        query=USAGE,
        answer=lambda us: usage(us, 3),
    ),
    Route(
        "GET",
        "/api/v1/team/account-utilizations",
        "core",
        who(200, 200, 200, 403, other=404),
        query="?teamId={teamId}",
        answer=lambda _: {"registered": 2, "deactivated": 0, "invited": 0},
    ),
    Route(
        "GET",
        "/api/v1/team/account-utilizations",
        "edge",
        who(200, 200, 403, 403, other=404),
        query="?teamId={teamId}",
        answer=lambda _: {"registered": 1, "deactivated": 0, "invited": 0},
    ),
    Route(
        "GET",
        "/api/v1/team/account-utilizations",
        "nowhere",
        who(404, 404, 403, 403, other=404),
        query="?teamId={teamId}",
    ),
    Route(
        "GET",
        "/api/v1/team/usage",
        "core",
        who(200, 200, 200, 403, other=401),
        query=f"{USAGE}&teamId={{teamId}}",
        answer=lambda us: usage(us, 2, teamId=us.id("core")),
    ),
    Route(
        "GET",
        "/api/v1/team/usage",
        "edge",
        who(200, 200, 403, 403, other=401),
        query=f"{USAGE}&teamId={{teamId}}",
        answer=lambda us: usage(us, 1, teamId=us.id("edge")),
    ),
    Route(
        "GET",
        "/api/v1/team/usage",
        "nowhere",
        who(404, 404, 403, 403, other=401),
        query=f"{USAGE}&teamId={{teamId}}",
    ),
    Route(
        "GET",
        "/api/v1/user/usage",
        "member",
        who(200, 200, 200, 200, other=401),
        query=f"{USAGE}&userId={{user_id}}",
        answer=lambda us: usage(us, 1, userId=us.id("member")),
    ),
    Route(
        "GET",
        "/api/v1/user/usage",
        "lead",
        who(200, 200, 200, 403, other=401),
        query=f"{USAGE}&userId={{user_id}}",
        answer=lambda us: usage(us, 1, userId=us.id("lead")),
    ),
    Route(
        "GET",
        "/api/v1/user/usage",
        "stranger",
        who(200, 200, 403, 403, other=401),
        query=f"{USAGE}&userId={{user_id}}",
        answer=lambda us: usage(us, 1, userId=us.id("stranger")),
    ),
    Route(
        "GET",
        "/api/v1/user/usage",
        "nobody",
        who(404, 404, 403, 403, other=401),
        query=f"{USAGE}&userId={{user_id}}",
    ),
    *(
        Route(
            "GET",
            f"/v2/clients/{{client_id}}{path}",
            "",
            who(200, 200, 403, 403, other=403),
            query=query,
        )
        for path, query in (
            ("/analytics/apps/utilization", DAYS),
            ("/analytics/apps/{app_id}/utilization", f"{DAYS}&granularity=daily"),
            ("/analytics/apps/{app_id}/utilization/users", f"{DAYS}&granularity=daily"),
            ("/analytics/apps/{app_id}/activity", f"{DAYS}&granularity=daily&metric=user-count"),
            ("/users", ""),
        )
    ),
    *(
        Route(
            "GET",
            f"/v2/clients/{{client_id}}/users/{{user_id}}{path}",
            about,
            statuses,
            query=query,
        )
        for path, query in (("", ""), ("/usage", DAYS))
        for about, statuses in (
            ("member", who(200, 200, 200, 200, other=403)),
            ("lead", who(200, 200, 200, 403, other=403)),
            ("stranger", who(200, 200, 403, 403, other=403)),
            ("nobody", who(404, 404, 403, 403, other=403)),
        )
    ),
    Route(
        "POST",
        "/v1/events",
        "",
        who(202, 202, 202, 202, other=202) | {"events only": 202},
        body=lambda us: event(us.id("member")),
        answer=lambda _: {"accepted": 1, "duplicate": 0, "rejected": 0, "errors": []},
    ),
    Route(
        "GET",
        "/v1/explain",
        "",
        who(200, 200, 403, 403, other=200),
        query="?product=automation&measure=tests&from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z",
    ),
    Route("GET", "/v1/me", "", who(200, 200, 200, 200, other=200) | EMBEDDED),
    Route("GET", "/v1/seats", "", who(200, 200, 403, 403, other=200) | EMBEDDED),
    Route(
        "GET",
        "/v1/seats",
        "core",
        who(200, 200, 200, 403, other=404) | EMBEDDED,
        query="?team={teamId}",
    ),
    *(
        Route("GET", "/v1/usage", about, statuses, query=f"?kind=app&period=today{query}")
        for about, query, statuses in (
            ("", "", who(200, 200, 403, 403, other=200) | EMBEDDED),
            ("core", "&team={teamId}", who(200, 200, 200, 403, other=404) | EMBEDDED),
            ("edge", "&team={teamId}", who(200, 200, 403, 403, other=404) | EMBEDDED),
            ("member", "&user={user_id}", who(200, 200, 200, 200, other=404) | EMBEDDED),
            ("lead", "&user={user_id}", who(200, 200, 200, 403, other=404) | EMBEDDED),
            ("stranger", "&user={user_id}", who(200, 200, 403, 403, other=404) | EMBEDDED),
            (
                "nobody",
                "&user={user_id}",
                who(404, 404, 403, 403, other=404) | {"embed token": 404},
            ),
        )
    ),
    Route("GET", "/v1/coverage", "", who(200, 200, 403, 403, other=200)),
    Route(
        "PUT",
        "/v1/directory",
        "",
        ADMINS,
        body=lambda _: {"teams": [{"name": "Core"}, {"name": "Edge"}]},
        answer=lambda us: {
            "results": [
                {"index": 0, "kind": "team", "id": us.id("core"), "status": "unchanged"},
                {"index": 1, "kind": "team", "id": us.id("edge"), "status": "unchanged"},
            ]
        },
    ),
    Route("GET", "/v1/directory/export", "", ADMINS),
    Route("DELETE", "/v1/users/{user_id}", "somebody", who(204, 403, 403, 403, other=404)),
    Route("DELETE", "/v1/users/{user_id}", "nobody", who(404, 403, 403, 403, other=404)),
    Route("GET", "/v1/audit", "", who(200, 403, 403, 403, other=200)),
    Route("GET", "/v1/keys", "", who(200, 200, 200, 200, other=200)),
    Route(
        "POST",
        "/v1/keys",
        "for member",
        who(201, 403, 403, 201, other=400),
        body=lambda us: {"name": "new", "user": us.id("member"), "scopes": ["usage:read"]},
    ),
    Route(
        "POST",
        "/v1/keys",
        "for nobody",
        who(400, 403, 403, 403, other=400),
        body=lambda us: {"name": "new", "user": us.id("nobody"), "scopes": ["usage:read"]},
    ),
    *(
        Route(
            "POST",
            "/v1/embed-tokens",
            f"for {about}",
            statuses,
            body=lambda us, about=about: {  # type: ignore[misc]
                "for": {KIND[about]: about == "organization" or us.id(about)},
                "expires_in": 60,
                "origins": [ORIGIN],
            },
        )
        for about, statuses in (
            ("organization", who(201, 201, 403, 403, other=201)),
            ("core", who(201, 201, 201, 403, other=400)),
            ("edge", who(201, 201, 403, 403, other=400)),
            ("member", who(201, 201, 201, 201, other=400)),
            ("lead", who(201, 201, 201, 403, other=400)),
            ("nobody", who(400, 400, 403, 403, other=400)),
        )
    ),
    Route("DELETE", "/v1/keys/{key_id}", "member's", who(204, 403, 403, 204, other=404)),
    Route("DELETE", "/v1/keys/{key_id}", "admin's", who(204, 403, 403, 403, other=404)),
    Route("POST", "/v1/keys/{key_id}/rotate", "member's", who(200, 403, 403, 200, other=404)),
    Route("POST", "/v1/keys/{key_id}/rotate", "admin's", who(200, 403, 403, 403, other=404)),
]

USAGE_METRICS_ERRORS = {
    401: ("UNAUTHORIZED", "Unauthorized – Invalid token."),
    403: ("FORBIDDEN", "Forbidden – User lacks permission."),
    404: ("NOT_FOUND", "Not Found – Resource not found."),
}
USAGE_REPORT_ERRORS = {
    401: "Invalid or missing Basic Auth credentials",
    403: "admin access required",
}
APP_UTILIZATION_ERRORS = {
    401: ("unauthorized", "Authentication required"),
    403: ("forbidden", "Insufficient permissions for this client"),
    404: ("not_found", "User or client not found"),
}
ENVELOPE_ERRORS = {
    401: ("unauthorized", "Authentication required"),
    403: ("forbidden", "Insufficient permissions"),
    404: ("not_found", "Not found"),
}


def error_body(route: Route, status: int, us: People, credential: str) -> dict[str, Any]:
    """The published error of the route's family."""
    sent = route.body(us)
    if status == 400 and "for" in sent:
        ((kind, named),) = sent["for"].items()
        message = f"for.{kind}: expected the id of a {kind}"
        details = {f"for.{kind}": named}
        return {"error": {"code": "invalid_parameter", "message": message, "details": details}}
    if status == 400:
        message, details = (
            "user: expected the id, username or user_key of a user",
            {"user": sent["user"]},
        )
        return {"error": {"code": "invalid_parameter", "message": message, "details": details}}
    if route.path.startswith("/api/v1/"):
        word, message = USAGE_METRICS_ERRORS[status]
        if status == 401 and credential == "other org":
            message = "Unauthorized – Invalid organization."
        return {
            "error": word,
            "message": message,
            "status": status,
            "requestId": "request-1",
            "details": {"errors": []},
        }
    if route.path.startswith("/insights/"):
        return {"status": "error", "message": USAGE_REPORT_ERRORS[status]}
    errors = APP_UTILIZATION_ERRORS if route.path.startswith("/v2/") else ENVELOPE_ERRORS
    code, message = errors[status]
    if status == 404 and "={" in route.query:
        named = route.query.rpartition("={")[0].rpartition("&")[2].removeprefix("?")
        details = {named: us.id(route.about)}
        return {"error": {"code": code, "message": f"{named}: not found", "details": details}}
    return {"error": {"code": code, "message": message, "details": {}}}


READS_FIRST = sorted(ROUTES, key=lambda route: (route.method != "GET", route.path != "/v1/keys"))
"""Lists are asked for before somebody is made for each request that writes, keys before all."""


@pytest.fixture(scope="module")
def casts() -> Iterator[tuple[People, People]]:
    """One deployment for all cells: no cell changes what another sees."""
    with stack_on_moto() as stack:
        us, them = people_of(stack, ACME), people_of(stack, OTHER)
        for people in (us, them):
            stack.apply(people.organization, "product", {"id": APP, "name": "Mail", "kind": "app"})
        use_something(us)
        use_something(them)
        yield us, them


def ask(route: Route, credential: str, us: People, them: People) -> Reply:
    headers = CREDENTIALS[credential](them if credential == "other org" else us)
    return us.stack.call(route.method, route.url(us), headers=headers, body=route.body(us))


@pytest.mark.parametrize("ours", [ACME, OTHER], ids=["acme", "other"])
@pytest.mark.parametrize("route", READS_FIRST, ids=lambda route: route.name)
def test_everybody_gets_exactly_their_answer(
    casts: tuple[People, People], route: Route, ours: str
) -> None:
    us, them = casts if ours == ACME else casts[::-1]
    replies = {name: ask(route, name, us, them) for name in CREDENTIALS}
    assert {name: reply.status for name, reply in replies.items()} == route.statuses
    for name, reply in replies.items():
        if reply.status >= 400:
            assert reply.json == error_body(route, reply.status, us, name)
        elif route.answer:
            assert reply.json == route.answer(them if name == "other org" else us)
        told = reply.text.replace(us.id(route.about), "")  # what was sent is echoed
        assert name != "other org" or us.name not in told or reply.status == 400
        assert ("WWW-Authenticate" in reply.headers) == (reply.status == 401)
        assert reply.headers["X-Request-Id"] == "request-1"


def test_the_matrix_is_published_as_it_was_found() -> None:
    rows = [[route.name, *(str(route.statuses[name]) for name in CREDENTIALS)] for route in ROUTES]
    lines = [["route (about)", *CREDENTIALS], ["---"] * (1 + len(CREDENTIALS)), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    compare(ROOT / "docs" / "matrix.md", f"{INTRODUCTION}\n{table}\n")


def test_every_route_is_in_the_matrix() -> None:
    asked = {(route.method, route.path) for route in ROUTES}
    assert asked == {(each.method, each.path) for each in endpoints().values() if each.may}


INTRODUCTION = """# Who gets which status

Written by `tests/integration/test_matrix.py`, which asks every route with every kind of credential
in two organizations that hold the same people, and compares every answer whole.
`core` is the team of TeamLead and Member, `edge` and `stranger` are not theirs, `nowhere` and
`nobody` do not exist; `somebody` is made anew for each request.
*events only* is an Admin's key with the scope `usage:write` alone. *other org* is an Admin of the
other organization: a route without an id answers with what is theirs, an id from here is unknown,
and a query that names this organization is as good as no credential.
*wrong name* is Basic with another user's username. *embed token* is one of the organization; routes
that tokens do not open do not know them.
"""
