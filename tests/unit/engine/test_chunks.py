"""A sealed day is put in time order in steps of bounded size, however many events it has."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.counted_store import CountedStore, Counts
from odometer.domain.time import DAY, instant_at
from odometer.engine import calendar
from odometer.engine.format import inside, keys, piles, segments
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.frames import Frame
from odometer.engine.format.segments import Segment
from odometer.engine.read.inside import InsideReader, sums_of_each
from odometer.engine.read.views import View
from odometer.engine.rounds import in_rounds
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write import chunks
from odometer.engine.write.chunks import ChunkWriter
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.inside import partition_of
from odometer.engine.write.settle import put_segments
from odometer.engine.write.steps import BUDGET, Reached, Step, Taken, take
from tests.support.memory_store import MemoryStore, dying
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS

TESTS = PRODUCTS[0]
START = 1_793_923_200
DATE = instant_at(START).date()
USERS = 300
EDGE_BYTES = 4_096
SHEETS = 24
"""A pile, of 64 events each."""

Arrival = Callable[[Random, int], int]
"""The second of an event that a plan brings, counted from the beginning of the day."""

ARRIVALS: dict[str, Arrival] = {
    "nearly in order": lambda random, plan: 60 * plan + random.choice([0, 1, 2, 59, 600]),
    "in any order": lambda random, _: random.randrange(86_400),
    "of one hour": lambda random, _: 7_200 + random.randrange(3_600),
    "of one second": lambda _, __: 43_200,
}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "EVENT_BYTES", EDGE_BYTES)
    monkeypatch.setattr(piles, "SHEET_EVENTS", 64)
    monkeypatch.setattr(chunks, "PILE_EVENTS", 64 * SHEETS)
    monkeypatch.setattr(chunks, "SLICE_SHEETS", SHEETS)
    monkeypatch.setattr(segments, "CROWDED", 512)


@dataclass
class BusyDay:
    """A day of one product, with what each plan brought to it."""

    store: Store
    arrival: Arrival
    plans: int
    users: int = USERS
    events: list[tuple[int, int, int]] = field(default_factory=list)
    """Second, user, first measure."""

    def __post_init__(self) -> None:
        random = Random(self.plans)
        for plan in range(1, self.plans + 1):
            seconds = sorted(START + self.arrival(random, plan) for _ in range(500))
            who = [random.randrange(self.users) for _ in seconds]
            columns = [[random.randrange(999) for _ in seconds] for _ in range(TESTS.measures)]
            put_segments(ORGANIZATION, self.store, plan, TESTS, Segment(seconds, who, columns))
            self.events += zip(seconds, who, columns[0], strict=True)

    @property
    def head(self) -> UsageHead:
        end = calendar.first_second(DATE + DAY, UTC)
        return UsageHead("UTC", end, plan=self.plans, users=self.users, running={TESTS.id: []})

    @property
    def writer(self) -> ChunkWriter:
        partition = partial(partition_of, ORGANIZATION, self.head, TESTS)
        return ChunkWriter(ORGANIZATION, self.store, TESTS, UTC, partition, self.plans, 2**40)

    def steps(self) -> Iterator[Step]:
        return self.writer.steps(DATE)

    def seal(self) -> None:
        for step in self.steps():
            step.do()

    def sums(self, first: int, end: int) -> dict[int, int]:
        """What everybody used between two seconds, as a reader says."""
        shards = range(self.head.shards(TESTS))
        view = View(ORGANIZATION, self.store, self.head, (), self.head.sealed)
        asked = [(InsideReader(view, TESTS, shards), [range(first, end)])]
        ((by_day,),) = in_rounds(self.store, sums_of_each(asked))
        return used({shard: frame for day in by_day.values() for shard, frame in day.items()})

    def brute_force(self, first: int, end: int) -> dict[int, int]:
        sums = dict[int, int]()
        for second, user, value in self.events:
            if first <= second < end and value:
                sums[user] = sums.get(user, 0) + value
        return sums


def used(by_shard: dict[int, Frame]) -> dict[int, int]:
    return {
        shard * 16_384 + user: value
        for shard, frame in by_shard.items()
        for user in range(frame.lanes)
        if (value := frame.of_user(user)[0])
    }


def some_seconds(random: Random, day: BusyDay) -> tuple[int, int]:
    at = [random.choice(day.events)[0] + random.randrange(2), START + random.randrange(86_400)]
    first, end = sorted([random.choice(at), random.choice(at) + 1])
    return first, end + 1


@pytest.fixture
def store(tmp_path: Path) -> CountedStore:
    return CountedStore(tmp_path / "usage")


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("users", [USERS, 20_000])
def test_every_edge_in_a_day_beyond_one_step_is_exact(
    store: CountedStore, arrival: str, users: int
) -> None:
    day, random = BusyDay(store, ARRIVALS[arrival], 40, users), Random(1)
    day.seal()
    for _ in range(20):
        first, end = some_seconds(random, day)
        assert day.sums(first, end) == day.brute_force(first, end)
    whole = day.writer.frames(DATE, range(day.head.shards(TESTS)))
    assert used(whole) == day.brute_force(START, START + 86_400)


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_no_edge_reads_more_than_a_frame_and_a_chunk(store: CountedStore, arrival: str) -> None:
    """Of a day with more events than could be sorted an edge read all of them."""
    day, random, units = BusyDay(store, ARRIVALS[arrival], 80), Random(2), list[float]()
    day.seal()
    for _ in range(20):
        before = store.counts.read_units
        day.sums(START, random.choice(day.events)[0])
        units.append(store.counts.read_units - before)
    frame = 1_024
    assert max(units) * 4_096 <= 2 * (EDGE_BYTES + frame) + 4_096


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_no_step_grows_with_the_day(tmp_path: Path, arrival: str) -> None:
    figures = []
    for plans in (20, 100):
        store = CountedStore(tmp_path / str(plans))
        steps = list(costs_of_steps(store, BusyDay(store, ARRIVALS[arrival], plans)))
        assert len(steps) >= plans // 4
        figures.append(steps)
    for counts in figures[1]:
        assert counts.read_units <= 100
        assert counts.write_units <= 60
        assert counts.rounds <= 12
    if arrival == "nearly in order":
        assert max(counts.read_units for counts in figures[1][-20:]) <= 12


def costs_of_steps(store: CountedStore, day: BusyDay) -> Iterator[Counts]:
    for step in day.steps():
        before = replace(store.counts)
        step.do()
        yield store.counts - before


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_memory_does_not_grow_with_the_day(tmp_path: Path, arrival: str) -> None:
    peaks = []
    for plans in (20, 100):
        day = BusyDay(CountedStore(tmp_path / str(plans)), ARRIVALS[arrival], plans)
        day.events.clear()
        tracemalloc.start()
        day.seal()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.5 * peaks[0]
    assert peaks[1] <= 1_500 * 64 * SHEETS


# Deaths, and several at once


def in_memory(arrival: str = "in any order", plans: int = 10) -> tuple[MemoryStore, BusyDay]:
    store = MemoryStore(lambda: START + 200_000)
    return store, BusyDay(store, ARRIVALS[arrival], plans)


def written(store: MemoryStore) -> dict[tuple[str, str], Item]:
    """Chunks, piles and sheets."""
    return {(i["pk"], i["sk"]): i for i in store.everything() if i["sk"][0] in "TPW"}


@pytest.mark.parametrize("saved_after", [1, 3])
def test_whoever_dies_between_any_two_writes_another_goes_on(saved_after: int) -> None:
    store, day = in_memory()
    day.seal()
    expected = written(store)
    assert len(expected) > 80
    for writes in range(0, len(expected), 1 if saved_after == 1 else 7):
        store, day = in_memory()
        saved, finished = [Reached()], False
        go_on = partial(take, budget=saved_after * BUDGET // 8, save=saved.append)
        with dying(store, writes):
            while not finished:
                finished = go_on(day.steps(), saved[-1]).finished
        while not finished:
            finished = go_on(day.steps(), saved[-1]).finished
        assert written(store) == expected


def test_nothing_that_is_done_is_done_again() -> None:
    store, day = in_memory()
    saved, puts, finished = [Reached()], list[tuple[str, str]](), False
    put = store.put

    def record(item: Item) -> None:
        puts.append((item["pk"], item["sk"]))
        put(item)

    store.put = record  # type: ignore[method-assign]
    while not finished:
        finished = take(day.steps(), saved[-1], 1, saved.append).finished
    assert len(saved) > 5
    assert len(puts) == len(set(puts))


@pytest.mark.parametrize("at", range(0, 90, 5))
def test_two_at_once_write_the_same(at: int) -> None:
    """One writes all that is left while another one stands before a write of its own."""
    store, day = in_memory()
    left = at

    def overtake(verb: str) -> None:
        nonlocal left
        left -= verb == "put"
        if left < 0:
            store.before_each = lambda _: None
            day.seal()

    store.before_each = overtake
    day.seal()
    alone, other = in_memory()
    other.seal()
    assert left < 0
    assert written(store) == written(alone)


def test_piles_and_sheets_expire_and_chunks_stay() -> None:
    store, day = in_memory()
    day.seal()
    assert {item["sk"][0] for item in written(store).values() if "ttl" in item} == {"P", "W"}
    assert all("ttl" in item for item in written(store).values() if item["sk"][0] in "PW")


def test_a_day_of_one_pile_has_no_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PILE_EVENTS", 10_000)
    store, day = in_memory()
    day.seal()
    assert {sk[0] for _, sk in written(store)} == {"T", "P"}


# Losses: whatever expires too early costs time


@pytest.fixture
def few_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of 1,500 events have three piles of about eight sheets each."""
    monkeypatch.setattr(chunks, "PILE_EVENTS", 500)
    monkeypatch.setattr(chunks, "SLICE_SHEETS", 5)


