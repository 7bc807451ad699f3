"""What an entry of the trail costs, and writers at once: on an engine with real transactions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pytest_socket import enable_socket

from odometer.bootstrap import process
from odometer.domain.acts import Act, Action, Actor
from odometer.storage.dynamo import Meter
from odometer.storage.trail import TOP, Trail, TrailStore
from tests.costs.costs import write_section
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import OTHER, ROOT

pytestmark = pytest.mark.engine
WRITERS, EACH = 8, 5
TEXT = """Counted by `tests/costs/test_trail_costs.py`: what an act costs [in the trail](audit.md),
beside its own write, which costs twice as much in a transaction. *A thousand rows* is a change that
names 100 users. A transaction that is refused is billed as well, and its answer does not say so."""
ACTOR = Actor(NOON, key_id="k" * 12, user=123_456)
KEY = Act(Action.KEY_ROTATED, key_id="k" * 12, user=123_456, details={"grace_seconds": 86_400})
ROWS = Act(
    Action.DIRECTORY_CHANGED,
    users=range(1_900_000, 1_900_100),
    details={"created": {"user": 500}, "updated": {"user": 500}, "fields": ["role", "state"]},
)
MOST = {
    "an act with a key": (4, 1, 2),
    "a thousand rows": (4, 1, 2),
    "once more in an hour, another process": (0, 1, 2),
    "the same, this process": (0, 0, 0),
    "a page of 100": (0, 8, 1),
}
"""Write units, read units and calls."""


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    enable_socket()
    with stack_on_counting_engine():
        yield


def store() -> TrailStore:
    return TrailStore(process().table("activity", Meter()))


def counted(trails: TrailStore, do: Callable[[Trail], object]) -> Meter:
    """What something costs."""
    meter = Meter()
    do(Trail(replace_meter(trails, meter), ACME, ACTOR))
    return meter


def replace_meter(trails: TrailStore, meter: Meter) -> TrailStore:
    return TrailStore(replace(trails.table, meter=meter), trails.noted)


def hourly(trail: Trail) -> None:
    trail.commit_once(Act(Action.TOKENS_MADE, details={"for": "user"}), "hour", ACTOR.kept_until)


def page(trail: Trail) -> None:
    assert len(list(trail.store.entries(ACME, range(1, TOP), 101, newest_first=True))) == 101


def test_an_entry_costs_as_much_as_is_published() -> None:
    for _ in range(101):
        Trail(store(), ACME, ACTOR).commit(KEY)
    first = store()
    hourly(Trail(first, ACME, ACTOR))
    acts: dict[str, tuple[TrailStore, Callable[[Trail], object]]] = {
        "an act with a key": (store(), lambda trail: trail.commit(KEY)),
        "a thousand rows": (store(), lambda trail: trail.commit(ROWS)),
        "once more in an hour, another process": (store(), hourly),
        "the same, this process": (first, hourly),
        "a page of 100": (store(), page),
    }
    found = {what: counted(*each) for what, each in acts.items()}
    for what, meter in found.items():
        costs = meter.write_units, meter.read_units, meter.requests
        assert all(cost <= most for cost, most in zip(costs, MOST[what], strict=True)), what
    rows = [
        f"| {what} | {each.write_units:.0f} | {each.read_units:.0f} | {each.requests} |"
        for what, each in found.items()
    ]
    head = "| act | write units | read units | calls |\n|---|---|---|---|\n"
    table = head + "\n".join(rows)
    write_section(ROOT / "docs" / "performance.md", "The trail", f"{TEXT}\n\n{table}")


def test_writers_at_once_leave_no_gap_and_lose_nothing() -> None:
    def write(number: int) -> None:
        trail = Trail(store(), OTHER, replace(ACTOR, user=number))
        for _ in range(EACH):
            assert trail.commit(KEY)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    whole = list(store().entries(OTHER, range(1, TOP), 1000, newest_first=False))
    assert [each.number for each in whole] == [*range(1, WRITERS * EACH + 1)]
    users = sorted(each.by["user"] for each in whole)
    assert users == sorted([*range(WRITERS)] * EACH)
