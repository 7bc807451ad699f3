"""The engine against brute force: whatever happens, in whatever order, figures are exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import epoch_second, instant_at
from odometer.engine import calendar
from odometer.engine.format.decisions import ALL, LOCAL
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item
from odometer.engine.write.audit import Audit
from odometer.engine.write.fold import Limits
from odometer.engine.write.steps import BUDGET
from tests.property.interleaving import Interleaving
from tests.support.memory_store import dying
from tests.support.simulated_engine import (
    ORGANIZATION,
    PRODUCTS,
    Row,
    SimulatedEngine,
    brute_force,
    period,
    rows,
)

DAY = 86_400
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/St_Johns",
    "Pacific/Kiritimati",
]
BEGINNINGS = [
    datetime(2026, 3, 28, 21, 30, tzinfo=UTC),
    datetime(2026, 4, 23, 20, 0, tzinfo=UTC),
    datetime(2026, 12, 30, 9, 0, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 0, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
]
SIZES = [0, 1, 1, 7, 300, 2**40]
LARGE_SIZES = [0, 1, 2**40, 2**55, 2**56, 2**60, 2**63, 2**64 - 1]
"""Of measures: events never say more than 2^40, but many of them may come to any of these."""
STRIDES = [5, 100, 600, 3600, 7 * 3600, DAY, 3 * DAY, 8 * DAY, 40 * DAY]


ROUNDS_TO_OPEN = 8
"""Folding and settling so often opens the youngest lane, after all that it waits for."""


class Seen(NamedTuple):
    """What was seen, when and where; a cursor brings it back for a day."""

    at: int
    pin: dict[str, Any]
    product: MeteredProduct
    seconds: range
    figures: dict[int, Row]


@dataclass
class History:
    """A simulated engine, the steps that may be taken, and what was seen before."""

    simulated: SimulatedEngine
    products: list[MeteredProduct]
    entries: list[Item] = field(default_factory=list)
    pins: list[Seen] = field(default_factory=list)
    sizes: Sequence[int] = tuple(SIZES)

    version: int = 0

    def run(self, steps: Sequence[tuple[str, int]]) -> None:
        """Do all of this, each step with chance of its own, and see that nothing is amiss."""
        for what, seed in steps:
            self.take(what, Random(seed))
        self.close()

    def take(self, what: str, random: Random) -> None:
        getattr(self, what)(random)

    def send(self, random: Random) -> None:
        events = [self.event(random) for _ in range(random.choice([1, 1, 2, 5]))]
        lands_after = random.choice([0, 0, 0, 3, 19])
        entries = self.simulated.accept_in_lanes(events, random, lands_after)
        self.entries += entries
        if random.random() < 0.6:
            self.fold_new(random, entries)

    def event(self, random: Random) -> Event[str]:
        product = random.choice(self.products)
        days_ago = random.choice([0, 0, 0, 1, 1, 2, 6, 7, 30, 365, 366, 730])
        moment = random.choice([-299, 0, 60, 3600, 5 * 3600, 9 * 3600])
        source = random.choice(["ci", "laptop"])
        wide = len(product.kind.measures)
        measures = [random.choice(self.sizes) for _ in range(wide)]
        measures[random.randrange(wide)] += not any(measures)
        return Event(
            who=random.choice(["ann", "ann@example.com", "bob", "cid", "dot", "eve"]),
            product=product.id,
            source=source,
            second=self.simulated.now - days_ago * DAY - moment,
            platform=random.choice([1, 2]) if product.kind.platforms else 0,
            measures=(*measures, *[0] * (LEAST_MEASURES - wide)),
            digest=digest_of(source, str(random.randrange(12))),
        )

    def resend(self, random: Random) -> None:
        """Send events again, some with another product and content."""
        known = [event for those in self.simulated.sent.values() for event in those]
        events = random.choices(known, k=2) if known else []
        for event in events:
            other = self.event(random)._replace(second=event.second, digest=event.digest)
            batch = [random.choice([event, other])]
            self.entries += self.simulated.accept_in_lanes(batch, random, random.choice([0, 5]))
        self.fold_new(random, self.entries[-2:])

    def fold_new(self, random: Random, entries: list[Item] | None = None) -> None:
        """Fold the newest entries, or some again, late or in another order."""
        some = entries or random.sample(self.entries, min(3, len(self.entries)))
        in_flight = [item for _, item in self.simulated.in_flight]
        landed = [entry for entry in some if entry not in in_flight]
        memory = random.choice([self.simulated.folding, self.simulated.fold_elsewhere()])
        memory.fold_new(ORGANIZATION, landed, self.simulated.now_ms)

    def fold_outstanding(self, random: Random) -> None:
        folding = random.choice([self.simulated.folding, self.simulated.fold_elsewhere()])
        folding.fold_outstanding(ORGANIZATION, self.simulated.now_ms)

    def sweep_the_day(self, random: Random) -> None:
        """Audit pieces of one entry or two."""
        auditing = Audit(self.simulated.folding, most_events=2)
        for _ in range(random.choice([1, 3, 20])):
            assert auditing.step(ORGANIZATION, self.simulated.now_ms).missed == 0

    def settle(self, random: Random) -> None:
        """A whole plan, or some of its steps."""
        self.simulated.settle(random.choice([1, 2, 5, 40, BUDGET]))

    def request(self, random: Random) -> None:
        product = random.choice(self.products)
        year = datetime.fromtimestamp(self.simulated.now, UTC).year - random.randrange(2)
        own = f"{product.id}#{year}"
        scope = random.choice([ALL, LOCAL, f"{ALL}#{year}", own, own])
        self.simulated.rebuilding.request(ORGANIZATION, scope, self.simulated.zone)

    def rebuild(self, random: Random) -> None:
        for _ in range(random.choice([1, 3, 100])):
            budget = random.choice([1, 1, 30, BUDGET])
            if not self.simulated.rebuilding.rebuild(ORGANIZATION, self.simulated.now, budget):
                break

    def retire(self, random: Random) -> None:
        while self.simulated.retirement.generations(ORGANIZATION, self.simulated.now):
            pass

    def move(self, random: Random) -> None:
        self.simulated.zone = random.choice(ZONES)
        self.simulated.rebuilding.request(ORGANIZATION, LOCAL, self.simulated.zone)

    def wait(self, random: Random) -> None:
        self.simulated.pass_time(random.choice(STRIDES))

    def die(self, random: Random) -> None:
        act = self._work(random)
        with dying(self.simulated.usage, random.choice([0, 1, 2, 3, 5, 8, 13, 21])):
            act()

    def work_at_once(self, random: Random) -> None:
        """Two or three at work at once, of which some die."""
        workers = [
            (self._work(random), random.choice([0, 1, 2, 4, 9, 16, *[10**6] * 6]))
            for _ in range(random.choice([2, 2, 3]))
        ]
        Interleaving(random, [self.simulated.usage, self.simulated.log]).run(*workers)

    def settle_at_once(self, random: Random) -> None:
        """Two settle and rebuild, while more keeps coming in."""
        each = [
            ["settle", "settle"],
            ["settle", "settle"],
            ["send", "fold_new"] * 2,
        ]
        each += [["rebuild", "rebuild"]] * random.choice([0, 0, 1, 2])
        workers = [(self._some_steps(steps, random), 10**6) for steps in each]
        Interleaving(random, [self.simulated.usage, self.simulated.log]).run(*workers)

    def _work(self, random: Random) -> Callable[[], object]:
        """Some steps of one worker, one after the other."""
        return self._some_steps(random.choices(WORK, k=random.choice([1, 1, 2, 3])), random)

    def _some_steps(self, steps: list[str], random: Random) -> Callable[[], object]:
        own = Random(random.getrandbits(32))
        return lambda: list(map(partial(self.take, random=own), steps))

    def peek(self, random: Random) -> None:
        """Look while others are at work."""
        self.compare(self.simulated.view(), random)

    def look(self, random: Random) -> None:
        """Any range of any product equals brute force, and so does what was seen before."""
        view = self.simulated.view()
        assert len(view.unsettled) == len(self.simulated.folds()) - sum(view.head.upto)
        assert view.head.version >= self.version
        self.version = view.head.version
        self.compare(view, random)
        living = [seen for seen in self.pins if self.simulated.now - seen.at <= DAY]
        for seen in living[-2:]:
            view = View.pinned(ORGANIZATION, self.simulated.usage, seen.pin, self.simulated.now)
            assert rows(measure(view, seen.product, period(seen.seconds))) == seen.figures

    def compare(self, view: View, random: Random) -> None:
        product, seconds = random.choice(self.products), self.seconds(random)
        decided = self.simulated.seen_by(view)
        expected = brute_force(decided, product, seconds, view.head.zone)
        warm = replace(view, memory=self.simulated.memory.of(ORGANIZATION))
        assert rows(measure(view, product, period(seconds))) == expected
        assert rows(measure(warm, product, period(seconds))) == expected
        self.pins.append(Seen(self.simulated.now, view.pin, product, seconds, expected))

    def seconds(self, random: Random) -> range:
        """To the second, or whole days of the organization's zone or of UTC."""
        length = random.choice([1, 3600, DAY, 2 * DAY, 9 * DAY, 45 * DAY, 366 * DAY, 800 * DAY])
        end = self.simulated.now + random.randint(-length, 2 * DAY)
        ends = [end - random.randint(1, length), end]
        if random.random() < 0.5:
            zone = calendar.zone_of(random.choice(self.products).kind, self.simulated.zone)
            ends = [calendar.first_second(calendar.day_of(end, zone), zone) for end in ends]
        return range(*ends)

    def close(self) -> None:
        """All that was accepted is in every figure, once, also when frames are made anew."""
        random = Random(0)
        for _ in range(ROUNDS_TO_OPEN if self.simulated.lanes > 1 else 1):
            self.simulated.pass_time(600)
            while self.simulated.folding.fold_outstanding(ORGANIZATION, self.simulated.now_ms):
                self.settle(random)
            while self.simulated.lanes > 1 and self.simulated.settle():
                pass
        decided = [event for fold in self.simulated.folds() for event in fold.events]
        assert Counter(event.identity for event in decided) == Counter(self.simulated.landed)
        assert all(self.simulated.was_sent(event) for event in decided)
        while self.simulated.settle():
            pass
        self.look(random)
        self.audit()
        self.simulated.rebuilding.request(ORGANIZATION, ALL, self.simulated.zone)
        while self.simulated.rebuilding.rebuild(ORGANIZATION, self.simulated.now):
            pass
        for _ in range(3):
            self.look(random)
        self.audit()

    def audit(self) -> None:
        """The stored frames are what the events add up to, and nobody else's were touched."""
        view = self.simulated.view()
        years = range(2021, instant_at(self.simulated.now).year + 2)
        audits = (YearCheck(view, product, year) for product in self.products for year in years)
        assert [drift for audit in audits for drift in audit.compare().drifts] == []
        items = (*self.simulated.usage.everything(), *self.simulated.log.everything())
        assert {item["pk"][: len(ORGANIZATION) + 1] for item in items} <= {f"{ORGANIZATION}#"}


