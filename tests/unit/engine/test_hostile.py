"""Accepted events and names cannot stop the engine, make an item too large, or change a figure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import KINDS, LEAST_MEASURES
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format import inside, keys, latest
from odometer.engine.format.decisions import ALL, FRESH_SECONDS, Fold, Plan, UsageHead
from odometer.engine.format.inside import Running
from odometer.engine.format.latest import Coverage, together
from odometer.engine.format.products import PEOPLE, PROJECTIONS, MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.read.measuring import measure
from odometer.engine.read.projections import usage_of_rows
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.engine.write import chunks, frames, steps
from odometer.engine.write.inside import MOST_LOOKS, advance_all
from odometer.web.cursors import LONGEST_CURSOR, Chain
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import (
    ORGANIZATION,
    SimulatedEngine,
    brute_force,
    period,
    rows,
)

DAY = 86_400
NOON = epoch_second(datetime(2026, 11, 20, 12, tzinfo=UTC))
WIDEST = "\U0010ffff" * 31
LONG_NAMES = [
    "".join(chr(0x10000 + Random(name * 32 + at).randrange(2**16)) for at in range(32))
    for name in range(400)
]
NAMES = ["Word", "Word Online", "word!", "~", "}x", "übung", "日本", WIDEST]


def engine_with(names: Sequence[str]) -> SimulatedEngine:
    products = [MeteredProduct(name, KINDS["test"]) for name in names]
    return SimulatedEngine(NOON, "UTC", [*products, *PROJECTIONS])


def event_of(product: str, second: int, who: int = 0, source: str = "ci") -> Event[int]:
    measures = (1, *[0] * (LEAST_MEASURES - 1))
    digest = digest_of(source, f"{product} {second} {who}")
    return Event(who, product, source, second, 0, measures, digest)


def fold(simulated: SimulatedEngine, number: int, events: Sequence[Event[int]]) -> None:
    simulated.usage.put(Fold(number, events, 0).to_item(ORGANIZATION, simulated.now))


def settle(simulated: SimulatedEngine, budget: int = steps.BUDGET) -> bool:
    return simulated.settling.settle(ORGANIZATION, "UTC", simulated.now, budget)


def settle_all(simulated: SimulatedEngine, budget: int = steps.BUDGET) -> None:
    while settle(simulated, budget):
        pass


def assert_exact(simulated: SimulatedEngine) -> None:
    view = simulated.view()
    for product in simulated.products:
        seconds = range(NOON - 90 * DAY, simulated.now)
        if product not in PROJECTIONS:
            expected = brute_force(simulated.folds(), product, seconds, "UTC")
            assert rows(measure(view, product, period(seconds))) == expected, product.id
        assert YearCheck(view, product, 2026).compare().drifts == [], product.id


# Names of products


def test_no_name_of_a_product_lets_a_step_be_left_out() -> None:
    """`Word Online` was done before `Word`, whose events were then left out for good."""
    simulated = engine_with(NAMES)
    for number in (1, 2):
        days = range(0, 20, 4)
        events = [event_of(name, NOON - day * DAY + number) for name in NAMES for day in days]
        fold(simulated, number, events)
        settle_all(simulated, 1)
        simulated.now += 8 * DAY
        settle_all(simulated, 1)
    assert_exact(simulated)


def test_no_name_of_a_product_lets_a_rebuild_leave_out_later_plans() -> None:
    """`übung` sorts after the mark of later plans, which were then left out for good."""
    simulated = engine_with(names := ["Word", "übung"])
    fold(simulated, 1, [event_of(name, NOON - 20 * DAY) for name in names])
    settle_all(simulated)
    simulated.rebuilding.request(ORGANIZATION, ALL, "UTC")
    simulated.rebuilding.rebuild(ORGANIZATION, simulated.now, 60)
    fold(simulated, 2, [event_of(name, NOON - 30 * DAY) for name in names])
    settle_all(simulated)
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now, 60):
        pass
    assert simulated.view().head.generations == {ALL: 1}
    assert_exact(simulated)
    calls = 0
    while simulated.retirement.generations(ORGANIZATION, simulated.now):
        simulated.now += 8 * DAY
        calls += 1
        assert calls < 4
    assert_exact(simulated)


# Items that grow


def test_a_plan_with_thousands_of_late_products_has_a_small_item() -> None:
    """Late events of 3,000 products with long names made it too large, and settling raised."""
    names = [f"{WIDEST}{number:04d}" for number in range(90)]
    simulated = engine_with(names)
    fold(simulated, 1, [event_of(name, NOON - 20 * DAY) for name in names])
    largest = 0
    while settle(simulated, 60):
        item = simulated.usage.get(keys.plans(ORGANIZATION), keys.number(1)) or {}
        largest = max(largest, len(json.loads(item.get("late", "{}"))))
    assert largest == 65
    assert_exact(simulated)


def busy_head(names: Sequence[str]) -> UsageHead:
    """The head of an organization in which everything is busy."""
    running = [Running("2026-11-20", NOON, number, 100_000 + number) for number in range(2)]
    return UsageHead(
        "UTC",
        NOON,
        generations={f"{name}#2026": number for number, name in enumerate(names[:64])},
        running=dict.fromkeys(names[:64], running),
    )


@pytest.mark.parametrize("names", [[str(UUID(int=number)) for number in range(400)], LONG_NAMES])
def test_a_busy_quarter_of_an_hour_fits_the_head_and_a_cursor(names: Sequence[str]) -> None:
    """25 plans of 100 products each made a head too large for the table, and a cursor for a URL."""
    head = busy_head(names)
    for number in range(200):
        some = names[number % 4 * 100 :][:100]
        fresh = head.freshened(dict.fromkeys(some, "2026-11-20"), NOON + 4 * number)
        head = replace(head, fresh=fresh)
    assert len(str(head.to_item(ORGANIZATION)).encode()) < 100_000
    assert head.is_fresh(names[0], date(2026, 11, 20), NOON + 900)
    assert not head.is_fresh(names[0], date(2026, 11, 19), NOON + 900)


def test_a_product_is_as_fresh_as_all_of_its_touches_say() -> None:
    random = Random(1)
    head, touches = UsageHead("UTC", NOON), list[tuple[int, date]]()
    for at in range(NOON, NOON + 3_000, 60):
        day = date(2026, 11, 1) + timedelta(random.randrange(20))
        touches.append((at, day))
        head = replace(head, fresh=head.freshened({"chat": str(day)}, at))
        assert len(head.fresh["chat"]) <= 8
        for asked in calendar.days(date(2026, 10, 31), date(2026, 11, 22)):
            is_fresh = any(at - then < FRESH_SECONDS and since <= asked for then, since in touches)
            assert head.is_fresh("chat", asked, at) >= is_fresh


def test_a_cursor_of_any_names_fits_a_url() -> None:
    head = replace(busy_head(LONG_NAMES[:19]), running=busy_head(LONG_NAMES).running)
    head = replace(head, fresh=head.freshened(dict.fromkeys(LONG_NAMES[:99], "2026-11-20"), NOON))
    view = View(ORGANIZATION, MemoryStore(lambda: NOON), head, [], NOON)
    query = Chain([b"key"], b"", {}, NOON)
    assert len(query.cursor(10**6, 10**6, view.pin, [*range(10**6, 10**6 + 8)])) < LONGEST_CURSOR


# Work that grows


def test_a_rebuild_looks_at_no_plan_again_that_it_has_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call decoded the folds of all plans since it began, and in the end did nothing else."""
    simulated = engine_with(names := [f"tests-{number}" for number in range(20)])
    fold(simulated, 1, [event_of(name, NOON - 20 * DAY) for name in names])
    settle_all(simulated)
    simulated.rebuilding.request(ORGANIZATION, f"{names[0]}#2026", "UTC")
    for number in range(2, 12):
        fold(simulated, number, [event_of(names[0], NOON - 20 * DAY + number)])
        settle_all(simulated)
    plans, reads = list[str](), 0
    get, read = simulated.usage.get, simulated.usage.read

    def count_plans(pk: str, sk: str) -> Item | None:
        plans.extend([sk] if pk == keys.plans(ORGANIZATION) else [])
        return get(pk, sk)

    def count_reads(key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        nonlocal reads
        reads += 1
        return read(key_ranges)

    monkeypatch.setattr(simulated.usage, "get", count_plans)
    monkeypatch.setattr(simulated.usage, "read", count_reads)
    most, calls = 0, 0
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now, 1):
        most, calls, plans, reads = max(most, len(plans)), calls + 1, [], 0
        assert reads < len(names)
    assert calls > 10
    assert most <= 3
    assert_exact(simulated)


