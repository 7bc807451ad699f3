"""What is published about the users of an app, and in which order, for use of one's own choice."""

from datetime import date, datetime, timedelta

import pytest

from odometer.domain.people import State
from tests.support.apps import (
    APP,
    CLIENT,
    COMPARED,
    FEBRUARY,
    OTHER_APP,
    PERIOD,
    Client,
    daily,
    days_from,
    example_client,
    get_json,
    james,
    ranked,
    sarah,
    use,
)
from tests.support.stack import Stack
from tests.support.usage_sender import run, used

DAYS = "start_date=2026-02-01&end_date=2026-02-28"


def test_someone_used_to_nothing_has_no_change_and_someone_gone_has_no_row(stack: Stack) -> None:
    client = Client(stack)
    for who in ("new", "gone"):
        client.person(who, who)
    client.used(*daily("new", [date(2026, 2, 3)], 500), *daily("gone", [date(2026, 1, 3)], 500))
    rows = client.users(COMPARED).json["data"]
    assert [row["user"]["id"] for row in rows] == ["new"]
    assert rows[0]["avg_time_ms_per_day"] == {
        "value": 500,
        "change_pct": None,
        "compare_value": 0,
    }


def test_sessions_alone_are_usage(stack: Stack) -> None:
    client = Client(stack)
    client.person("ann", "ann")
    client.used(use("ann", client.now - timedelta(days=9), 0, 3))
    (row,) = client.users(FEBRUARY).json["data"]
    assert row["avg_time_ms_per_day"]["value"] == 0
    assert row["days_active"] == 1


def test_days_are_those_of_the_clients_zone(stack: Stack) -> None:
    client = Client(stack)
    client.put("organization", time_zone="America/New_York")
    client.person("ann", "ann")
    evening = client.now.replace(month=2, day=11, hour=3)
    client.used(use("ann", evening, 5))
    on = {
        day: client.users(f"granularity=daily&start_date={day}&end_date={day}").json["total_count"]
        for day in ("2026-02-10", "2026-02-11")
    }
    assert on == {"2026-02-10": 1, "2026-02-11": 0}


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_day_of_23_or_25_hours_is_one_day(stack: Stack, day: str) -> None:
    client = Client(stack)
    client.put("organization", time_zone="Europe/Berlin")
    client.person("ann", "ann")
    client.later(timedelta(days=270))
    client.used(*daily("ann", [date.fromisoformat(day)], 7, "Europe/Berlin"))
    client.settle()
    answer = client.users(f"granularity=daily&start_date={day}&end_date={day}")
    assert [row["days_active"] for row in answer.json["data"]] == [1]
    hours = 23 if day == "2026-03-29" else 25
    start, end = answer.headers["X-Query-Range"].split("/")
    span = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    assert span == hours * 3600


# order


@pytest.fixture
def four(stack: Stack) -> Client:
    """Four users: one new, two equal, one with a capital."""
    client = Client(stack)
    for user_id, username in [("c", "bob"), ("a", "Ann"), ("b", "cid"), ("d", "Dot")]:
        client.person(user_id, username)
    client.used(
        *daily("a", days_from(date(2026, 2, 1), 2), 2_000),
        *daily("b", days_from(date(2026, 2, 1), 2), 2_000),
        *daily("c", days_from(date(2026, 2, 1), 3), 9_000),
        *daily("d", days_from(date(2026, 2, 1), 1), 500),
        *daily("a", [date(2026, 1, 5)], 500),
        *daily("b", [date(2026, 1, 5)], 500),
        *daily("c", [date(2026, 1, 5)], 6_000),
    )
    return client


@pytest.mark.parametrize(
    ("sort_by", "descending", "ascending"),
    [
        ("avg_time", "cabd", "dabc"),
        ("avg_time_change", "abcd", "cabd"),
        ("days_active", "cabd", "dabc"),
        ("username", "dbca", "acbd"),
    ],
)
def test_rows_are_ordered_either_way_equal_ones_by_id_and_nulls_last(
    four: Client, sort_by: str, descending: str, ascending: str
) -> None:
    assert ranked(four, f"{COMPARED}&sort_by={sort_by}") == list(descending)
    assert ranked(four, f"{COMPARED}&sort_by={sort_by}&sort_order=asc") == list(ascending)


def test_by_average_time_with_the_highest_first_unless_asked_otherwise(four: Client) -> None:
    assert ranked(four, FEBRUARY) == list("cabd")


def test_a_change_without_a_comparison_is_nobodys(four: Client) -> None:
    for order in ("asc", "desc"):
        query = f"{FEBRUARY}&sort_by=avg_time_change&sort_order={order}"
        assert ranked(four, query) == list("abcd")
        rows = four.users(query).json["data"]
        assert {row["avg_time_ms_per_day"]["change_pct"] for row in rows} == {None}


