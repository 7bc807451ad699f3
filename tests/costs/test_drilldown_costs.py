"""What a drilldown costs, read by read, on an engine that computes capacity units."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from pytest_socket import enable_socket

from bench.daily_usage import END, PRODUCT, DailyUsage, store_usage
from bench.pipeline import ORGANIZATION
from odometer.api.usage_report.family import BASE, ReportedProduct
from odometer.bootstrap import process
from odometer.domain.events import Event, digest_of
from odometer.domain.people import Role
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.decisions import Fold, Touched, read_head
from odometer.engine.format.segments import Segment
from odometer.engine.write.settle import put_segments
from odometer.storage.dynamo import Meter
from tests.costs.costs import ReadCosts, read_costs, write_section
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.memory_directory import NOON, new_head
from tests.support.stack import CONTEXT, ROOT, Stack, endpoints, proxy_event

pytestmark = pytest.mark.engine

NOW = datetime(END.year, END.month, END.day, 12, tzinfo=UTC)
SETTLED = epoch_second(NOW) - 900
TAIL = 5_000
"""As many events wait to be settled as ever do."""
FRAMES = {1_000: 8, 10_000: 60}
"""The most that frames may cost, by users."""
RANGES = {
    "whole UTC days": (NOW.replace(hour=0), UTC),
    "days at +05:30": (NOW.replace(hour=0), timezone(timedelta(hours=5.5))),
    "until now": (NOW + timedelta(seconds=1), UTC),
}
COLUMNS = ("caller", "head", "tail", "frames", "segments", "log", "blocks")


class Counted(NamedTuple):
    """A deployment with two years of a dense product, and the events of some of its days."""

    stack: Stack
    key: str
    dense: DailyUsage
    events: dict[date, Segment]
    tail: list[Event[int]]

    def tests(self, start: int, end: int) -> int:
        """What everybody ran between two seconds, by brute force."""
        whole = calendar.days(
            calendar.day_of(start - 1, UTC) + timedelta(1), min(calendar.day_of(end, UTC), END)
        )
        ragged = [
            segment.cut(start, end) for day, segment in self.events.items() if day not in whole
        ]
        return (
            sum(sum(self.dense.days[day].tests) for day in whole)
            + sum(sum(segment.measures[0]) for segment in ragged)
            + sum(event.measures[0] for event in self.tail if start <= event.second < end)
        )


@pytest.fixture(scope="module", params=FRAMES)
def counted(request: pytest.FixtureRequest) -> Iterator[Counted]:
    enable_socket()
    dense = DailyUsage(request.param)
    with stack_on_counting_engine() as stack:
        store = process().usage_store(Meter())
        for _ in store_usage(store, ORGANIZATION, dense):
            pass
        events = {day: events_of(dense, day) for day in ragged_days()}
        for segment in events.values():
            put_segments(ORGANIZATION, store, 1, PRODUCT, segment)
        tail = unsettled(dense.users)
        store.put(Fold(1, tail, 0).to_item(ORGANIZATION, epoch_second(NOW)))
        touched = {PRODUCT.id: [Touched(SETTLED + 60, str(END))]}
        head = read_head(ORGANIZATION, store)
        assert head
        store.put(replace(head, fresh=touched).to_item(ORGANIZATION))
        yield Counted(stack, people(stack, dense.users), dense, events, tail)


def ragged_days() -> set[date]:
    """The UTC dates of which ranges take a part, and today."""
    ends = [start(last, days, zone) for days in (1, 28, 90) for last, zone in RANGES.values()]
    return {each.date() for each in ends} | {END - timedelta(1), END}


def start(last: datetime, days: int, zone: timezone) -> datetime:
    """When a range begins that ends at a wall-clock time."""
    return (last.replace(tzinfo=zone) - timedelta(days=days)).astimezone(UTC)


def events_of(dense: DailyUsage, day: date) -> Segment:
    """The uses that a day of frames came from; of today, those that are settled."""
    midnight = calendar.first_second(day, UTC)
    return dense.events(day).cut(midnight, min(midnight + 86_400, SETTLED))


def unsettled(users: int) -> list[Event[int]]:
    random = Random(users)
    return [
        Event(
            random.randrange(users * 4 // 5),
            PRODUCT.id,
            "ci/eu-1",
            SETTLED + random.randrange(900),
            0,
            (random.randint(1, 5), random.randrange(1_000, 600_000), 0, 0),
            digest_of("ci/eu-1", f"run-{number}"),
        )
        for number in range(TAIL)
    ]


def people(stack: Stack, users: int) -> str:
    """A directory of that many users; the key of the first."""
    stack.directories.create(new_head(ORGANIZATION, "Dense Corp"))
    rows = [
        {"username": name, "email": name, "role": Role.MEMBER if number else Role.ADMIN}
        for number, name in enumerate(f"firstname.lastname{n}@dense.example" for n in range(users))
    ]
    stack.directories.change(
        ORGANIZATION, NOON, lambda edit: [edit.apply("user", row) for row in rows]
    )
    return stack.key(ORGANIZATION, stack.directories.open(ORGANIZATION).user(0).id)


def ask(
    counted: Counted, report: str, days: int, last: datetime, zone: timezone
) -> tuple[ReadCosts, Any]:
    """The costs and the answer of a report."""
    ends = {"from": last - timedelta(days=days), "to": last - timedelta(seconds=1)}
    query = {
        "type": "account-user",
        "product": PRODUCT.id,
        **{name: f"{end:%Y-%m-%d %H:%M:%S}" for name, end in ends.items()},
        "timezone": last.replace(tzinfo=zone).isoformat()[-6:],
    }
    headers = {"authorization": f"Bearer {counted.key}"}
    event = proxy_event("GET", f"{BASE}/{report}?{urlencode(query)}", headers)
    endpoint = replace(endpoints()[f"usage_report/{report}"], clock=lambda: NOW)
    with read_costs() as costs:
        answer: Any = endpoint(event, CONTEXT)
    return costs, answer


EDGE_BYTES = 6.5


def edges_may_cost(counted: Counted, start: int, end: int) -> float:
    """Every UTC date of which a range takes a part, and today, read whole: strongly, if fresh."""
    days = {calendar.day_of(second, UTC) for second in (start, end - 1)}
    partly = [day for day in days if day == END or not whole(day, start, end)]
    return sum(1 + len(counted.events[day].who) * EDGE_BYTES / 4096 for day in partly)


def whole(day: date, start: int, end: int) -> bool:
    first, following = (calendar.first_second(each, UTC) for each in (day, day + timedelta(1)))
    return start <= first and following <= end


LINES: dict[int, list[str]] = {}


def test_every_unit_of_a_drilldown_is_promised(
    counted: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = []
    for name, (last, zone) in RANGES.items():
        for days in (1, 28, 90):
            costs, answer = ask(counted, "drilldown", days, last, zone)
            first, end = (epoch_second(start(last, ago, zone)) for ago in (days, 0))
            hold(counted, costs, first, end)
            expected = f'"totalTests":{counted.tests(first, end)},'
            assert expected in answer["body"]
            assert answer["headers"]["X-Read-Units"] == f"{costs.total:.1f}"
            lines.append(line(counted.dense.users, name, days, costs))
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, ""]))
    LINES[counted.dense.users] = lines


def hold(counted: Counted, costs: ReadCosts, first: int, end: int) -> None:
    """Compare every part of the costs with what is promised of it."""
    users, units = counted.dense.users, costs.units
    assert set(units) <= set(COLUMNS)
    assert units["frames"] <= FRAMES[users]
    assert costs.calls["frames"] <= 3
    assert units["segments"] <= edges_may_cost(counted, first, end)
    assert costs.calls["segments"] <= 2
    assert units["tail"] <= 64
    assert units["head"] + units["log"] + units["caller"] <= 6
    assert units["blocks"] <= 7 * users / 1_000
    assert costs.total - units["tail"] <= 180


def test_products_that_nobody_uses_cost_next_to_nothing(
    counted: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    last, zone = RANGES["whole UTC days"]
    drilldown, summary = (
        ask(counted, report, 28, last, zone)[0] for report in ("drilldown", "summary")
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{line(counted.dense.users, 'summary', 28, summary)}\n")
    unused = len(ReportedProduct) - 1
    assert summary.units["frames"] - drilldown.units["frames"] <= 3 * unused
    assert summary.units["blocks"] <= drilldown.units["blocks"]


def line(users: int, name: str, days: int, costs: ReadCosts) -> str:
    numbers = [costs.total, sum(costs.calls.values()), *(costs.units[each] for each in COLUMNS)]
    return f"| {users:,} | {name} | {days} | {' | '.join(f'{each:g}' for each in numbers)} |"


def test_the_table_is_published() -> None:
    """Measured sizes differ a little from machine to machine: they are written when asked for."""
    if not LINES:
        pytest.skip("nothing was counted in this run, so there is no table to compare")
    assert LINES.keys() == FRAMES.keys()
    head = ["users", "range", "days", "units", "requests", *COLUMNS]
    rows = [line for lines in LINES.values() for line in lines]
    table = "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])
    write_section(ROOT / "docs" / "performance.md", "Drilldown", f"{TEXT}\n{table}")


TEXT = """\
Read units of one drilldown by a cold function, all reads counted, of a dense product: 60 % of the
users on weekdays, 5 % at weekends, four events a day each. `frames` are the two readings.
`segments` are the events of the UTC dates of which a range takes a part, each date read whole;
`until now` takes today with it, which was settled a moment ago and so is read strongly. `tail` are
5,000 events that wait to be settled: as many as ever do. `log` tells how far the answer is
complete. `blocks` are those of the directory: the type of every user, and the names on the page; a
warm function has them. Written by `tests/costs/test_drilldown_costs.py` with `UPDATE=1`.
"""