def test_what_a_rebuild_has_replaced_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hundredth rebuild of a year looked through the frames of all others before it."""
    simulated = engine_with(["tests"])
    fold(simulated, 1, [event_of("tests", NOON - 20 * DAY)])
    settle_all(simulated)
    for _ in range(12):
        simulated.rebuilding.request(ORGANIZATION, ALL, "UTC")
        while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
            pass
    asked, read = 0, simulated.usage.read

    def count(key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        nonlocal asked
        asked += sum("#R#" in each.pk for each in key_ranges)
        return read(key_ranges)

    assert not simulated.retirement.generations(ORGANIZATION, simulated.now)
    simulated.now += 8 * DAY
    monkeypatch.setattr(simulated.usage, "read", count)
    while simulated.retirement.generations(ORGANIZATION, simulated.now):
        assert asked < 12
        asked = 0
    frames = {item["pk"] for item in simulated.usage.everything() if "#R#" in item["pk"]}
    assert {pk.rsplit("#", 2)[1] for pk in frames} == {"12"}
    assert_exact(simulated)
    asked = 0
    while simulated.retirement.years(ORGANIZATION, 2027):
        pass
    assert asked <= 2 * 3, "two years of three partitions, and one generation of each"
    left = [item["pk"] for item in simulated.usage.everything()]
    assert not [pk for pk in left if "#R#" in pk or "#E#" in pk or "#I#" in pk]


def test_sources_that_are_not_kept_apart_are_added_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each was added to all dates of the others: 50,000 new sources in a plan took 15 seconds."""
    calls = 0

    def count(several: Sequence[Coverage]) -> Coverage:
        nonlocal calls
        calls += 1
        return together(several)

    monkeypatch.setattr(latest, "together", count)
    many = {f"{WIDEST}{number:03d}": Coverage.of([DAY * number]) for number in range(1, 900)}
    attributes = latest.sources_to_attributes(many, 4_000)
    assert 0 < calls < 12
    kept = latest.sources_of(attributes)
    assert together(list(kept.values())) == together(list(many.values()))