def test_whoever_was_deactivated_is_listed(stack: Stack) -> None:
    client = Client(stack)
    client.person("ann", "ann", state=State.DEACTIVATED)
    client.used(*daily("ann", [date(2026, 2, 3)], 500))
    assert ranked(client, FEBRUARY) == ["ann"]


def test_last_activity_is_over_all_apps_as_of_now_and_needs_no_platform(stack: Stack) -> None:
    client = Client(stack)
    client.person("ann", "ann")
    at = client.now - timedelta(hours=2)
    client.used(*daily("ann", [date(2026, 2, 3)], 500))
    client.settle()
    client.used(
        use("ann", at, 1, app=OTHER_APP, platform="web"),
        use("ann", at + timedelta(hours=1), 1, platform=None),
    )
    (row,) = client.users(FEBRUARY).json["data"]
    assert row["user"]["last_activity"] == {
        "at": "2026-03-02T07:00:00.000Z",
        "desktop_at": "2026-02-03T12:00:00.000Z",
        "web_at": "2026-03-02T07:00:00.000Z",
    }


def test_nothing_settled_gives_the_same_answer(stack: Stack) -> None:
    client = example_client(stack)
    assert client.users(COMPARED).json["data"] == [james(12.5, 5_386_666), sarah(-4.1, 5_756_000)]
    client.settle()
    assert client.users(COMPARED).json["data"] == [james(12.5, 5_386_666), sarah(-4.1, 5_756_000)]


def test_a_client_that_moves_is_told_which_days_are_counted_until_both_schedules_came_round(
    stack: Stack,
) -> None:
    client = example_client(stack)
    client.settle()

    def counted() -> str:
        return str(client.users(FEBRUARY).headers["X-Query-Range"])

    old, new = (
        "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z",
        "2026-01-31T15:00:00Z/2026-02-28T15:00:00Z",
    )
    assert counted() == old
    client.put("organization", time_zone="Asia/Tokyo")
    assert counted() == old
    run("settle")
    assert counted() == old
    run("rebuild")
    assert counted() == new


def test_one_person_across_all_products(stack: Stack) -> None:
    client = Client(stack)
    client.put("organization", time_zone="Asia/Tokyo")
    client.person("ann", "ann")
    late = client.now.replace(month=2, day=10, hour=20)
    client.used(
        *daily("ann", days_from(date(2026, 2, 3), 2), 500, "Asia/Tokyo"),
        used("ann", "automation", late, 3, 90),
        used("ann", "automation", late + timedelta(hours=1), 1, 10),
        used("ann", "chat", late - timedelta(hours=9), 1, 0, 2, 30),
    )
    expected = [
        ("automation", "automation", "test", {"tests": 4, "duration_ms": 100}, 1),
        (
            "chat",
            "chat",
            "chat",
            {"interactions": 1, "useful_interactions": 0, "lines": 2, "chars_completed": 30},
            1,
        ),
        (APP, "Editor", "app", {"active_ms": 500, "sessions": 2}, 2),
    ]
    for _ in range(2):
        answer = get_json(client, f"{CLIENT}/users/ann/usage", DAYS)
        assert answer["period"] == PERIOD
        assert answer["user"]["id"] == "ann"
        assert answer["products"] == [
            {
                "product": {"id": product, "name": name, "kind": kind},
                "measures": measures,
                "days_active": days,
            }
            for product, name, kind, measures, days in expected
        ]
        client.settle()
    on_the_day = get_json(
        client, f"{CLIENT}/users/ann/usage", "start_date=2026-02-10&end_date=2026-02-10"
    )
    assert [each["product"]["id"] for each in on_the_day["products"]] == ["chat"]


def test_the_events_of_an_explanation_come_in_pages(stack: Stack) -> None:
    client = Client(stack)
    client.person("ann", "ann")
    client.used(*daily("ann", days_from(date(2026, 2, 3), 5), 15))
    client.settle()
    client.used(*(use("ann", client.now - timedelta(minutes=at), at) for at in (1, 2, 3)))
    query = f"product={APP}&measure=active_ms&from=2026-02-01T00:00:00Z&to=2026-03-03T00:00:00Z"
    first = get_json(client, "/v1/explain", f"{query}&page_size=2")
    rest = get_json(client, "/v1/explain", f"{query}&page_size=2&cursor={first['next_cursor']}")
    events = [event["value"] for page in (first, rest) for event in page["events"]]
    assert (first["value"], events, rest["next_cursor"]) == (15 + 6, [3, 2, 1], None)