WORK = [
    "send",
    "fold_new",
    "fold_outstanding",
    "settle",
    "settle",
    "settle",
    "rebuild",
    "rebuild",
    "retire",
    "peek",
]
STEPS = [
    *["send"] * 6,
    *["look"] * 3,
    *["settle"] * 4,
    *["wait"] * 4,
    *["work_at_once"] * 3,
    *["settle_at_once"] * 2,
    *["die"] * 2,
    "resend",
    "fold_new",
    "fold_outstanding",
    "sweep_the_day",
    "request",
    "rebuild",
    "rebuild",
    "move",
    "retire",
    "retire",
]


def histories(
    spreads: Sequence[int], most_products: int = 2, words: Sequence[str] = STEPS
) -> Callable[[Any], Any]:
    """Any beginning, zone and products, users so far apart, and whatever may happen."""
    steps = st.tuples(st.sampled_from(words), st.integers(0, 2**32))
    return given(
        start=st.sampled_from(BEGINNINGS),
        zone=st.sampled_from(ZONES),
        products=st.lists(
            st.sampled_from(PRODUCTS), min_size=1, max_size=most_products, unique=True
        ),
        spread=st.sampled_from(spreads),
        steps=st.lists(steps, max_size=40),
    )


@settings(max_examples=settings().max_examples)
@histories([*[1] * 19, 9_000])
def test_every_figure_equals_brute_force_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    History(SimulatedEngine(epoch_second(start), zone, products, spread), products).run(steps)


@settings(max_examples=settings().max_examples // 4)
@histories([*[1] * 19, 9_000])
def test_no_figure_is_too_large_to_be_exact(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, products, spread)
    History(simulated, products, sizes=LARGE_SIZES).run(steps)


@settings(max_examples=settings().max_examples // 4)
@histories([1])
def test_the_same_where_late_events_wait_and_hardly_anything_is_remembered(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(
        epoch_second(start),
        zone,
        products,
        spread,
        remembered=1_500,
        fold_limits=Limits(tail=2, events=3),
    )
    History(simulated, products).run(steps)