def names_of_steps() -> list[str]:
    """The names of the steps of a day from which nothing is lost, in their order."""
    _, day = in_memory(plans=3)
    names = ["", *(step.name for step in day.steps() if not step.do())]
    assert sum(name.startswith("1#") for name in names) == 3
    assert sum(name.startswith("2#") for name in names) > 3
    return names


def lose_after(name: str, lost: Callable[[list[str]], Collection[str]]) -> None:
    """Finish a day from which piles and sheets are lost after a step: it is as if none were."""
    (store, day), (whole, other) = in_memory(plans=3), in_memory(plans=3)
    other.seal()
    for step in takewhile(lambda step: step.name <= name, day.steps()):
        step.do()
    gone = lost(sorted(sk for _, sk in written(store) if sk[0] in "PW"))
    for pk, sk in written(store):
        if sk in gone:
            store.delete(pk, sk)
    assert list(calls(day, Reached(name), most=30))
    assert lasting_chunks(store) == lasting_chunks(whole)
    assert used(day.writer.frames(DATE, range(1))) == day.brute_force(START, START + 86_400)


def calls(day: BusyDay, reached: Reached, most: int) -> Iterator[Taken]:
    """Take one step after the other, each as if the process before had died."""
    for _ in range(most):
        yield (taken := take(day.steps(), reached, 1, lambda _: None))
        if taken.finished:
            return
        reached = taken.reached
    pytest.fail("stopped for good")


