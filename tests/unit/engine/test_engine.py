"""The engine step by step: what each step promises, where brute force would not say why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import Period, epoch_second
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, LOCAL
from odometer.engine.format.frames import SHARD
from odometer.engine.format.latest import Coverage
from odometer.engine.format.readings import MissingKeyframe
from odometer.engine.read.latest import LastActive, last_active, received, users_by_month
from odometer.engine.read.measuring import distinct_users, measure
from odometer.engine.read.verify import Drift, YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.engine.write.settle import UnknownProduct
from tests.support.simulated_engine import NEIGHBOUR, ORGANIZATION, PRODUCTS, SimulatedEngine, rows

TEST, VISUAL, _, _, APP = PRODUCTS
DAY = 86_400
NOON = epoch_second(datetime(2026, 11, 20, 12, tzinfo=UTC))


class StepByStep:
    """An engine whose steps are taken in order."""

    def __init__(self, zone: str = "UTC", spread: int = 1) -> None:
        self.simulated = SimulatedEngine(NOON, zone, PRODUCTS, spread)
        self._random = Random(1)

    def use(self, who: str, second: int, *measures: int, **other: Any) -> Event[str]:
        product = other.pop("product", TEST)
        filled = (*measures, *[0] * (LEAST_MEASURES - len(measures)))
        digest = digest_of("ci", other.pop("name", f"{who} {second} {product.id}"))
        return Event(who, product.id, "ci", second, other.pop("platform", 0), filled, digest)

    def send(self, *events: Event[str]) -> int:
        item = self.simulated.accept(events, self._random, 0)
        return self.simulated.folding.fold_new(ORGANIZATION, [item], self.simulated.now_ms)

    def settle(self) -> None:
        while self.simulated.settling.settle(ORGANIZATION, self.simulated.zone, self.simulated.now):
            pass

    def rebuild(self, scope: str, zone: str = "UTC") -> None:
        self.simulated.rebuilding.request(ORGANIZATION, scope, zone)
        while self.simulated.rebuilding.rebuild(ORGANIZATION, self.simulated.now):
            pass

    def view(self) -> View:
        return self.simulated.view()

    def used(self, first: str, last: str, product: Any = TEST) -> dict[int, tuple[int, ...]]:
        return rows(measure(self.view(), product, days(first, last)))


def days(first: str, last: str) -> Period:
    return Period.of_days(date.fromisoformat(first), date.fromisoformat(last), UTC)


@pytest.fixture
def steps() -> StepByStep:
    return StepByStep()


def test_the_first_of_events_with_one_identity_counts_whatever_the_others_say(
    steps: StepByStep,
) -> None:
    first = steps.use("ann", NOON, 1, 10, name="run")
    other = steps.use("bob", NOON + 60, 5, 50, product=VISUAL, name="run")
    assert steps.send(first, other) == 1
    steps.settle()
    assert steps.send(other, first) == 0
    assert steps.used("2026-11-20", "2026-11-20") == {0: (1, 10, 1)}
    assert steps.used("2026-11-20", "2026-11-20", VISUAL) == {}


def test_the_same_name_on_another_utc_date_is_another_event(steps: StepByStep) -> None:
    runs = [steps.use("ann", NOON - day * DAY, 1, 0, name="run") for day in (0, 1)]
    assert steps.send(*runs) == 2


def test_a_late_event_changes_yesterdays_total(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 10))
    steps.settle()
    steps.simulated.pass_time(DAY)
    steps.send(steps.use("ann", NOON + DAY, 7, 0))
    steps.settle()
    assert steps.used("2026-11-20", "2026-11-20") == {0: (1, 10, 1)}
    steps.send(steps.use("ann", NOON + 1, 2, 20), steps.use("bob", NOON, 4, 40))
    expected = {0: (3, 30, 1), 1: (4, 40, 1)}
    assert steps.used("2026-11-20", "2026-11-20") == expected
    steps.settle()
    assert steps.used("2026-11-20", "2026-11-20") == expected


def test_the_schedule_folds_an_entry_that_the_stream_has_not_brought(steps: StepByStep) -> None:
    steps.simulated.accept([steps.use("ann", NOON, 1, 10)], Random(2), lands_after=0)
    assert steps.view().unsettled == []
    assert not steps.simulated.folding.fold_outstanding(ORGANIZATION, steps.simulated.now_ms)
    assert steps.used("2026-11-20", "2026-11-20") == {0: (1, 10, 1)}


def test_the_watermark_passes_a_batch_two_minutes_after_it_came(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 10))
    fold_outstanding = steps.simulated.folding.fold_outstanding
    for minutes, through in [(0, 0), (1, 0), (1, 0), (1, NOON + 60), (60, NOON + 60)]:
        steps.simulated.pass_time(60 * minutes)
        assert not fold_outstanding(ORGANIZATION, steps.simulated.now_ms)
        assert steps.view().through_ms == through * 1000


def test_an_entry_that_cannot_be_decoded_is_parked_and_passed_over(steps: StepByStep) -> None:
    simulated = steps.simulated
    good = simulated.accept([steps.use("ann", NOON, 1, 10)], Random(3), lands_after=0)
    broken: Item = {**good, "sk": keys.entry(simulated.now_ms, "broken"), "second": b"?"}
    simulated.log.put_new(broken)
    assert not simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
    assert len(list(steps.view().unsettled_events)) == 1
    parked = [
        item for item in simulated.usage.everything() if item["pk"] == keys.parked(ORGANIZATION)
    ]
    assert [item["sk"] for item in parked] == [broken["sk"]]


def test_users_of_several_shards_are_summed_apart() -> None:
    steps = StepByStep(spread=SHARD - 1)
    names = ["ann", "bob", "cid", "dot"]
    for day in (0, 1, 9):
        steps.simulated.now = NOON + day * DAY
        steps.send(*(steps.use(who, NOON + day * DAY, 1, 10) for who in names))
        steps.settle()
    expected = {place * (SHARD - 1): (2, 20, 2) for place in range(4)}
    assert steps.used("2026-11-01", "2026-11-21") == expected
    assert steps.used("2026-11-29", "2026-11-29") == {
        place * (SHARD - 1): (1, 10, 1) for place in range(4)
    }


def test_two_organizations_never_meet(steps: StepByStep) -> None:
    simulated = steps.simulated
    before = steps.view().pin
    event = steps.use("ann", NOON, 1, 10)
    item = simulated.accept([event], Random(4), lands_after=0)
    neighbours = {**item, "pk": keys.log(NEIGHBOUR)}
    simulated.log.put_new(neighbours)
    assert simulated.folding.fold_new(NEIGHBOUR, [neighbours], simulated.now_ms) == 1
    simulated.settling.settle(NEIGHBOUR, "UTC", simulated.now)
    assert steps.view().pin == before
    assert steps.used("2026-11-20", "2026-11-20") == {}
    assert simulated.folding.fold_new(ORGANIZATION, [item], simulated.now_ms) == 1


def test_a_missing_keyframe_is_an_error_and_never_zero(steps: StepByStep) -> None:
    weeks_of_use(steps, range(0, 30, 3))
    pk = keys.frames(ORGANIZATION, TEST.id, 2026, 0, 0)
    steps.simulated.usage.delete(pk, keys.keyframe(date(2026, 12, 14), 0))
    for after_or_before_it in ("2026-12-15", "2026-12-10"):
        with pytest.raises(MissingKeyframe):
            steps.used("2026-11-20", after_or_before_it)
    assert steps.used("2026-11-20", "2026-12-09") == {0: (7, 7, 7)}


def test_verify_names_the_day_and_the_keyframe_that_drifted(steps: StepByStep) -> None:
    weeks_of_use(steps, range(0, 30, 3))
    audit = YearCheck(steps.view(), TEST, 2026)
    assert audit.compare().drifts == []
    pk = keys.frames(ORGANIZATION, TEST.id, 2026, 0, 0)
    steps.simulated.usage.delete(pk, keys.keyframe(date(2026, 12, 14), 0))
    delta = steps.simulated.usage.read([KeyRange(pk, "F#2026-11-26#1", "F#2026-11-26#2")])[0][0]
    steps.simulated.usage.delete(pk, delta["sk"])
    assert audit.compare().drifts == [
        Drift(TEST.id, 0, date(2026, 11, 26), "day"),
        Drift(TEST.id, 0, date(2026, 11, 30), "keyframe"),
        Drift(TEST.id, 0, date(2026, 12, 7), "keyframe"),
        Drift(TEST.id, 0, date(2026, 12, 14), "keyframe"),
        Drift(TEST.id, 0, date(2026, 11, 30), "strip"),
    ]
    steps.rebuild(ALL)
    assert YearCheck(steps.view(), TEST, 2026).compare().drifts == []


def weeks_of_use(steps: StepByStep, when: Sequence[int]) -> None:
    for day in when:
        steps.simulated.now = NOON + day * DAY
        steps.send(steps.use("ann", steps.simulated.now, 1, 1))
        steps.settle()


@pytest.mark.parametrize(
    ("first", "last", "queries"),
    [
        ("2026-06-03", "2026-09-10", 2),
        ("2026-06-03", "2026-06-06", 1),
        ("2026-01-01", "2026-09-10", 1),
        ("2025-06-03", "2026-05-30", 3),
    ],
)
def test_a_range_of_any_length_takes_as_many_queries(first: str, last: str, queries: int) -> None:
    steps = StepByStep()
    weeks_of_use(steps, [-600, -322, 0])
    view = steps.view()
    asked: list[str] = []
    steps.simulated.usage.before_each = asked.append
    measure(view, TEST, days(first, last))
    assert asked == ["read"] * queries


def test_an_organization_that_moves_counts_the_days_of_its_new_zone_after_a_rebuild() -> None:
    steps = StepByStep("America/New_York")
    night = epoch_second(datetime(2026, 11, 20, 1, tzinfo=UTC))
    evening = [steps.use("ann", night + day * DAY, 5, 1, product=APP) for day in (0, 1)]
    steps.send(*evening)
    steps.simulated.pass_time(3 * DAY)
    steps.settle()
    assert steps.used("2026-11-20", "2026-11-21", APP) == {0: (10, 2, 2)}
    one_night = Period(*(datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (0, 20)))
    assert steps.view().head.zone == "America/New_York"
    assert steps.simulated.rebuilding.wanted(ORGANIZATION, "Asia/Tokyo") == LOCAL
    steps.rebuild(LOCAL, "Asia/Tokyo")
    assert steps.view().head.zone == "Asia/Tokyo"
    assert steps.simulated.rebuilding.wanted(ORGANIZATION, "Asia/Tokyo") is None
    assert rows(measure(steps.view(), APP, one_night)) == {0: (5, 1, 1)}


def test_a_year_with_much_that_came_late_is_worth_a_rebuild(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 1))
    steps.settle()
    random = Random(5)
    for batch in range(5):
        steps.send(
            *(
                steps.use(
                    f"user {who}",
                    NOON - 90 * DAY,
                    1,
                    random.randrange(2**40),
                    name=f"{batch} {who}",
                )
                for who in range(1000 * batch, 1000 * batch + 1000)
            )
        )
        steps.settle()  # or the last ones would wait
    scope = f"{TEST.id}#2026"
    assert steps.simulated.rebuilding.wanted(ORGANIZATION, "UTC") is None
    weigh = steps.view().head.late_bytes[scope]
    assert 20_000 < weigh < 32_768
    steps.send(
        *(
            steps.use(f"user {who}", NOON - 91 * DAY, 1, random.randrange(2**40))
            for who in range(2000)
        )
    )
    steps.settle()
    assert steps.simulated.rebuilding.wanted(ORGANIZATION, "UTC") == scope
    before = steps.used("2026-08-01", "2026-11-20")
    steps.rebuild(scope)
    assert steps.view().head.late_bytes == {}
    assert steps.used("2026-08-01", "2026-11-20") == before


def test_a_rebuild_on_its_way_is_not_overtaken_by_another(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 1))
    steps.settle()
    for scope in (LOCAL, ALL):
        steps.simulated.rebuilding.request(ORGANIZATION, scope, "UTC")
    while steps.simulated.rebuilding.rebuild(ORGANIZATION, steps.simulated.now):
        pass
    assert steps.view().head.generations == {LOCAL: 1}


def test_users_of_several_products_are_counted_once(steps: StepByStep) -> None:
    steps.send(
        steps.use("ann", NOON, 1, 1),
        steps.use("ann", NOON, 1, product=VISUAL),
        steps.use("bob", NOON, 1, product=VISUAL),
    )
    day = Period.of_days(date(2026, 11, 20), date(2026, 11, 20), UTC)
    used = [measure(steps.view(), product, day) for product in (TEST, VISUAL)]
    assert distinct_users(used) == [0, 1]
    assert [each.totals for each in used] == [{"tests": 1, "duration_ms": 1}, {"screenshots": 2}]


def test_last_activity_months_and_coverage_follow_the_events(steps: StepByStep) -> None:
    steps.send(
        steps.use("ann", NOON - 40 * DAY, 5, 1, product=APP, platform=2),
        steps.use("ann", NOON - 60, 5, 1, product=APP, platform=1),
        steps.use("bob", NOON, 1, 1),
    )
    steps.settle()
    steps.send(steps.use("ann", NOON - DAY, 5, 1, product=APP, platform=1))
    steps.settle()
    view = steps.view()
    seen = {0: LastActive(NOON - 60, NOON - 40 * DAY), 1: LastActive()}
    assert last_active(view, [0, 1]) == seen
    months = users_by_month(view, date(2026, 9, 1), date(2026, 11, 1))
    assert dict(months) == {date(2026, 10, 1): 0b01, date(2026, 11, 1): 0b11}
    (found,) = received(view, [APP.id])
    assert found.by_source == {"ci": Coverage.of([NOON - 40 * DAY, NOON - 60, NOON - DAY])}


def partitions(steps: StepByStep, kind: str) -> set[str]:
    return {item["pk"] for item in steps.simulated.usage.everything() if f"#{kind}#" in item["pk"]}


def test_replaced_frames_go_when_no_cursor_can_name_them(steps: StepByStep) -> None:
    weeks_of_use(steps, range(0, 30, 3))
    pin, whole = steps.view().pin, days("2026-11-20", "2026-12-19")
    seen = rows(measure(steps.view(), TEST, whole))
    both = {keys.frames(ORGANIZATION, TEST.id, 2026, g, 0) for g in (0, 1)}
    steps.rebuild(ALL)
    for hours, left in [(0, both), (25, both), (2, both - {min(both)})]:
        steps.simulated.pass_time(3600 * hours)
        while steps.simulated.retirement.generations(ORGANIZATION, steps.simulated.now):
            pass
        assert partitions(steps, "R") == left
        if left == both:
            pinned = View.pinned(ORGANIZATION, steps.simulated.usage, pin, steps.simulated.now)
            assert rows(measure(pinned, TEST, whole)) == seen
    assert rows(measure(steps.view(), TEST, whole)) == seen
    steps.rebuild(ALL)
    while steps.simulated.retirement.generations(ORGANIZATION, steps.simulated.now):
        pass
    assert partitions(steps, "R") == {
        keys.frames(ORGANIZATION, TEST.id, 2026, g, 0) for g in (1, 2)
    }


def test_years_that_are_not_kept_leave_nothing_and_change_nothing_else(
    steps: StepByStep,
) -> None:
    weeks_of_use(steps, [-700, -400, -100, 0])
    steps.rebuild(ALL)
    kept = steps.used("2026-01-01", "2026-11-20")
    while steps.simulated.retirement.years(ORGANIZATION, 2026):
        pass
    assert steps.used("2026-01-01", "2026-11-20") == kept == {0: (2, 2, 2)}
    assert steps.used("2024-01-01", "2025-12-31") == {}
    assert {name.split("#")[3] for name in partitions(steps, "R")} == {"2026"}
    dates = {name.split("#")[2] for name in partitions(steps, "I")}
    assert dates == {"2026-08-12", "2026-11-20"}


def test_what_is_retired_goes_in_bounded_calls_and_batches(
    steps: StepByStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer.engine.write.retire.MOST_REMOVED", 20)
    monkeypatch.setattr("odometer.engine.write.retire._RANGES_AT_ONCE", 1)
    weeks_of_use(steps, range(-700, 0, 3))
    simulated, sizes = steps.simulated, []
    delete_all = simulated.usage.delete_all

    def count(keys: Iterable[tuple[str, str]]) -> None:
        removed = list(keys)
        sizes.append(len(removed))
        delete_all(removed)

    monkeypatch.setattr(simulated.usage, "delete_all", count)
    calls = 0
    while simulated.retirement.years(ORGANIZATION, 2026):
        calls += 1
        assert sum(sizes) <= calls * (20 + 100)
    assert sum(sizes) > 300
    assert calls > 3
    assert {name.split("#")[3] for name in partitions(steps, "R")} == {"2026"}


def test_events_of_a_product_that_the_directory_lacks_wait_for_it(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 10))
    steps.simulated.products = [VISUAL]
    with pytest.raises(UnknownProduct):
        steps.settle()
    steps.simulated.products = PRODUCTS
    steps.settle()
    assert steps.view().unsettled == []
    assert steps.used("2026-11-20", "2026-11-20") == {0: (1, 10, 1)}
