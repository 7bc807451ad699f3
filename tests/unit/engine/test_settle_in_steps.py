"""Long work is done in steps of bounded size, by whoever is there, from the last one on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.counted_store import CountedStore
from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import KINDS, LEAST_MEASURES
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    FORMAT,
    FORMAT_OF_ONE_LANE,
    Fold,
    NewerFormat,
    UsageHead,
    read_plan,
)
from odometer.engine.format.frames import SHARD
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.read.measuring import measure
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, Store
from odometer.engine.write import frames as frames_of_plans
from odometer.engine.write import settle, steps
from odometer.engine.write.frames import ROWS_SUMMED, FrameWriter
from odometer.engine.write.rebuild import LATE_BYTES, Rebuilding
from odometer.engine.write.settle import Settling, put_segments
from odometer.engine.write.steps import BUDGET, SAVED_AFTER, Progress, Reached, Step, groups, take
from tests.support.memory_store import MemoryStore, dying
from tests.support.simulated_engine import (
    ORGANIZATION,
    SimulatedEngine,
    brute_force,
    period,
    rows,
)

DAY = 86_400
NOON = epoch_second(datetime(2026, 11, 20, 12, tzinfo=UTC))
"""A Friday."""
TESTS = [MeteredProduct(f"tests-{place}", KINDS["test"]) for place in range(10)]
CATALOG = [*TESTS, *PROJECTIONS]


@pytest.fixture
def store(tmp_path: Path) -> CountedStore:
    return CountedStore(tmp_path / "usage")


def an_event(random: Random, users: int, days: int, products: int = 10) -> Event[int]:
    product, second = random.choice(TESTS[:products]), NOON - random.randrange(days * DAY)
    measures = (1, random.randrange(100_000), *[0] * (LEAST_MEASURES - 2))
    digest = digest_of("ci", str(random.random()))
    return Event(random.randrange(users), product.id, "ci", second, 0, measures, digest)


def fold(store: Store, events: Sequence[Event[int]], size: int = 2_500) -> None:
    for number, at in enumerate(range(0, len(events), size), 1):
        store.put(Fold(number, events[at : at + size], 0).to_item(ORGANIZATION, NOON))


# Steps


def test_steps_go_on_after_the_last_one_that_was_written_down() -> None:
    done: list[str] = []
    names, saved = [f"{number:03d}" for number in range(9)], [Reached()]
    all_steps = [Step(name, SAVED_AFTER // 2, partial(done.append, name)) for name in names]
    assert not take(all_steps, saved[-1], SAVED_AFTER * 2, saved.append).finished
    assert done == names[:4]
    assert [reached.done for reached in saved] == ["", "001", "003"]
    assert take(all_steps, saved[-1], BUDGET, saved.append).finished
    assert done == names
    assert Progress.along(all_steps, "003") == Progress(4, 9)


def test_what_came_late_is_added_up_over_steps_and_calls() -> None:
    three = [Step(name, 1, lambda: {"chat#2026": 5}) for name in "abc"]
    saved: list[Reached] = []
    take(three, Reached(), 1, saved.append)
    assert saved == [Reached("a", {"chat#2026": 5})]
    assert take(three, saved[0], BUDGET, saved.append).reached.late == {"chat#2026": 15}


def test_a_group_of_shards_keeps_its_name_as_users_come() -> None:
    assert [name for name, _ in groups(300, 256)] == [name for name, _ in groups(512, 256)]
    assert [shards for _, shards in groups(300, 256)] == [range(256), range(256, 300)]


# Plans


def test_a_scattered_plan_goes_into_the_table_in_batches(store: CountedStore) -> None:
    """10,000 late events over 700 days and 10 products took more than 20,000 puts in turn."""
    settling = Settling(store, lambda _: CATALOG)
    random = Random(1)
    fold(store, [an_event(random, 500, 700) for _ in range(10_000)])
    calls, before = 0, replace(store.counts)
    while settling.settle(ORGANIZATION, "UTC", NOON):
        calls += 1
    assert calls <= 6
    assert (store.counts - before).rounds <= 160
    assert (store.counts - before).write_units / 10_000 < 2


@pytest.mark.parametrize(
    ("events", "cells", "upto"),
    [(1_000, 10**6, 4), (999, 10**6, 3), (10, 10**6, 1), (10**6, 35, 3), (10**6, 1, 1)],
)
def test_a_plan_is_bounded_by_what_it_touches_and_one_fold_always_fits(
    monkeypatch: pytest.MonkeyPatch, events: int, cells: int, upto: int
) -> None:
    monkeypatch.setattr(settle, "PLAN_EVENTS", events)
    monkeypatch.setattr(settle, "PLAN_CELLS", cells)
    store, random = MemoryStore(lambda: NOON), Random(2)
    on_days = [
        an_event(random, 9, 1, 1)._replace(second=NOON - at // 25 * DAY) for at in range(2_000)
    ]
    fold(store, on_days, 250)
    Settling(store, lambda _: CATALOG).settle(ORGANIZATION, "UTC", NOON, 1)
    plan = read_plan(ORGANIZATION, store, 1)
    assert plan
    assert (plan.after, plan.upto, plan.sealed) == ((0,), (upto,), plan.sealed_before)


def a_settle(simulated: SimulatedEngine, budget: int) -> bool:
    return simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now, budget)


def a_rebuild(simulated: SimulatedEngine, budget: int) -> bool:
    return simulated.rebuilding.rebuild(ORGANIZATION, simulated.now, budget)


def late_history(users: int = 40) -> SimulatedEngine:
    """Six weeks with a day that is open, and late events that wait to be settled."""
    simulated, random = SimulatedEngine(NOON, "Europe/Berlin", CATALOG), Random(3)
    numbers = iter(range(1, 100))
    for days, settles in ((0, True), (40, True), (40, False)):
        events = [an_event(random, users, 60, 2) for _ in range(50)]
        shifted = [event._replace(second=event.second + days * DAY) for event in events]
        simulated.usage.put(Fold(next(numbers), shifted, 0).to_item(ORGANIZATION, NOON))
        simulated.now = NOON + days * DAY
        while settles and a_settle(simulated, BUDGET):
            pass
    return simulated


def assert_exact_figures(simulated: SimulatedEngine) -> None:
    view = simulated.view()
    for product in TESTS[:2]:
        seconds = range(NOON - 90 * DAY, simulated.now)
        expected = brute_force(simulated.folds(), product, seconds, view.head.zone)
        assert rows(measure(view, product, period(seconds))) == expected


def assert_exact(simulated: SimulatedEngine) -> None:
    """Also the frames are, and everything is settled."""
    assert_exact_figures(simulated)
    view = simulated.view()
    assert view.unsettled == []
    for product in CATALOG:
        assert YearCheck(view, product, 2026).compare().drifts == []


def keys_of(store: MemoryStore, partition: str) -> set[tuple[str, str]]:
    kind = f"{ORGANIZATION}#{partition}#"
    return {(item["pk"], item["sk"]) for item in store.everything() if item["pk"].startswith(kind)}


def test_each_call_does_a_step_and_no_other_one_again() -> None:
    simulated, puts = late_history(), [set[str]()]
    store = simulated.usage
    put = store.put

    def record(item: Item) -> None:
        puts[-1].add(f"{item['pk']} {item['sk']}")
        put(item)

    store.put = record  # type: ignore[method-assign]
    progress = [simulated.settling.progress(ORGANIZATION)]
    while a_settle(simulated, 1):
        puts.append(set())
        progress.append(simulated.settling.progress(ORGANIZATION))
    assert sum(map(len, puts)) == len(set().union(*puts)) > 100
    assert len(progress) > 10
    assert progress[0] == progress[-1] == Progress(0, 0)
    done = [done for done, _ in progress[1:-1]]
    assert done == sorted(done)
    assert {of for _, of in progress[1:-1]} == {progress[1].of}
    assert_exact(simulated)


@pytest.mark.parametrize("budget", [1, BUDGET])
def test_whoever_dies_between_any_two_writes_another_goes_on(budget: int) -> None:
    for writes in (0, 1, 5, 17, 40, 90):
        simulated = late_history()
        for _ in range(3):
            with dying(simulated.usage, writes):
                a_settle(simulated, budget)
        assert_exact_figures(simulated)
        while a_settle(simulated, budget):
            pass
        assert_exact(simulated)


def test_a_long_plan_that_was_killed_does_not_begin_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every process dies after some writes: a plan that began again would never be done."""
    monkeypatch.setattr(steps, "SAVED_AFTER", 15)
    simulated, deaths = late_history(), 0
    while simulated.view().unsettled:
        with dying(simulated.usage, 90):
            a_settle(simulated, BUDGET)
        deaths += 1
        assert deaths < 20
    assert deaths > 2
    assert_exact(simulated)