@pytest.mark.parametrize(("sealed", "looks"), [(NOON - 400 * DAY, MOST_LOOKS), (NOON, 0)])
def test_a_plan_looks_at_few_days_that_are_open(
    sealed: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a year that is imported after a quiet one, each day of each product was read in turn."""
    simulated = engine_with(["a", "b"])
    product = simulated.products[0]
    events = [event_of("a", NOON - day * DAY) for day in range(1, 390)]
    written = {"a": Segment.of(events, product)}
    plan = Plan(16, (0,), (1,), NOON - 400 * DAY, sealed)
    asked = list[str]()

    def count(key_range: KeyRange) -> Iterator[list[Item]]:
        asked.append(key_range.first)
        return iter(())

    monkeypatch.setattr(simulated.usage, "pages", count)
    head = UsageHead("UTC", plan.sealed, users=1)
    assert not advance_all(ORGANIZATION, simulated.usage, plan, head, simulated.products, written)
    assert len(asked) == looks


@pytest.mark.parametrize("before", range(4, 20, 2))
def test_a_product_that_comes_between_two_steps_changes_no_figure(
    before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes groups of shards smaller; the first of them then counted as done for all days."""
    monkeypatch.setattr(frames, "ROWS_SUMMED", 64 * (16 + 4) * 2)
    simulated = engine_with(["a", "b"])
    fold(simulated, 1, [event_of("a", NOON - 60, 64 * shard) for shard in range(5)])
    settle_all(simulated)
    times = [NOON + day * DAY for day in range(1, 4)]
    fold(simulated, 2, [event_of("a", at, 64 * shard) for at in times for shard in range(5)])
    simulated.now += 5 * DAY
    for _ in range(before):
        settle(simulated, 1)
    more = [MeteredProduct(f"{number}", KINDS["test"]) for number in range(30)]
    simulated.products = [*simulated.products, *more]
    settle_all(simulated, 1)
    assert_exact(simulated)


def test_a_day_too_large_to_be_sorted_is_sealed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of the organization was settled any more: sorting it outlived every worker."""
    monkeypatch.setattr(inside, "EVENT_BYTES", 100)
    monkeypatch.setattr(inside, "SMALLEST_ITEM", 16)
    monkeypatch.setattr(chunks, "PILE_EVENTS", 100)
    monkeypatch.setattr(chunks, "MOST_PILES", 3)
    simulated = engine_with(["a", "b"])
    fold(simulated, 1, [event_of("a", NOON - 60)])
    settle_all(simulated)
    head = replace(simulated.view().head, version=99, running={"a": [], "b": []})
    simulated.usage.put_newer(head.to_item(ORGANIZATION), "version")
    random = Random(1)
    day = range(NOON, NOON + 10 * 3_600)
    many = [event_of("a", random.choice(day), random.randrange(90)) for _ in range(2_000)]
    few = [event_of("b", random.choice(day), random.randrange(90)) for _ in range(90)]
    for number in range(5):
        fold(simulated, 2 + number, [*many[number::5], *few[number::5]])
        settle_all(simulated)
    simulated.now += 5 * DAY
    settle_all(simulated)
    written = {item["pk"] for item in simulated.usage.everything() if item["sk"][0] == "T"}
    assert {pk.split("#")[2] for pk in written} & {"a", "b"} == {"b"}
    view = simulated.view()
    for product in simulated.products[:2]:
        seconds = range(NOON + 1_000, NOON + 20_000)
        expected = brute_force(simulated.folds(), product, seconds, "UTC")
        assert rows(measure(view, product, period(seconds))) == expected
    assert_exact(simulated)


def test_years_of_many_products_are_removed_in_few_calls() -> None:
    """Each call asked all products for their first event, and removed what one of them had."""
    simulated = engine_with(names := [f"tests-{number}" for number in range(60)])
    fold(simulated, 1, [event_of(name, NOON - 20 * DAY) for name in names])
    settle_all(simulated)
    calls = 0
    while simulated.retirement.years(ORGANIZATION, 2027):
        calls += 1
    assert calls <= 5
    assert not [item for item in simulated.usage.everything() if "#E#" in item["pk"]]


def test_products_that_nobody_used_cost_nobody_s_report_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every product beyond the first 240 was read by itself: 16,000 of them took minutes."""
    simulated = engine_with(names := [f"tests-{number:03d}" for number in range(400)])
    used = [names[0], names[-1], names[300]]
    fold(simulated, 1, [event_of(name, NOON - 20 * DAY) for name in used])
    settle_all(simulated)
    fold(simulated, 2, [event_of(names[350], NOON - 60)])
    reads, read = 0, simulated.usage.read

    def count(key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        nonlocal reads
        reads += 1
        return read(key_ranges)

    monkeypatch.setattr(simulated.usage, "read", count)
    whole = period(range(NOON - 20 * DAY - 43_200, NOON + 43_200))
    found = usage_of_rows(simulated.view(), simulated.products, whole, PEOPLE)
    assert [row.product.id for row in found] == [names[0], names[300], names[350], names[-1]]
    assert reads < 40
