"""Usage over time, as its clients see it: words, edges, counts, factors, forms and refusals."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from odometer.access.policy import Scope
from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, stack_on_moto
from tests.support.usage_sender import UsageSender, used

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
COMPLETION, CHAT = "code-completions", "chat"
NO_COMPLETIONS = {
    "activeUsers": 0,
    "completions": 0,
    "charsCompleted": 0,
    "keystrokes": 0,
    "lines": 0,
    "automationFactor": 0,
}
NO_CHAT = {
    "activeUsers": 0,
    "interactions": 0,
    "usefulChatInteractions": 0,
    "lines": 0,
    "charsCompleted": 0,
    "chatConsumptionRate": 0,
}


def at(day: int, clock: str = "10:00:00", month: int = 2) -> datetime:
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{clock}Z")


def ask(us: People, path: str = "organization", who: str = "admin", **changes: str | None) -> Reply:
    """Ask for February, by default; a parameter that is None is left out."""
    query: dict[str, str | None] = {
        "organizationId": us.organization,
        "from": "2026-02-01",
        "to": "2026-03-01",
        "granularity": "all",
        **changes,
    }
    sent = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
    return us.stack.get(f"/api/v1/{path}/usage?{sent}", us.key(who))


def blocks(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply
    found: list[dict[str, Any]] = reply.json["usage"]["data"]
    return found


@pytest.fixture(scope="module")
def us() -> Iterator[People]:
    """Three users in February; a neighbour whose users have the same names and use much more."""
    with stack_on_moto() as stack:
        stack.now = NOW
        us, them = people_of(stack, ACME), people_of(stack, OTHER)
        stack.apply(ACME, "product", {"id": "pair", "name": "Pair", "kind": "chat"})
        lead, member, stranger = (us.id(who) for who in ("lead", "member", "stranger"))
        UsageSender(ACME).send(
            [
                used(member, COMPLETION, at(2, "00:00:00"), 3, 30, 70, 2),
                used(member, COMPLETION, at(3), 1, 10, 10, 1),
                used(member, CHAT, at(3), 4, 1, 5, 20),
                used(lead, CHAT, at(4), 2, 2, 0, 0),
                used(lead, "pair", at(4), 1, 0, 1, 60),
                used(stranger, COMPLETION, at(28, "23:59:59"), 1, 1, 0, 1),
                used(stranger, "automation", at(10), 9, 9),
            ],
            NOW,
        )
        UsageSender(OTHER).send(
            [
                *(used(them.id("member"), COMPLETION, at(day), *[900] * 4) for day in (2, 3, 9)),
                used(them.id("member"), COMPLETION, at(20), 1, 1034, 566, 1),
                used(them.id("member"), CHAT, at(20), 1600, 1034),
            ],
            NOW,
        )
        yield us


def faults(reply: Reply) -> list[str]:
    assert reply.status == 400, reply
    found: list[str] = reply.json["details"]["errors"]
    return found


def edges(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where blocks begin, and where the last one ends."""
    assert [each["to"] for each in found[:-1]] == [each["from"] for each in found[1:]]
    return [*(each["from"] for each in found), found[-1]["to"]]


ALL_OF_FEBRUARY = {
    "from": "2026-02-01T00:00:00Z",
    "to": "2026-03-01T00:00:00Z",
    "activeUsers": 3,
    "productivityFactor": 0.6020,
    "codeCompletions": {
        "activeUsers": 2,
        "completions": 5,
        "charsCompleted": 41,
        "keystrokes": 80,
        "lines": 4,
        "automationFactor": 0.3388,
    },
    "chat": {
        "activeUsers": 2,
        "interactions": 7,
        "usefulChatInteractions": 3,
        "lines": 6,
        "charsCompleted": 80,
        "chatConsumptionRate": 0.4286,
    },
}


def test_the_usage_of_the_organization_is_of_all_its_completion_and_chat_products(
    us: People,
) -> None:
    assert ask(us).json == {
        "organizationId": ACME,
        "from": "2026-02-01T00:00:00Z",
        "to": "2026-03-01T00:00:00Z",
        "usage": {"granularity": "all", "data": [ALL_OF_FEBRUARY]},
    }


def test_the_usage_of_a_team_is_of_the_users_who_are_in_it_now(us: People) -> None:
    reply = ask(us, "team", teamId=us.id("edge"))
    assert reply.json == {
        "organizationId": ACME,
        "teamId": us.id("edge"),
        "from": "2026-02-01T00:00:00Z",
        "to": "2026-03-01T00:00:00Z",
        "usage": {
            "granularity": "all",
            "data": [
                {
                    "from": "2026-02-01T00:00:00Z",
                    "to": "2026-03-01T00:00:00Z",
                    "activeUsers": 1,
                    "productivityFactor": 1.0,
                    "codeCompletions": {
                        "activeUsers": 1,
                        "completions": 1,
                        "charsCompleted": 1,
                        "keystrokes": 0,
                        "lines": 1,
                        "automationFactor": 1.0,
                    },
                    "chat": NO_CHAT,
                }
            ],
        },
    }


