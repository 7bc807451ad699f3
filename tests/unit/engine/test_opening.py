"""What proves that tables are those that a process remembers."""

from dataclasses import replace

import pytest

from odometer.engine.format.decisions import ALL, Plan, Rebuild, UsageHead
from odometer.engine.memory import Memory
from odometer.engine.read.opening import Opening
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import ORGANIZATION

NOON = 1_795_176_000
PLAN = Plan(3, (4,), (7,), NOON - 600, NOON - 300)
REBUILD = Rebuild(1, ALL, 2, NOON - 600, "UTC")
HEAD = UsageHead("UTC", NOON - 300, version=5, plan=3, upto=(7,), rebuilt=1)


def remembers(memory: Memory, plan: Plan, rebuild: Rebuild, head: UsageHead) -> bool:
    """Whether a process remembers a week in such tables; from then on it does."""
    store = MemoryStore(lambda: NOON)
    for each in (plan, rebuild, head):
        store.put(each.to_item(ORGANIZATION))
    view = Opening.of(ORGANIZATION, memory).read(store, "UTC", NOON)
    found = view.memory.get("week") is not None
    view.memory.keep("week", b"", 10)
    return found


def test_what_is_remembered_holds_while_decisions_are_the_same() -> None:
    memory = Memory()
    assert not remembers(memory, PLAN, REBUILD, HEAD)
    further = replace(REBUILD, done="step", shown=NOON)
    assert remembers(memory, replace(PLAN, done="step"), further, HEAD)
    assert remembers(memory, PLAN, REBUILD, replace(HEAD, version=6))


@pytest.mark.parametrize(
    "others",
    [
        (replace(PLAN, sealed=NOON - 299), REBUILD, replace(HEAD, sealed=NOON - 299)),
        (PLAN, replace(REBUILD, plan=3), HEAD),
        (PLAN, REBUILD, replace(HEAD, version=4)),
        (PLAN, replace(REBUILD, generation=2), replace(HEAD, version=6, rebuilt=2)),
    ],
    ids=["plan", "rebuild", "older head", "later rebuild"],
)
def test_what_is_remembered_is_dropped_with_any_other_decision(
    others: tuple[Plan, Rebuild, UsageHead],
) -> None:
    memory = Memory()
    remembers(memory, PLAN, REBUILD, HEAD)
    assert not remembers(memory, *others)
    assert remembers(memory, *others)


def test_what_is_remembered_is_dropped_where_nothing_proves_it() -> None:
    """What proves it may be forgotten first, when there is no room for all."""
    memory = Memory(most=400)
    memory.of(ORGANIZATION).keep("week", b"", 10)
    assert not remembers(memory, PLAN, REBUILD, HEAD)