def lasting_chunks(store: MemoryStore) -> list[Item]:
    return [item for (_, sk), item in sorted(written(store).items()) if sk[0] == "T"]


@pytest.mark.usefixtures("few_of_each")
@pytest.mark.parametrize("kind", ["P", "W", "PW"])
def test_all_piles_and_sheets_may_be_lost_at_any_point(kind: str) -> None:
    """The day had no more chunks from there on, and what it used ended with the last of them."""
    for name in names_of_steps():
        lose_after(name, lambda sks: {sk for sk in sks if sk[0] in kind})


@pytest.mark.usefixtures("few_of_each")
def test_any_pile_or_sheet_may_be_lost_at_any_point() -> None:
    names = names_of_steps()
    for place in range(30):
        for name in names[place % 3 :: 3]:
            lose_after(name, itemgetter(slice(place, place + 1)))


@pytest.mark.usefixtures("few_of_each")
@pytest.mark.parametrize("seed", range(60))
def test_any_of_them_may_be_lost_at_any_point(seed: int) -> None:
    random = Random(seed)
    part = random.random()
    name = random.choice(names_of_steps())
    lose_after(name, lambda sks: {sk for sk in sks if random.random() < part})


@pytest.mark.usefixtures("few_of_each")
def test_they_may_be_lost_again_and_again() -> None:
    store, day = in_memory(plans=3)
    random = Random(3)
    for _ in calls(day, Reached(), most=400):
        for pk, sk in written(store):
            if sk[0] in "PW" and random.random() < 0.01:
                store.delete(pk, sk)
    whole, other = in_memory(plans=3)
    other.seal()
    assert lasting_chunks(store) == lasting_chunks(whole)


def test_no_step_grows_when_all_is_lost(store: CountedStore) -> None:
    """What was lost is sorted again a pile at a time."""
    day = BusyDay(store, ARRIVALS["in any order"], 40)
    steps = [step.name for step in day.steps() if not step.do()]
    reached = Reached(steps[len(steps) // 2])
    assert reached.done.startswith("2#")
    lose(store, day, "W")
    before = replace(store.counts)
    for _ in calls(day, reached, most=2 * len(steps)):
        counts, before = store.counts - before, replace(store.counts)
        assert counts.read_units <= 100
        assert counts.write_units <= 60
    assert used(day.writer.frames(DATE, range(1))) == day.brute_force(START, START + 86_400)
    for _ in range(20):
        first, end = some_seconds(Random(4), day)
        assert day.sums(first, end) == day.brute_force(first, end)


def lose(store: Store, day: BusyDay, kind: str) -> None:
    pk = day.writer.partition(DATE.year, 0)
    pages = store.pages(KeyRange(pk, kind, f"{kind}{keys.TOP}"))
    store.delete_all([(item["pk"], item["sk"]) for page in pages for item in page])


# What is sealed


def test_a_busy_day_is_sealed_without_reading_its_events_again(store: CountedStore) -> None:
    """Its deltas were added up from all of its segments in one step."""
    day = BusyDay(store, ARRIVALS["nearly in order"], 80)
    partition: dict[str, Any] = {"products": 1, "is_busy": True, "now": day.head.sealed}
    writer = FrameWriter(ORGANIZATION, store, TESTS, UTC, lambda _: 0, day.plans, **partition)
    units = list[tuple[str, float]]()
    for step in writer.steps_of_sealing(DATE, DATE + DAY, 1):
        before = store.counts.read_units
        step.do()
        units.append((step.name, store.counts.read_units - before))
    (delta,) = (read for name, read in units if "#1#" in name and "#0#" not in name)
    assert delta <= 4
    assert max(read for _, read in units) <= 100