def test_a_user_who_changes_teams_takes_all_their_usage_along(us: People) -> None:
    def figures(team: str) -> tuple[int, int]:
        (block,) = blocks(ask(us, "team", teamId=us.id(team)))
        return block["activeUsers"], block["codeCompletions"]["completions"]

    assert (figures("core"), figures("edge")) == ((2, 4), (1, 1))
    moved = {"id": us.id("member"), "username": us.username("member")}
    us.stack.apply(ACME, "user", {**moved, "team": us.id("edge"), "state": "deactivated"})
    try:
        assert (figures("core"), figures("edge")) == ((1, 0), (2, 5))
    finally:
        us.stack.apply(ACME, "user", {**moved, "team": us.id("core"), "state": "registered"})


def test_the_usage_of_a_user_is_theirs_alone(us: People) -> None:
    reply = ask(us, "user", userId=us.id("lead"))
    assert {name: reply.json[name] for name in ("organizationId", "userId")} == {
        "organizationId": ACME,
        "userId": us.id("lead"),
    }
    assert blocks(reply) == [
        {
            "from": "2026-02-01T00:00:00Z",
            "to": "2026-03-01T00:00:00Z",
            "activeUsers": 1,
            "productivityFactor": 1.0,
            "codeCompletions": NO_COMPLETIONS,
            "chat": {
                "activeUsers": 1,
                "interactions": 3,
                "usefulChatInteractions": 2,
                "lines": 1,
                "charsCompleted": 60,
                "chatConsumptionRate": 0.6667,
            },
        }
    ]


def test_the_active_users_of_a_month_are_not_the_sum_of_those_of_its_days(us: People) -> None:
    days = blocks(ask(us, granularity="daily"))
    (month,) = blocks(ask(us, granularity="monthly"))
    assert sum(day["activeUsers"] for day in days) == 4
    assert month["activeUsers"] == 3
    assert month["codeCompletions"]["activeUsers"] + month["chat"]["activeUsers"] == 4


def test_factors_have_four_decimals_half_away_from_zero(us: People) -> None:
    them = People(us.stack, OTHER)
    (block,) = blocks(ask(them, **{"from": "2026-02-20", "to": "2026-02-21"}))
    assert block["productivityFactor"] == 0.6463
    assert block["codeCompletions"]["automationFactor"] == 0.6463
    assert block["chat"]["chatConsumptionRate"] == 0.6463


def test_factors_of_nothing_are_zero(us: People) -> None:
    (block,) = blocks(ask(us, **{"from": "2026-02-05", "to": "2026-02-06"}))
    assert block == {
        "from": "2026-02-05T00:00:00Z",
        "to": "2026-02-06T00:00:00Z",
        "activeUsers": 0,
        "productivityFactor": 0,
        "codeCompletions": NO_COMPLETIONS,
        "chat": NO_CHAT,
    }


@pytest.mark.parametrize(
    ("sent", "echoed", "count"),
    [
        ("all", "all", 1),
        ("daily", "daily", 28),
        ("day", "daily", 28),
        ("weekly", "weekly", 5),
        ("week", "weekly", 5),
        ("monthly", "monthly", 1),
        ("month", "monthly", 1),
    ],
)
def test_a_granularity_is_echoed_by_its_canonical_name(
    us: People, sent: str, echoed: str, count: int
) -> None:
    reply = ask(us, granularity=sent)
    assert (reply.json["usage"]["granularity"], len(blocks(reply))) == (echoed, count)


def test_weeks_begin_on_monday_and_only_the_outer_ones_are_clipped(us: People) -> None:
    reply = ask(us, granularity="weekly", to="2026-02-17T12:30:00Z", **{"from": "2026-02-01"})
    assert edges(blocks(reply)) == [
        "2026-02-01T00:00:00Z",
        "2026-02-02T00:00:00Z",
        "2026-02-09T00:00:00Z",
        "2026-02-16T00:00:00Z",
        "2026-02-17T12:30:00Z",
    ]


def test_months_cross_a_new_year(us: People) -> None:
    sent = {"from": "2025-12-15T00:00:00Z", "to": "2026-02-15T00:00:00Z"}
    assert edges(blocks(ask(us, granularity="monthly", **sent))) == [
        "2025-12-15T00:00:00Z",
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
        "2026-02-15T00:00:00Z",
    ]


