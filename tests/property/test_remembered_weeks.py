"""Readings that processes remember against brute force: the same few weeks, again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.memory import Memory
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from tests.property.test_engine import DAY, LARGE_SIZES, SIZES, STEPS, ZONES, Seen
from tests.property.test_growing_kinds import OWN, GrowingHistory, Grown, catalog
from tests.support.simulated_engine import (
    ORGANIZATION,
    PRODUCTS,
    brute_force,
    period,
    rows,
)

BEGINNINGS = [
    datetime(2026, 3, 9, 1, tzinfo=UTC),
    datetime(2026, 10, 12, 22, tzinfo=UTC),
    datetime(2026, 12, 10, 9, tzinfo=UTC),
    datetime(2024, 12, 12, 23, 30, tzinfo=UTC),
    datetime(2025, 12, 8, 12, tzinfo=UTC),
    datetime(2027, 12, 15, tzinfo=UTC),
]
"""Some weeks later clocks change, or a year ends on another day of the week."""
USERS = [*["ann"] * 6, *["bob"] * 3, "cid", "dot", "eve", "fay", "gus", "hal"]
"""Some of them are new, with shards of their own, when weeks are over already."""
HOUR = 3600
MEMORIES = [10**6, 10**6, 8_000, 3_000]
QUESTIONS = 5
WEEKS_STEPS = [*STEPS, *["send"] * 4, *["wait"] * 6, *["settle"] * 5, *["night"] * 6, *["grow"] * 3]


@dataclass
class Weeks(GrowingHistory):
    """A history of some weeks, about which processes are asked that remember what they read."""

    memories: Sequence[Memory] = field(default_factory=lambda: list(map(Memory, MEMORIES)))

    def event(self, random: Random) -> Event[str]:
        days_ago = random.choice([0, 0, 0, 0, 0, 1, 2, 3, 6, 8, 15, 30, 370])
        second = self.simulated.now - days_ago * DAY - random.randrange(DAY)
        return super().event(random)._replace(who=random.choice(USERS), second=second)

    def wait(self, random: Random) -> None:
        self.simulated.pass_time(random.choice([HOUR, 7 * HOUR, DAY, DAY, DAY, 2 * DAY, 5 * DAY]))

    def grow(self, random: Random) -> None:
        """A measure comes when no plan is settled in part."""
        while self.simulated.settle():
            pass
        super().grow(random)

    def night(self, random: Random) -> None:
        """Whoever looked before it goes on after it, when a week may be over."""
        self.look(random)
        self.send(random)
        self.simulated.pass_time(DAY)
        self.send(random)
        while self.simulated.settle():
            pass
        self.look(random)

    def close(self) -> None:
        """Look once more; that nothing is lost when all is settled, other histories show."""
        self.look(Random(0))

    def compare(self, view: View, random: Random) -> None:
        """Ask the same of this view and of older ones, of processes that were asked before."""
        product = random.choice([self.products[0], *self.products])
        asked = [(view, product), *self.older_views(product, random)]
        days = [some_days(random) for _ in range(QUESTIONS)]
        for memory in random.sample(self.memories, 2):
            first_kept = random.choice([0, 0, 0, 2025, 2026, 2027])
            for each, known_as in asked:
                warm = replace(each, memory=memory.of(ORGANIZATION), first_kept=first_kept)
                self.ask(warm, known_as, days)
            assert 0 <= memory.weight <= memory.most

    def older_views(
        self, product: MeteredProduct, random: Random
    ) -> Iterator[tuple[View, MeteredProduct]]:
        """Views that cursors keep, and the product with the measures that it had then."""
        now = self.simulated.now
        own = [seen for seen in self.pins if seen.product.id == product.id]
        living = [seen for seen in own if now - seen.at <= DAY]
        for seen in random.sample(living, min(2, len(living))):
            view = View.pinned(ORGANIZATION, self.simulated.usage, seen.pin, now)
            yield view, seen.product

    def ask(self, view: View, product: MeteredProduct, days: Sequence[range]) -> None:
        """Whole days, counted from today as the product counts them."""
        zone = calendar.zone_of(product.kind, view.head.zone)
        today = calendar.day_of(self.simulated.now, zone)
        decided = self.simulated.seen_by(view)
        for some in days:
            ends = [today + timedelta(day) for day in (some.start, some.stop)]
            seconds = calendar.seconds_of(ends[0], ends[1], zone)
            figures = rows(measure(view, product, period(seconds)))
            assert figures == brute_force(decided, product, seconds, view.head.zone)
        self.pins.append(Seen(self.simulated.now, view.pin, product, seconds, figures))


def some_days(random: Random) -> range:
    """Days of these weeks, counted from today; some begin a year ago."""
    end = 1 - random.randint(0, 25)
    return range(end - random.choice([*range(1, 11), 12, 14, 17, 21, 366]), end)


@settings(max_examples=settings().max_examples // 40)
@given(
    start=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(ZONES),
    products=st.lists(st.sampled_from(PRODUCTS), max_size=1),
    spread=st.sampled_from([*[1] * 9, 5_000]),
    lanes=st.sampled_from([1, 1, 1, 2, 4]),
    sizes=st.sampled_from([SIZES, SIZES, LARGE_SIZES]),
    steps=st.lists(
        st.tuples(st.sampled_from(WEEKS_STEPS), st.integers(0, 2**32)), min_size=30, max_size=90
    ),
)
def test_figures_are_exact_whatever_processes_remember_of_weeks(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    lanes: int,
    sizes: list[int],
    steps: list[tuple[str, int]],
) -> None:
    own = [OWN, *products]
    simulated = Grown(epoch_second(start), zone, catalog(own), spread, lanes=lanes)
    Weeks(simulated, own, sizes=sizes).run(steps)
