"""What comes late costs a few storage calls for a product and year, whatever the number of days."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from random import Random

import pytest

from odometer.domain.events import Event
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL
from odometer.engine.format.frames import parts
from odometer.engine.format.late import Late
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.read.verify import Drift, YearCheck
from odometer.engine.store import Item
from tests.support.memory_store import MemoryStore, dying
from tests.support.simulated_engine import (
    ORGANIZATION,
    SimulatedEngine,
    brute_force,
    period,
    rows,
)
from tests.unit.engine.test_engine import DAY, NOON, TEST, StepByStep, days

CATALOG = [TEST, TOTALS, PEOPLE]
THOUSAND = 1_000
PARTITIONS = 4 * (1 + 1 + 5)
"""Four years of the product, of the totals and of the blocks of 300 people."""
PK = keys.frames(ORGANIZATION, TEST.id, 2026, 0, 0)


@contextmanager
def counted(store: MemoryStore) -> Iterator[Counter[str]]:
    verbs: Counter[str] = Counter()
    store.before_each = lambda verb: verbs.update([verb])
    yield verbs
    store.before_each = lambda _: None


@pytest.fixture
def steps() -> StepByStep:
    """Four weeks in which ann was there every day, and bob never."""
    steps = StepByStep()
    for day in range(28):
        steps.simulated.now = NOON + day * DAY
        steps.send(steps.use("ann", steps.simulated.now, 1, 10))
        steps.settle()
    return steps


def stored(steps: StepByStep, prefix: str) -> list[Item]:
    found = (item for item in steps.simulated.usage.everything() if item["pk"] == PK)
    return sorted((i for i in found if i["sk"].startswith(prefix)), key=lambda item: item["sk"])


def assert_exact(steps: StepByStep) -> None:
    """Any stretch of days, and what verifying finds."""
    simulated, first = steps.simulated, NOON - NOON % DAY
    for start, length in ((0, 28), (0, 7), (3, 5), (3, 18), (10, 1), (2, 25)):
        seconds = range(first + start * DAY, first + (start + length) * DAY)
        expected = brute_force(simulated.folds(), TEST, seconds, simulated.zone)
        assert rows(measure(steps.view(), TEST, period(seconds))) == expected
    assert YearCheck(steps.view(), TEST, 2026).compare().drifts == []


def late_events(steps: StepByStep, name: str) -> list[Event[str]]:
    """On ten days behind their keyframe and three of the week that is not over."""
    days_ago = (1, 2, 3, 8, 9, 12, 13, 14, 15, 20, 21, 26, 27)
    return [
        steps.use(who, NOON + (27 - ago) * DAY, 2, 5, name=f"{name} {who} {ago}")
        for ago in days_ago
        for who in ("ann", "bob")
    ]


def test_late_events_of_many_days_are_one_item(steps: StepByStep) -> None:
    steps.send(*late_events(steps, "first"))
    assert_exact(steps)
    steps.settle()
    (item,) = stored(steps, "L")
    assert len(Late.of([item], 100, TEST).of_year[0][1].days) == 20
    assert_exact(steps)


def test_unsettled_events_of_many_days_are_asked_with_a_few_queries(steps: StepByStep) -> None:
    def queries() -> int:
        with counted(steps.simulated.usage) as verbs:
            measure(steps.view(), TEST, days("2026-11-20", "2026-12-17"))
        return verbs["read"]

    before = queries()
    steps.send(*late_events(steps, "first"))
    assert queries() == before + len(["strips", "late items"]), "deltas are in the reading"
    steps.settle()
    before = queries()
    steps.send(*late_events(steps, "second"))
    assert queries() == before + len(["strips"]), "late items answer both questions"


def test_a_day_counts_once_however_often_it_comes_late(steps: StepByStep) -> None:
    for name in ("first", "second", "third"):
        steps.send(*late_events(steps, name), *late_events(steps, f"{name} again"))
        assert_exact(steps)
        assert steps.used("2026-11-20", "2026-12-17")[1][-1] == 13
        steps.settle()
        assert_exact(steps)
    assert steps.used("2026-11-20", "2026-12-17")[1] == (13 * 12, 13 * 30, 13)
    steps.rebuild(ALL)
    assert_exact(steps)


def test_a_strip_has_a_bit_for_everyone_whom_the_deltas_of_its_week_count(
    steps: StepByStep,
) -> None:
    assert [item["sk"] for item in stored(steps, "S")] == [
        f"S#2026-{edge}#0#0" for edge in ("11-23", "11-30", "12-07", "12-14")
    ]
    assert {name for item in stored(steps, "S")[1:] for name in item} == {
        *("pk", "sk"),
        *(f"d{place}" for place in range(7)),
        *("m0", "m1"),
    }


def test_weeks_without_strips_are_answered_from_their_deltas(steps: StepByStep) -> None:
    for item in stored(steps, "S")[:3]:
        steps.simulated.usage.delete(PK, item["sk"])
    for name in ("first", "second"):
        steps.send(*late_events(steps, name))
        assert_exact(steps)
        steps.settle()
        assert_exact(steps)


def test_verify_finds_a_strip_that_says_something_else(steps: StepByStep) -> None:
    item = stored(steps, "S")[1]
    steps.simulated.usage.delete(PK, item["sk"])
    steps.simulated.usage.put({name: value for name, value in item.items() if name != "d2"})
    drifts = YearCheck(steps.view(), TEST, 2026).compare().drifts
    assert drifts == [Drift(TEST.id, 0, date(2026, 11, 30), "strip")]


def test_a_strip_of_a_week_that_a_view_has_not_sealed_says_nothing_to_it(
    steps: StepByStep,
) -> None:
    """A plan stores the strip of its week, with its own events in it, before its head is seen."""
    simulated = steps.simulated
    simulated.now = NOON + 32 * DAY
    steps.send(*(steps.use("bob", NOON + day * DAY, 3, 3, name=f"{day}") for day in (25, 26, 27)))
    pinned = steps.view()
    before = rows(measure(pinned, TEST, days("2026-11-20", "2026-12-21")))
    assert before[1][-1] == 3
    for writes in range(100):
        with dying(simulated.usage, writes):
            simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now)
        assert steps.used("2026-11-20", "2026-12-21") == before
    strips = stored(steps, "S")
    assert strips[-1]["sk"] == "S#2026-12-21#0#0"
    assert rows(measure(pinned, TEST, days("2026-11-20", "2026-12-21"))) == before
    assert_exact(steps)


def test_a_plan_begun_in_the_first_format_is_done_again(steps: StepByStep) -> None:
    """Its writer left late items of days, and died; the same plan now writes one of the year."""
    simulated = steps.simulated
    steps.send(*late_events(steps, "first"))
    steps.settle()
    (item,) = stored(steps, "L2")
    for old in of_the_first_format(item):
        simulated.usage.put(old)
    assert_exact(steps)
    simulated.usage.delete(PK, item["sk"])
    assert_exact(steps)
    steps.send(*late_events(steps, "second"))
    assert_exact(steps)
    steps.settle()
    assert_exact(steps)


@pytest.fixture(scope="module")
def settled() -> SimulatedEngine:
    """A thousand days of 300 users, some of them every day, without anything late."""
    simulated, random = SimulatedEngine(NOON, "UTC", CATALOG), Random(5)
    steps = StepByStep()
    steps.simulated = simulated
    users = [f"user {number}" for number in range(300)]
    steps.send(*(steps.use(who, NOON, 1, 10) for who in users))
    for day in range(0, THOUSAND, 3):
        simulated.now = NOON + day * DAY
        steps.send(*(steps.use(who, simulated.now, 1, 10) for who in random.sample(users, 3)))
        if day % 30 == 0:
            steps.settle()
    simulated.now = NOON + THOUSAND * DAY
    steps.settle()
    return simulated


def test_late_events_of_a_thousand_days_cost_a_few_calls_for_a_product_year_and_shard(
    settled: SimulatedEngine,
) -> None:
    """Before, 2,000 of them cost 14,651 calls: 8,000 Queries and 6,000 puts, and all else."""
    steps, random = StepByStep(), Random(6)
    steps.simulated = settled
    steps.send(
        *(
            steps.use(f"user {random.randrange(300)}", NOON + at, 1, 10, name=f"late {at}")
            for at in random.sample(range(THOUSAND * DAY), 2_000)
        )
    )
    before = steps.used("2026-11-20", "2029-08-15")
    former = frame_keys(settled)
    with counted(settled.usage) as verbs:
        steps.settle()
    assert steps.used("2026-11-20", "2029-08-15") == before
    added = frame_keys(settled) - former
    late = {pk for pk, sk in added if sk.startswith("L")}
    assert len(late) == PARTITIONS
    assert len(added) == PARTITIONS + len([sk for _, sk in added if keys.is_delta(sk)])
    assert all(sk >= "F#2029-08-13" for _, sk in added if keys.is_delta(sk))
    assert len(added) <= PARTITIONS + 14
    assert verbs["read"] <= 3 * PARTITIONS


def frame_keys(simulated: SimulatedEngine) -> set[tuple[str, str]]:
    everything = simulated.usage.everything()
    return {(item["pk"], item["sk"]) for item in everything if "#R#" in item["pk"]}


def of_the_first_format(item: Item, product: MeteredProduct = TEST) -> Iterator[Item]:
    """The items of days that hold the same."""
    for day, frame in Late.of([item], 10**9, product).by_day(date.min, date.max):
        for part, piece in enumerate(parts(frame)):
            sk = f"L#{day}#{keys.number(keys.plan_of(item['sk']))}#{part}"
            yield {"pk": item["pk"], "sk": sk, **piece}