def test_a_leap_year_of_days_is_the_longest_range(us: People) -> None:
    sent = {"from": "2024-01-01", "to": "2025-01-01"}
    assert len(blocks(ask(us, granularity="daily", **sent))) == 366
    assert faults(ask(us, **{"from": "2024-01-01", "to": "2025-01-01T00:00:00.001Z"})) == [
        "to: expected at most 366 days after from"
    ]


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("2026-02-02", "2026-02-02T00:00:00Z"),
        ("2026-02-02T05:06", "2026-02-02T05:06:00Z"),
        ("2026-02-02T05:06:07", "2026-02-02T05:06:07Z"),
        ("2026-02-02t05:06:07z", "2026-02-02T05:06:07Z"),
        ("2026-02-02T05:30:00 05:30", "2026-02-02T00:00:00Z"),
        ("2026-02-02T05:30:00%2B05:30", "2026-02-02T00:00:00Z"),
        ("2026-02-02T05:30:00+0530", "2026-02-02T00:00:00Z"),
        ("2026-02-01T21:00:00-03", "2026-02-02T00:00:00Z"),
        ("2026-02-02T00:00:00.000Z", "2026-02-02T00:00:00Z"),
        ("2026-02-02T00:00:00.5Z", "2026-02-02T00:00:00.500Z"),
        ("2026-02-02T00:00:00,123456789Z", "2026-02-02T00:00:00.123Z"),
    ],
)
def test_an_iso_8601_instant_is_echoed_in_utc(us: People, sent: str, echoed: str) -> None:
    reply = ask(us, granularity="daily", **{"from": sent.replace(" ", "%20")})
    assert (reply.json["from"], blocks(reply)[0]["from"]) == (echoed, echoed)
    reply = ask(us, granularity="daily", to=sent.replace(" ", "%20"))
    assert (reply.json["to"], blocks(reply)[-1]["to"]) == (echoed, echoed)


@pytest.mark.parametrize(
    "sent",
    [
        "20260202",
        "1770000000",
        "1",
        "",
        "now",
        "2026-02-30",
        "2026-2-2",
        "2026-02",
        "2026-W06-1",
        "2026-02-02 00:00:00",
        "2026-02-02T24:00:00Z",
        "2026-02-02T00:00:60Z",
        "2026-02-02T00:00:00+24:00",
        "2026-02-02T00:00.5Z",
        "2026-02-02T00:00:00.Z",
        "2026-02-02T00:00:00.1234567890Z",
        "2026-02-02T00:00:00ZZ",
        "2026-02-02Z",
        " 2026-02-02",
        "٢٠٢٦-02-02",
        "2026-02-02T00:00:00\u221203:00",
        "2026-02-02\x00",
    ],
)
def test_anything_else_is_no_instant(us: People, sent: str) -> None:
    assert faults(ask(us, to=None, granularity=None, **{"from": quote(sent)})) == [
        "from: expected an ISO 8601 date or date-time",
        "to: required",
        "granularity: required",
    ]


@pytest.mark.parametrize(
    "sent",
    ["0000-01-01", "0001-01-01", "1969-12-31T23:59:59Z", "1970-01-01T00:00+05:30", "3000-01-01"],
)
def test_an_instant_outside_the_bound_of_years_is_refused_with_the_bound(
    us: People, sent: str
) -> None:
    reply = ask(us, **dict.fromkeys(("from", "to"), quote(sent)))
    words = "expected an ISO 8601 date or date-time of the years 1970 to 2999"
    assert faults(reply) == [f"from: {words}", f"to: {words}"]


@pytest.mark.parametrize(
    ("start", "end", "completions"),
    [
        ("2026-02-01T23:59:59Z", "2026-02-02T00:00:00Z", 0),
        ("2026-02-02T00:00:00Z", "2026-02-02T00:00:01Z", 3),
        ("2026-02-01T23:59:59.5Z", "2026-02-02T00:00:00.001Z", 3),
        ("2026-02-01T23:59:59.5Z", "2026-02-02T00:00:00.000000001Z", 3),
        ("2026-02-02T00:00:00.000Z", "2026-02-02T00:00:00.500Z", 3),
        ("2026-02-02T00:00:00.001Z", "2026-02-02T00:00:00.500Z", 0),
        ("2026-02-02T00:00:00.000000001Z", "2026-02-02T00:00:00.500Z", 0),
        ("2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", 1),
    ],
)
def test_the_beginning_is_included_and_the_end_is_not_to_the_fraction_of_a_second(
    us: People, start: str, end: str, completions: int
) -> None:
    (block,) = blocks(ask(us, **{"from": start, "to": end}))
    assert block["codeCompletions"]["completions"] == completions


@pytest.mark.parametrize("end", ["2026-02-01T00:00:00Z", "2026-01-31", "2026-02-01T01:00:00+01:00"])
def test_the_end_comes_after_the_beginning(us: People, end: str) -> None:
    assert faults(ask(us, to=end)) == ["to: expected an instant after from"]


