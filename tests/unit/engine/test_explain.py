"""What a figure is the sum of: each term with its key and sign, and the events that it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, instant_at
from odometer.engine.format import inside, piles
from odometer.engine.format.frames import SHARD
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct, metered
from odometer.engine.read.explain import (
    ExplainedEvent,
    Explanation,
    Part,
    TermKind,
    explain_days,
    explain_days_of_some,
    explain_measure,
    explain_value,
    sum_of,
)
from odometer.engine.write import chunks
from odometer.engine.write import inside as writing
from tests.support.simulated_engine import PRODUCTS, SimulatedEngine
from tests.unit.engine.test_engine import DAY, NOON, StepByStep

TESTS, APP = PRODUCTS[0], PRODUCTS[-1]
FIRST = datetime(2026, 11, 16, tzinfo=UTC)
APART = SHARD // 2
ANN, BOB, CID = 0, APART, 2 * APART
READING, DELTA, SEGMENT, LATE, ON_DAY = (
    TermKind.READING,
    TermKind.DELTA,
    TermKind.SEGMENT,
    TermKind.LATE,
    TermKind.DAY,
)


def days(first: int, end: int) -> Period:
    """Days after Friday, 20 November."""
    friday = FIRST + timedelta(days=4)
    return Period(friday + timedelta(days=first), friday + timedelta(days=end))


@pytest.fixture(scope="module")
def steps() -> StepByStep:
    """Use of Friday to the Wednesday after the next week; something came late, and some is new."""
    steps = StepByStep(spread=APART)
    simulated = steps.simulated
    simulated.products = [*PRODUCTS, TOTALS, PEOPLE]
    uses = {0: "ann bob cid", 1: "ann", 4: "bob", 11: "ann cid", 12: "bob"}
    for day, names in uses.items():
        simulated.pass_time(NOON + DAY * day - simulated.now)
        for who in names.split():
            steps.send(steps.use(who, simulated.now, 10 + day, 1, name=f"{who} {day}"))
            steps.send(steps.use(who, simulated.now, 5, product=APP, platform=1))
        steps.settle()
    steps.send(steps.use("ann", NOON + 2 * DAY, 100, 1, name="late"))
    steps.settle()
    steps.send(steps.use("bob", NOON + 3 * DAY, 1_000, 1, name="later"))
    steps.send(steps.use("cid", NOON + 12 * DAY, 10_000, 1, name="new"))
    return steps


def explained(steps: StepByStep, period: Period, users: set[int] | None = None) -> Explanation:
    return explain_measure(steps.view(), TESTS, TESTS.kind.measures[0], period, users)


def shown(found: Explanation) -> list[tuple[TermKind, int, int]]:
    return [(part.kind, part.sign, part.value) for part in found.parts]


def test_days_of_a_week_are_its_deltas(steps: StepByStep) -> None:
    found = explained(steps, days(0, 2))
    frames = f"R#{TESTS.id}#2026#0"
    deltas = [part for part in found.parts if part.kind is DELTA]
    assert [(part.sign, part.value) for part in deltas] == [(1, 20), (1, 11), (1, 10)]
    assert deltas[0].key.startswith(f"{frames}#0/F#2026-11-20#1#")
    assert deltas[2].key.startswith(f"{frames}#1/F#2026-11-20#1#")
    assert (found.value, found.events, found.users) == (41, [], ())


def test_weeks_are_differences_of_readings(steps: StepByStep) -> None:
    found = explained(steps, days(3, 12), {ANN, BOB})
    signs = [(kind, sign) for kind, sign, _ in shown(found) if kind is not LATE]
    assert (READING, 1) in signs
    assert (READING, -1) not in signs or found.value
    assert found.value == 1_000 + 14 + 21
    late = [part for part in found.parts if part.key.startswith("F/")]
    (part,) = late
    view = steps.view()
    first, last = view.head.upto[0] + 1, view.upto[0]
    assert part == Part(LATE, f"F/{first:010d}..{last:010d}", 1, 1_000)


def test_what_came_late_is_a_term_of_its_own(steps: StepByStep) -> None:
    found = explained(steps, days(2, 3))
    (late,) = (part for part in found.parts if part.kind is LATE)
    assert late.key.startswith(f"R#{TESTS.id}#2026#0#0/L2#")
    assert (late.sign, late.value, found.value) == (1, 100, 100)


def test_parts_of_days_are_their_events(steps: StepByStep) -> None:
    period = Period(
        datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 12, 1, tzinfo=UTC)
    )
    found = explained(steps, period, {ANN, CID})
    assert shown(found) == [(SEGMENT, 1, 20)]
    assert found.parts[0].key == f"E#{TESTS.id}/2026-11-20"
    assert found.events == [ExplainedEvent(NOON, ANN, 10), ExplainedEvent(NOON, CID, 10)]
    assert (found.outside, found.people) == (0, [ANN, CID])
    before = Period(period.start - timedelta(hours=1), period.start)
    assert (explained(steps, before).value, explained(steps, before).outside) == (0, 3)


def test_the_open_day_is_what_is_settled_of_it_and_what_is_not(steps: StepByStep) -> None:
    found = explained(steps, days(12, 13))
    assert shown(found) == [(SEGMENT, 1, 10_022)]
    assert [(event.who, event.value) for event in found.events] == [(BOB, 22), (CID, 10_000)]


def test_what_later_plans_wrote_is_not_in_a_figure(steps: StepByStep) -> None:
    view = steps.view()
    before = replace(view, head=replace(view.head, plan=view.head.plan - 1))
    found = explain_measure(before, TESTS, TESTS.kind.measures[0], days(12, 13), None)
    assert found.later_items == 0
    first = replace(view, head=replace(view.head, plan=1, sealed=NOON), unsettled=())
    found = explain_measure(first, TESTS, TESTS.kind.measures[0], days(0, 13), None)
    assert found.value == 30
    assert found.later_items > 0


def test_days_of_somebody_are_days_with_use(steps: StepByStep) -> None:
    view, catalog = steps.view(), steps.simulated.products
    for product in (TESTS, APP):
        found = [explain_days(view, catalog, product, days(0, 13), who) for who in (ANN, CID, None)]
        extra = 1 if product is TESTS else 0
        wanted = [3 + extra, 2 + extra, 5 + 2 * extra]
        assert [each.value for each in found] == wanted
        (named,) = {event.who for event in found[1].events} or {CID}
        assert named == CID


def test_days_of_some_are_told_by_their_dates(steps: StepByStep) -> None:
    found = explain_days_of_some(steps.view(), TESTS, days(0, 13), {ANN, CID})
    dates = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-12-01", "2026-12-02"]
    assert found == Explanation([Part(ON_DAY, day, 1, 1) for day in dates])


def test_a_value_is_explained_without_saying_whose_it_is() -> None:
    kind = replace(KINDS["test"], name="document", breakdowns=("format", "plan"))
    product = MeteredProduct("editor", kind)
    simulated = SimulatedEngine(NOON, "UTC", metered([product]))
    steps = StepByStep()
    steps.simulated = simulated
    for at, values in enumerate([("pdf", "gold"), ("svg", ""), (), ("pdf", "")]):
        event = steps.use(f"user {at}", NOON, 10**at, product=product)
        steps.send(event._replace(values=values))
    view, measure = steps.view(), kind.measures[0]
    number = simulated.subjects.known["document", 0].number("pdf")
    found = explain_value(view, product, measure, days(0, 1), "format", number)
    assert (found.value, [event.who for event in found.events]) == (1_001, [None, None])
    rest = explain_value(view, product, measure, days(0, 1), "format", None)
    assert rest.value == 100
    assert sorted(event.value for event in rest.events) == [-1_000, -10, -1, 1, 10, 100, 1_000]
    assert explain_value(view, product, measure, days(0, 1), "plan", None).value == 1_110


def test_figures_are_added_taken_away_and_shown_in_other_units() -> None:
    one = Explanation(
        [Part(DELTA, "a", 1, 5), Part(READING, "b", -1, 2)], [ExplainedEvent(9, 1, 4)], (), 1, 2
    )
    other = Explanation([Part(LATE, "c", 1, 7)], [ExplainedEvent(8, 2, 3)], (), 3, 4)
    assert (one.value, one.people, one.entries) == (3, [1], one.events)
    both = sum_of([one, other])
    assert both == Explanation([*one.parts, *other.parts], [*other.events, *one.events], (), 4, 6)
    assert one.taken_away() == Explanation(
        [Part(DELTA, "a", -1, 5), Part(READING, "b", 1, 2)], [ExplainedEvent(9, 1, -4)], (), 1, 2
    )
    assert one.times(10) == Explanation(
        [Part(DELTA, "a", 1, 50), Part(READING, "b", -1, 20)], [ExplainedEvent(9, 1, 40)], (), 1, 2
    )
    assert one.of_nobody().events == [ExplainedEvent(9, None, 4)]
    users = Explanation(users=(4, 5), events=one.events)
    assert (users.value, users.entries, users.people) == (2, (4, 5), [4, 5, 1])


@pytest.fixture
def frames_inside_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """After hardly any events."""
    for module in (inside, writing, chunks):
        monkeypatch.setattr(module, "weight_of", lambda _: 40)
    monkeypatch.setattr(inside, "EVENT_BYTES", 8)
    monkeypatch.setattr(inside, "SMALLEST_ITEM", 1)
    monkeypatch.setattr(writing, "PLANS_BETWEEN", 1)
    monkeypatch.setattr(piles, "SHEET_EVENTS", 2)


@pytest.mark.usefixtures("frames_inside_days")
@pytest.mark.parametrize(
    ("days_later", "first", "end", "kind", "signs"),
    [
        (0, NOON - DAY // 2, NOON + 5_000, "O", {1}),
        (0, NOON + 2_500, NOON + 4_000, "", set()),
        (2, NOON + 2_500, NOON + 4_000, "T", {1, -1}),
    ],
    ids=["open", "part of an open day", "sealed"],
)
def test_frames_inside_days_are_terms_beside_the_events_since(
    days_later: int, first: int, end: int, kind: str, signs: set[int]
) -> None:
    steps, sent = StepByStep(spread=APART), []
    for turn in range(8):
        now = steps.simulated.now
        for place, who in enumerate(["ann", "bob", "cid"]):
            value = 10**place * (turn + 1)
            steps.send(steps.use(who, now, value))
            sent.append((now, place * APART, value))
        steps.settle()
        steps.simulated.pass_time(600)
    steps.simulated.pass_time(days_later * DAY)
    steps.settle()
    found = explained(steps, Period(instant_at(first), instant_at(end)), {ANN, CID})
    mine = [(at, who, value) for at, who, value in sent if who != BOB and first <= at < end]
    assert found.value == sum(value for _, _, value in mine)
    frames = [part for part in found.parts if part.kind is READING]
    assert {part.key.split("/")[1][0] for part in frames} == set(kind)
    assert {part.sign for part in frames} == signs
    (rest,) = (part for part in found.parts if part.kind is SEGMENT)
    assert rest.value == sum(event.value for event in found.events)
    assert {event.who for event in found.events} <= {ANN, CID}
    assert found.outside >= 0
