"""GET /v1/coverage: what has arrived of what, from where, on which days; and how far it is all."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from odometer.bootstrap import process
from odometer.domain.people import Role
from odometer.domain.time import format_seconds
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of
from tests.support.usage_sender import refused, run, send, usage_event

COVERAGE = "/v1/coverage"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def key(stack: Stack) -> str:
    return admin_of(stack, ACME)


def at(days_ago: int, clock: str = "12:00:00") -> str:
    return f"{TODAY - timedelta(days=days_ago)}T{clock}Z"


def day(days_ago: int) -> date:
    return TODAY - timedelta(days=days_ago)


def used(name: str, days_ago: int, source: str = "ci", **data: Any) -> dict[str, Any]:
    content = data or {"product": "automation", "tests": 1}
    return usage_event(name, time=at(days_ago), source=source, data=content)


def source(name: str, first: int, last: int, events: int) -> dict[str, Any]:
    return {
        "source": name,
        "first_event_at": at(first),
        "last_event_at": at(last),
        "events": events,
    }


def product(*sources: dict[str, Any], days_without: int, name: str = "automation") -> Any:
    firsts = [each["first_event_at"] for each in sources]
    lasts = [each["last_event_at"] for each in sources]
    return {
        "product": name,
        "kind": "test" if name == "automation" else "visual",
        "first_event_at": min(firsts, default=None),
        "last_event_at": max(lasts, default=None),
        "events": sum(each["events"] for each in sources),
        "days_without": days_without,
        "sources": list(sources),
        "other_sources": None,
    }


EVENTS = [
    used("1", 30),
    used("2", 30),
    used("3", 10),
    used("4", 9, source="ci"),
    used("5", 9, source="büro"),
    used("6", 3, source="büro"),
    used("7", 5, source="eyes", product="smartui", screenshots=3),
]
AUTOMATION = product(source("büro", 9, 3, 2), source("ci", 30, 9, 4), days_without=31 - 4)


@pytest.fixture
def sent(stack: Stack, key: str) -> str:
    """Usage of a month, the half of it settled, the rest on its way; a neighbour has some too."""
    send(stack, key, EVENTS[:4])
    run("fold")
    run("settle")
    send(stack, key, EVENTS[4:])
    send(stack, admin_of(stack, OTHER), [used("1", 300)])
    run("fold")
    return key


def ask(stack: Stack, key: str, query: str = "?product=automation") -> Any:
    reply = stack.get(COVERAGE + query, key)
    assert reply.status == 200, reply.text
    return reply.json["products"]


def test_every_event_is_told_by_product_and_source(stack: Stack, sent: str) -> None:
    assert ask(stack, sent) == [AUTOMATION]


def test_settling_changes_nothing(stack: Stack, sent: str) -> None:
    run("settle")
    assert ask(stack, sent) == [AUTOMATION]


def test_without_a_product_all_are_told_also_those_that_nobody_uses(
    stack: Stack, sent: str
) -> None:
    products = {each["product"]: each for each in ask(stack, sent, "")}
    assert len(products) == 8
    assert products["automation"] == AUTOMATION
    assert products["smartui"] == product(source("eyes", 5, 5, 1), days_without=5, name="smartui")
    assert products["chat"] == {
        **product(days_without=0),
        "product": "chat",
        "kind": "chat",
    }


def test_it_says_how_many_events_are_not_settled(stack: Stack, sent: str) -> None:
    waiting = stack.get(COVERAGE, sent).json["unsettled_events"]
    assert waiting == len(EVENTS[4:])
    run("settle")
    assert stack.get(COVERAGE, sent).json["unsettled_events"] == 0


def test_the_lines_are_source_by_source_and_say_how_far_they_are_complete(
    stack: Stack, sent: str
) -> None:
    reply = stack.get(f"{COVERAGE}?product=automation", sent, accept="text/csv")
    assert reply.text.splitlines() == [
        "product,kind,source,first_event_at,last_event_at,events",
        f"automation,test,büro,{at(9)},{at(3)},2",
        f"automation,test,ci,{at(30)},{at(9)},4",
    ]
    assert reply.headers["X-Data-Through"] == stack.get(COVERAGE, sent).json["through"]
    assert float(reply.headers["X-Read-Units"]) > 0


def test_what_it_does_not_know_is_refused_by_its_name(stack: Stack, sent: str) -> None:
    for query, status, details in (
        ("product=nothing", 404, {"product": "nothing"}),
        ("products=automation", 400, {"products": "automation"}),
    ):
        reply = stack.get(f"{COVERAGE}?{query}", sent)
        assert (reply.status, reply.json["error"]["details"]) == (status, details)


@pytest.mark.parametrize(
    ("first", "last", "in_range", "days_without"),
    [
        (10, 9, (1, 2), 0),
        (9, 9, (1, 1), 0),
        (40, 31, (0, 0), 10),
        (8, 4, (0, 0), 5),
        (30, 0, (2, 4), 27),
        (8, -5, (1, 0), 8),
    ],
)
def test_a_range_counts_its_own_days_and_tells_the_outer_events_of_all(
    stack: Stack,
    sent: str,
    first: int,
    last: int,
    in_range: tuple[int, int],
    days_without: int,
) -> None:
    office, ci = in_range
    expected = product(
        source("büro", 9, 3, office), source("ci", 30, 9, ci), days_without=days_without
    )
    assert ask(stack, sent, f"?product=automation&from={day(first)}&to={day(last)}") == [expected]


def test_a_range_may_be_open_at_either_end(stack: Stack, sent: str) -> None:
    until = product(source("büro", 9, 3, 1), source("ci", 30, 9, 4), days_without=22 - 3)
    since = product(source("büro", 9, 3, 2), source("ci", 30, 9, 2), days_without=11 - 3)
    assert ask(stack, sent, f"?product=automation&to={day(9)}") == [until]
    assert ask(stack, sent, f"?product=automation&from={day(10)}") == [since]


def test_a_settle_that_died_before_it_was_shown_counts_nothing_twice(
    stack: Stack, sent: str
) -> None:
    usage = process().table("usage")
    head = usage.get(f"{ACME}#H", "H")
    assert head
    run("settle")
    usage.put(head)
    assert list(process().table("usage").query(f"{ACME}#S#automation", "0", "~"))
    assert ask(stack, sent) == [AUTOMATION]


def test_through_is_two_minutes_ago_where_nothing_waits(stack: Stack, sent: str) -> None:
    for query in ("", "?product=chat"):
        assert abs(seconds_since(stack.get(COVERAGE + query, sent).json["through"]) - 120) < 30


def test_an_organization_without_any_event_is_not_stale(stack: Stack, key: str) -> None:
    assert abs(seconds_since(stack.get(COVERAGE, key).json["through"]) - 120) < 30


def test_through_does_not_pass_what_is_accepted_and_not_folded(stack: Stack, key: str) -> None:
    send(stack, key, EVENTS)
    table = process().table("log")
    (entry,) = table.query(f"{ACME}#LOG", "0", "~")
    accepted = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    table.put({**entry, "sk": f"{round(accepted.timestamp() * 1000)}#0"})
    assert stack.get(COVERAGE, key).json["through"] == format_seconds(accepted)
    assert stack.get(DRILLDOWN, key).headers["X-Data-Through"] == format_seconds(accepted)
    run("fold")
    assert abs(seconds_since(stack.get(COVERAGE, key).json["through"]) - 120) < 30


DRILLDOWN = (
    "/insights/api/v3/public/usage-report/drilldown?type=account-user&product=automation"
    f"&from={day(40)}%2000:00:00&to={day(0)}%2000:00:00"
)


def seconds_since(instant: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds()


@pytest.mark.parametrize(
    ("query", "name", "message", "value"),
    [
        ("?from=yesterday", "from", "expected a date as YYYY-MM-DD", "yesterday"),
        (
            "?to=3000-01-01",
            "to",
            "expected a date as YYYY-MM-DD of the years 1970 to 2999",
            "3000-01-01",
        ),
        ("?to=2026-02-30", "to", "expected a date as YYYY-MM-DD", "2026-02-30"),
        ("?from=2026-02-02&to=2026-02-01", "to", "to must not be before from", "2026-02-01"),
        ("?product=a&product=b", "product", "sent more than once", "b"),
        ("?product=", "product", "expected 1 to 128 bytes", ""),
    ],
)
def test_a_bad_parameter_is_named(
    stack: Stack, key: str, query: str, name: str, message: str, value: str
) -> None:
    reply = stack.get(COVERAGE + query, key)
    expected = refused("invalid_parameter", f"{name}: {message}")
    expected["error"]["details"] = {name: value}
    assert (reply.status, reply.json) == (400, expected)


def test_an_unknown_product_is_not_found(stack: Stack, key: str) -> None:
    stack.apply(OTHER, "product", {"id": "theirs", "name": "Theirs", "kind": "test"})
    reply = stack.get(f"{COVERAGE}?product=theirs", key)
    assert (reply.status, reply.json) == (
        404,
        {
            "error": {
                "code": "not_found",
                "message": "product: not found",
                "details": {"product": "theirs"},
            }
        },
    )


@pytest.mark.parametrize("role", [Role.TEAM_LEAD, Role.MEMBER])
def test_coverage_is_for_admins_and_managers(stack: Stack, role: Role) -> None:
    someone = stack.key(ACME, stack.user(ACME, username="someone", role=role))
    reply = stack.get(COVERAGE, someone)
    assert (reply.status, reply.json) == (403, refused("forbidden", "Insufficient permissions"))
