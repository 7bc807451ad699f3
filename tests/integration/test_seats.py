"""GET /v1/seats: who has a seat, when they last used it, and what becomes of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

import pytest

from tests.support.apps import OTHER_APP, SALES, Client, get_json
from tests.support.seats import CORE, IDS, SEATS, client_on, listed
from tests.support.stack import stack_on_moto


@pytest.fixture(scope="module")
def seen() -> Iterator[Client]:
    """A client that is only looked at."""
    with stack_on_moto() as stack:
        yield client_on(stack)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=inactive", ["bob"]),
        ("status=never_used", ["cid"]),
        ("status=active", ["fay", "ann"]),
        ("status=active&order=desc", ["ann", "fay"]),
        ("status=invited", ["dot"]),
        ("status=deactivated", ["eve"]),
        ("state=deactivated", ["eve"]),
        ("state=registered&status=inactive", ["bob"]),
        ("state=invited&status=inactive", []),
        ("sort=username", ["ann", "bob", "cid", "dot", "fay"]),
        ("sort=created_at&order=desc&limit=1000", ["ann", "bob", "cid", "dot", "fay"]),
        ("q=AN", ["ann"]),
        ("q=bob%40example", ["bob"]),
        (f"department={SALES}", ["bob", "ann"]),
        (f"team={CORE}", ["cid", "ann"]),
        (f"team={CORE}&department={SALES}", ["ann"]),
        (f"user={IDS['bob']}", ["bob"]),
        ("inactive_days=2&status=active", ["ann"]),
        ("inactive_days=3&status=active", ["fay", "ann"]),
        ("inactive_days=68&status=active", ["fay", "ann"]),
        ("inactive_days=69&status=active", ["bob", "fay", "ann"]),
        ("product=automation&status=active", ["fay"]),
        (f"product={OTHER_APP}&status=active", ["ann"]),
        (f"product={OTHER_APP},automation&status=active", ["ann", "fay"]),
        ("kind=app&status=never_used", ["cid", "fay"]),
        ("kind=test,app&status=never_used", ["cid"]),
    ],
)
def test_what_is_listed(seen: Client, query: str, expected: list[str]) -> None:
    assert listed(seen, query) == (sorted(expected) if "sort" in query else expected)


def test_the_parts_of_the_assigned_seats_add_up_whoever_is_asked_about(seen: Client) -> None:
    for query in ("", f"team={CORE}", f"department={SALES}", "kind=chat", "q=ann&status=active"):
        seats = get_json(seen, SEATS, query)["seats"]
        parts = ("active", "inactive", "never_used")
        assert seats["assigned"] == sum(seats[each] for each in parts)
        assert seats["licensed"] == (None if "team" in query or "department" in query else 9)


def test_every_row_as_a_table_and_as_lines(seen: Client) -> None:
    table = seen.get(SEATS, "limit=1", accept="text/csv")
    rows = list(csv.DictReader(table.text.splitlines()))
    assert list(rows[0]) == [
        *("user.id", "user.username", "user.email", "user.team.id", "user.team.name"),
        *("user.departments", "state", "seat_since", "last_active.at", "last_active.product"),
        *("active_days", "status"),
    ]
    assert (len(rows), rows[-1]["user.team.name"], rows[-1]["status"]) == (6, "Core", "active")
    assert rows[-1]["user.departments"] == "Sales"
    lines = seen.get(SEATS, "limit=1", accept="application/x-ndjson").text.splitlines()
    assert list(map(json.loads, lines)) == get_json(seen, SEATS)["data"]


def test_headers_say_what_was_read_and_what_has_not_changed(seen: Client) -> None:
    answer = seen.get(SEATS)
    assert answer.headers["X-Query-Range"] == "2026-02-01T00:00:00Z/2026-03-03T00:00:00Z"
    assert answer.headers["X-Data-Through"].startswith("2026-03-02T0")
    assert float(answer.headers["X-Read-Units"]) > 0
    again = seen.get(SEATS, **{"if-none-match": answer.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("inactive_days=0", "inactive_days"),
        ("inactive_days=367", "inactive_days"),
        ("inactive_days=3.0", "inactive_days"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("sort=name", "sort"),
        ("order=up", "order"),
        ("status=idle", "status"),
        ("state=gone", "state"),
        ("product=automation&kind=app", "kind"),
        ("product=", "product"),
        ("cursor=banana", "cursor"),
        ("since=2026", "since"),
        ("q=a&q=b", "q"),
        ("q=%00", "q"),
    ],
)
def test_a_fault_names_the_parameter(seen: Client, query: str, name: str) -> None:
    answer = seen.get(SEATS, query)
    assert (answer.status, list(answer.json["error"]["details"])) == (400, [name])


@pytest.mark.parametrize(
    "query", ["product=nothing", "kind=nothing", "team=nothing", "department=nothing", "user=no"]
)
def test_what_does_not_exist_is_not_found(seen: Client, query: str) -> None:
    assert seen.get(SEATS, query).status == 404