@pytest.mark.parametrize("steps_before", [1, 8, 15, 10**6])
def test_steps_that_were_done_for_replaced_frames_are_done_again(steps_before: int) -> None:
    """A rebuild flips between two steps, or before the head shows the last one."""
    simulated = late_history()
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    upto, left = simulated.view().head.plan, steps_before
    while left and a_settle(simulated, 1) and simulated.view().head.plan == upto:
        left -= 1
        with dying(simulated.usage, 0):
            a_settle(simulated, BUDGET) if left == 0 else None
    while a_rebuild(simulated, BUDGET):
        pass
    assert simulated.view().head.generations == {ALL: 1}
    while a_settle(simulated, 1):
        pass
    assert_exact(simulated)


def test_a_plan_of_the_first_edition_gets_its_progress_all_the_same() -> None:
    simulated = late_history()
    a_settle(simulated, 1)
    number = keys.number(simulated.view().head.plan + 1)
    stored = simulated.usage.get(keys.plans(ORGANIZATION), number)
    assert stored
    assert "done" in stored


# Rebuilds


@pytest.mark.parametrize(
    ("scope", "rows", "steps"),
    [
        (ALL, ROWS_SUMMED, 13),
        (ALL, SHARD, 60),
        ("*#2026", 8 * SHARD, 25),
        ("tests-0#2026", SHARD, 20),
    ],
)
def test_a_rebuild_that_was_killed_after_any_step_goes_on_there(
    monkeypatch: pytest.MonkeyPatch, scope: str, rows: int, steps: int
) -> None:
    """Whether a step writes several weeks, one, or a day."""
    monkeypatch.setattr(frames_of_plans, "ROWS_SUMMED", rows)
    simulated = late_history()
    while a_settle(simulated, BUDGET):
        pass
    simulated.rebuilding.request(ORGANIZATION, scope, simulated.zone)
    frames = [keys_of(simulated.usage, "R")]
    while a_rebuild(simulated, 1):
        frames.append(keys_of(simulated.usage, "R"))
        for died in range(2):
            with dying(simulated.usage, died):
                a_rebuild(simulated, 1)
    assert all(before <= after for before, after in pairwise(frames))
    assert len(frames) > steps
    assert simulated.view().head.generations == {scope: 1}
    assert simulated.view().head.late_bytes.keys() == {
        name
        for name in ("%people#2026", "%totals#2026", "tests-0#2026", "tests-1#2026")
        if scope == "tests-0#2026" and name != scope
    }
    assert_exact(simulated)