def test_all_faults_are_listed_in_the_order_of_the_parameters(us: People) -> None:
    reply = us.stack.get(
        "/api/v1/team/usage?granularity=hourly&to=2026-02-01&from=2026-02-02&from=2026-02-03",
        us.key("admin"),
    )
    assert (reply.status, reply.json) == (
        400,
        {
            "error": "BAD_REQUEST",
            "message": "Bad Request – Invalid or missing parameters.",
            "status": 400,
            "requestId": "request-1",
            "details": {
                "errors": [
                    "organizationId: required",
                    "teamId: required",
                    "from: sent more than once",
                    "granularity: expected one of all, daily, weekly, monthly",
                ]
            },
        },
    )


@pytest.mark.parametrize("path", ["organization", "team", "user"])
def test_the_own_organization_is_known_in_either_case(us: People, path: str) -> None:
    about = {"teamId": us.id("edge"), "userId": us.id("member")}
    reply = ask(us, path, "admin", organizationId=ACME.upper(), **about)
    assert (reply.status, reply.json) == (200, ask(us, path, "admin", **about).json)
    assert reply.json["organizationId"] == ACME


@pytest.mark.parametrize("named", [OTHER, OTHER.upper(), "nobody", "", f"{ACME}&organizationId=x"])
@pytest.mark.parametrize("path", ["organization", "team", "user"])
@pytest.mark.parametrize("who", ["admin", "member"])
def test_another_organization_is_refused_before_anything_else(
    us: People, path: str, who: str, named: str
) -> None:
    reply = ask(us, path, who, organizationId=named, to=None, granularity="hourly")
    assert (reply.status, reply.json) == (
        401,
        {
            "error": "UNAUTHORIZED",
            "message": "Unauthorized – Invalid organization.",
            "status": 401,
            "requestId": "request-1",
            "details": {"errors": []},
        },
    )


def test_the_organization_sent_twice_is_a_fault(us: People) -> None:
    assert faults(ask(us, organizationId=f"{ACME}&organizationId={ACME}")) == [
        "organizationId: sent more than once"
    ]


def test_faults_come_before_a_team_that_does_not_exist(us: People) -> None:
    assert faults(ask(us, "team", teamId="nowhere", granularity="hourly")) == [
        "granularity: expected one of all, daily, weekly, monthly"
    ]
    assert ask(us, "team", teamId="nowhere").status == 404


def test_a_stranger_learns_nothing_from_faults(us: People) -> None:
    for team in (us.id("edge"), "nowhere"):
        assert ask(us, "team", "lead", teamId=team, granularity="hourly").status == 403


def test_a_key_for_events_reads_nothing(us: People) -> None:
    key = us.key("admin", Scope.WRITE_USAGE)
    path = f"/api/v1/organization/usage?organizationId={ACME}"
    assert us.stack.get(path, key).status == 403


def test_a_table_has_the_columns_of_the_blocks(us: People) -> None:
    sent = f"organizationId={ACME}&from=2026-02-01&to=2026-03-01&granularity=weekly"
    url = f"/api/v1/organization/usage?{sent}"
    table = us.stack.get(url, us.key("admin"), accept="text/csv")
    lines = us.stack.get(url, us.key("admin"), accept="application/x-ndjson")
    rows = us.stack.get(url, us.key("admin")).json["usage"]["data"]
    assert [json.loads(line) for line in lines.text.splitlines()] == rows
    assert table.headers["Content-Type"] == "text/csv"
    assert list(csv.DictReader(io.StringIO(table.text))) == [flat(row) for row in rows]


def flat(row: Mapping[str, Any]) -> dict[str, str]:
    """A block as a line of a table."""
    cells: dict[str, str] = {}
    for name, value in row.items():
        nested = value.items() if isinstance(value, dict) else ()
        cells |= {f"{name}.{inner}": str(cell) for inner, cell in nested} or {name: str(value)}
    return cells


def test_a_report_says_of_what_and_of_when_it_speaks(us: People) -> None:
    reply = ask(us, **{"from": "2026-02-01T05:30:00%2B05:30"})
    assert {name: reply.headers[name] for name in ("X-Query-Range", "X-Data-Through")} == {
        "X-Query-Range": "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z",
        "X-Data-Through": "2026-03-02T11:58:00Z",
    }
    assert float(reply.headers["X-Read-Units"]) > 0


def test_a_report_that_has_not_changed_is_not_sent_again(us: People) -> None:
    tag = ask(us).headers["ETag"]
    url = f"/api/v1/organization/usage?organizationId={ACME}&from=2026-02-01&to=2026-03-01"
    reply = us.stack.get(f"{url}&granularity=all", us.key("admin"), **{"if-none-match": tag})
    assert (reply.status, reply.text) == (304, "")
