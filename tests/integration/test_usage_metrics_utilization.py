"""Utilization, as its clients see it: accounts and active users of every month and of a team."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from odometer.domain.time import epoch_ms
from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, stack_on_moto
from tests.support.usage_sender import UsageSender, used

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
PATH = "/api/v1/organization/account-utilizations"


def ms(month: int, day: int, hour: int = 0) -> int:
    return epoch_ms(datetime(2026, month, day, hour, tzinfo=UTC))


@pytest.fixture(scope="module")
def us() -> Iterator[People]:
    """Everyone of the cast came on 28 February at noon; more come, leave and use from December on.

    Settled are January and February, the rest is not.
    """
    with stack_on_moto() as stack:
        stack.now = NOW
        us, them = people_of(stack, ACME), people_of(stack, OTHER)
        born(us, datetime(2026, 2, 1, tzinfo=UTC))
        for name, states in {
            "early": [("registered", ms(1, 15))],
            "leaver": [("registered", ms(1, 31, 23)), ("deactivated", ms(3, 1))],
            "guest": [("invited", ms(2, 10)), ("registered", ms(4, 1))],
        }.items():
            for state, since in states:
                row = {"id": name, "username": name, "team": us.id("core")}
                stack.apply(ACME, "user", {**row, "state": state, "state_since": since})
        usage_sender = UsageSender(ACME)
        january, february = (datetime(2026, month, 20, tzinfo=UTC) for month in (1, 2))
        usage_sender.send([used("early", "smartui", january, 1)], february)
        usage_sender.send([used("leaver", "automation", february, 1, 1)], february)
        usage_sender.settle(february)
        march = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
        usage_sender.send([used("leaver", "chat", march, 1), used("early", "chat", march, 1)], NOW)
        usage_sender.send([used("guest", "chat", march, 1), used("early", "chat", january, 1)], NOW)
        UsageSender(OTHER).send([used(them.id("admin"), "chat", january, 1)], NOW)
        yield us


def born(us: People, at: datetime) -> None:
    """Let an organization have been made at an instant."""
    made = {"created_at": epoch_ms(at)}
    us.stack.directories.change(us.organization, NOW, lambda edit: edit.organization.update(made))


def ask(us: People, query: str = "", who: str = "admin", **headers: str) -> Reply:
    return us.stack.get(f"{PATH}{query}", us.key(who), **headers)


def month(number: int, **counts: int) -> dict[str, int]:
    counts = {"registered": 0, "deactivated": 0, "active": 0, "pending": 0} | counts
    return {"year": 2026, "month": number, **counts}


HISTORY = [
    month(0, registered=2, active=1),
    month(1, registered=7, deactivated=1, active=1, pending=2),
    month(2, registered=6, deactivated=2, active=1, pending=2),
    month(3, registered=7, deactivated=2, active=0, pending=1),
]


def test_months_are_told_from_the_beginning_of_the_organization_up_to_now(us: People) -> None:
    assert ask(us).json == HISTORY


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-03", HISTORY[2:]),
        ("2026-04", HISTORY[3:]),
        ("2026-05", []),
        ("2999-12", []),
        ("2025-01", HISTORY),
        ("1970-01", HISTORY),
    ],
)
def test_a_start_is_clipped_to_the_beginning_and_the_future_is_empty(
    us: People, start: str, expected: list[Any]
) -> None:
    reply = ask(us, f"?startDate={start}")
    assert (reply.status, reply.json) == (200, expected)
    assert ("X-Query-Range" in reply.headers) == bool(expected)


@pytest.mark.parametrize("start", ["0000-01", "0001-01", "1969-12", "3000-01", "9999-12"])
def test_a_start_outside_the_bound_of_years_is_refused_with_the_bound(
    us: People, start: str
) -> None:
    reply = ask(us, f"?startDate={start}")
    assert (reply.status, reply.json["details"]) == (
        400,
        {"errors": ["startDate: expected YYYY-MM of the years 1970 to 2999"]},
    )


@pytest.mark.parametrize(
    "start",
    ["2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "", "x", "2026-0\u0661"],
)
def test_a_start_is_a_month(us: People, start: str) -> None:
    reply = ask(us, f"?startDate={start}")
    assert (reply.status, reply.json["details"]) == (
        400,
        {"errors": ["startDate: expected YYYY-MM"]},
    )


def test_settling_changes_no_month(us: People) -> None:
    UsageSender(ACME).settle(NOW)
    assert ask(us).json == HISTORY


def test_the_last_twelve_months_are_told_by_default(us: People) -> None:
    theirs = People(us.stack, OTHER)
    born(theirs, datetime(2020, 1, 1, tzinfo=UTC))
    found = ask(theirs).json
    assert [(each["year"], each["month"]) for each in found] == [
        *((2025, number) for number in range(4, 12)),
        *((2026, number) for number in range(4)),
    ]
    assert ask(theirs, "?startDate=2019-06").json[0] == {**month(0), "year": 2020}


def test_no_more_than_ten_years_are_told(us: People) -> None:
    theirs = People(us.stack, OTHER)
    born(theirs, datetime(1970, 1, 1, tzinfo=UTC))
    found = ask(theirs, "?startDate=1999-01").json
    assert (len(found), found[0]["year"], found[0]["month"]) == (120, 2016, 4)


def test_every_month_is_a_line(us: People) -> None:
    lines = ask(us, accept="application/x-ndjson")
    assert [json.loads(line) for line in lines.text.splitlines()] == HISTORY
    table = list(csv.DictReader(io.StringIO(ask(us, accept="text/csv").text)))
    assert table == [{name: str(value) for name, value in row.items()} for row in HISTORY]
    empty = ask(us, "?startDate=2027-01", accept="text/csv")
    assert empty.text == "year,month,registered,deactivated,active,pending\r\n"


def test_the_report_says_of_what_and_of_when_it_speaks(us: People) -> None:
    reply = ask(us, "?startDate=2026-02")
    assert {name: reply.headers[name] for name in ("X-Query-Range", "X-Data-Through")} == {
        "X-Query-Range": "2026-02-01T00:00:00Z/2026-04-15T12:00:00Z",
        "X-Data-Through": "2026-04-15T11:58:00Z",
    }
    assert float(reply.headers["X-Read-Units"]) > 0


def test_a_team_is_counted_as_it_stands_now(us: People) -> None:
    reply = us.stack.get(
        f"/api/v1/team/account-utilizations?teamId={us.id('core')}", us.key("lead")
    )
    assert reply.json == {"registered": 4, "deactivated": 1, "invited": 0}
    assert float(reply.headers["X-Read-Units"]) > 0
    lines = us.stack.get(
        f"/api/v1/team/account-utilizations?teamId={us.id('core')}",
        us.key("lead"),
        accept="text/csv",
    )
    assert lines.text == "registered,deactivated,invited\r\n4,1,0\r\n"


def test_a_team_is_named(us: People) -> None:
    reply = us.stack.get("/api/v1/team/account-utilizations", us.key("lead"))
    assert (reply.status, reply.json["details"]) == (400, {"errors": ["teamId: required"]})