@pytest.mark.parametrize("seed", range(6))
def test_a_rebuild_goes_on_where_others_cut_it_into_other_steps(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """As when a product or many users come meanwhile, or functions are replaced."""
    simulated, random = late_history(), Random(seed)
    while a_settle(simulated, BUDGET):
        pass
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    rows = [SHARD, 8 * SHARD, 20 * SHARD, ROWS_SUMMED]
    while a_rebuild(simulated, 1):
        monkeypatch.setattr(frames_of_plans, "ROWS_SUMMED", random.choice(rows))
    assert_exact(simulated)


def test_a_scattered_history_is_made_again_many_weeks_at_a_time(store: CountedStore) -> None:
    """Twelve products of three years; 10,510 rounds when each day was put by itself."""
    settling, random = Settling(store, lambda _: CATALOG), Random(6)
    fold(store, [an_event(random, 500, 700) for _ in range(5_000)])
    while settling.settle(ORGANIZATION, "UTC", NOON):
        pass
    rebuilding, before = Rebuilding(store, settling), replace(store.counts)
    rebuilding.request(ORGANIZATION, ALL, "UTC")
    while rebuilding.rebuild(ORGANIZATION, NOON):
        pass
    assert (store.counts - before).rounds <= 300
    view = View.latest(ORGANIZATION, store, "UTC", NOON)
    assert not any(
        YearCheck(view, product, year).compare().drifts
        for product in (TESTS[0], *PROJECTIONS)
        for year in (2025, 2026)
    )


def test_plans_that_came_during_a_rebuild_are_done_in_steps() -> None:
    simulated = late_history()
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    while a_settle(simulated, BUDGET):
        pass
    calls = 0
    while a_rebuild(simulated, 40):
        item = simulated.usage.get(keys.rebuilds(ORGANIZATION), keys.number(1))
        calls += item is not None and item["done"].startswith("}")
    assert calls > 2
    assert simulated.view().head.late_bytes
    assert_exact(simulated)


def head_with(late: dict[str, int], **others: Any) -> Rebuilding:
    store = MemoryStore(lambda: NOON)
    head = UsageHead("UTC", NOON, late_bytes=late, **others)
    store.put_newer(head.to_item(ORGANIZATION), "version")
    return Rebuilding(store, Settling(store, lambda _: CATALOG))


HEAVY = LATE_BYTES + 1


@pytest.mark.parametrize(
    ("late", "scope"),
    [
        ({"a#2026": LATE_BYTES}, None),
        ({"a#2026": HEAVY, "b#2026": HEAVY, "c#2026": HEAVY}, "a#2026"),
        ({f"{product}#2026": HEAVY for product in "abcd"}, "*#2026"),
        ({f"{product}#{2020 + at}": HEAVY for at, product in enumerate("abcd")}, "a#2020"),
    ],
)
def test_a_year_of_several_heavy_products_is_one_rebuild(
    late: dict[str, int], scope: str | None
) -> None:
    assert head_with(late).wanted(ORGANIZATION, "UTC") == scope


@pytest.mark.parametrize(("name", "many"), [("", 64), ("é" * 60, 19)])
def test_the_head_keeps_few_generations(name: str, many: int) -> None:
    """Cursors hold their names."""
    generations = {f"{name}{number}#2026": number for number in range(many)}
    rebuilding = head_with({"a#2026": HEAVY}, generations=generations)
    assert rebuilding.wanted(ORGANIZATION, "UTC") == ALL


def test_an_import_that_is_not_settled_yet_waits_for_its_rebuild() -> None:
    for late, scope in [(HEAVY, None), (8 * HEAVY, "a#2026")]:
        rebuilding = head_with({"a#2026": late})
        rebuilding.usage.put(Fold(1, [], 0).to_item(ORGANIZATION, NOON))
        assert rebuilding.wanted(ORGANIZATION, "UTC") == scope


def test_a_year_that_is_made_again_replaces_the_generations_of_its_products() -> None:
    simulated = late_history()
    while a_settle(simulated, BUDGET):
        pass
    for scope in ("tests-0#2026", "tests-1#2025", "*#2026"):
        simulated.rebuilding.request(ORGANIZATION, scope, simulated.zone)
        while a_rebuild(simulated, BUDGET):
            pass
    assert simulated.view().head.generations == {"tests-1#2025": 2, "*#2026": 3}
    assert_exact(simulated)


# Memory and people


def peak_of_sealing(store: CountedStore, events: int) -> int:
    """The bytes that are held at most while a day with so many events is sealed."""
    random, per_plan = Random(4), 10_000
    day = date(2026, 11, 20)
    begin = calendar.first_second(day, UTC)
    for plan in range(1, events // per_plan + 1):
        seconds = sorted(begin + random.randrange(DAY) for _ in range(per_plan))
        who = [random.randrange(1_000) for _ in range(per_plan)]
        measures = [[1] * per_plan, [random.randrange(10**6) for _ in range(per_plan)]]
        put_segments(ORGANIZATION, store, plan, TESTS[0], Segment(seconds, who, measures))
    writer = FrameWriter(ORGANIZATION, store, TESTS[0], UTC, lambda _: 0, 10**6)
    tracemalloc.start()
    for step in writer.steps_of_sealing(day, day + timedelta(1), 1):
        step.do()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_day_is_sealed_in_the_memory_of_a_page_whatever_it_holds(tmp_path: Path) -> None:
    """And of the 65,536 events that wait to be added up together."""
    few, many = (
        peak_of_sealing(CountedStore(tmp_path / f"{events}"), events)
        for events in (100_000, 300_000)
    )
    assert many < 1.3 * few
    assert many < 8_000_000


def test_a_monday_of_20_000_people_reads_and_writes_many_at_once(store: CountedStore) -> None:
    """313 shards of 64 people took two reads and a put each, one after the other."""
    random, settling = Random(5), Settling(store, lambda _: CATALOG)
    fold(store, [an_event(random, 20_000, 1, 2) for _ in range(20_000)], 5_000)
    while settling.settle(ORGANIZATION, "UTC", NOON):
        pass
    counts = {}
    before = replace(store.counts)
    while settling.settle(ORGANIZATION, "UTC", NOON + 4 * DAY, 1):
        plan = read_plan(ORGANIZATION, store, 2)
        counts[plan.done if plan else ""] = store.counts - before
        before = replace(store.counts)
    keyframes = {done: each for done, each in counts.items() if "%people#2026-11-20#2" in done}
    assert len(keyframes) == 2
    assert max(each.rounds for each in counts.values()) <= 50
    assert sum(each.rounds for each in counts.values()) <= 400


# Formats


def test_a_head_of_a_newer_format_is_refused_and_one_without_is_read() -> None:
    item = UsageHead("UTC", NOON).to_item(ORGANIZATION)
    assert item["format"] == FORMAT_OF_ONE_LANE
    first = {name: value for name, value in item.items() if name != "format"}
    assert UsageHead.from_item(first) == UsageHead.from_item(item)
    with pytest.raises(NewerFormat, match=r"older than tables of format 4"):
        UsageHead.from_item({**item, "format": FORMAT + 1})
