"""The ledger of a product: deltas and late items as events come, keyframes as weeks are sealed.

Whatever is written here is a function of the plan that it is written for and of what earlier plans
wrote, so that it may be written again by anyone at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import partial, reduce
from itertools import chain
from typing import NamedTuple

from odometer.readings import calendar, keys, segments
from odometer.readings.decisions import Product
from odometer.readings.frames import Frame, check, from_attributes, parts, to_attributes, total
from odometer.readings.segments import Segment, by_day, day_frames
from odometer.readings.shelf import Item, Shelf, Span


class MissingKeyframe(RuntimeError):
    """A keyframe that must exist cannot be read: the reading is unknown, not zero."""


def frames_in(items: Iterable[Item], plan: int, product: Product) -> list[Frame]:
    """The frames that this plan or an earlier one wrote."""
    measures = len(product.kind.measures)
    return [from_attributes(i, measures) for i in items if keys.plan_of(i["sk"]) <= plan]


def day_spans(pk: str, day: date, *, strong: bool = True) -> list[Span]:
    """Where the deltas and the late items of a day are."""
    starts = (keys.deltas_from(day), keys.late_from(day))
    return [Span(pk, start, start + keys.TOP, strong) for start in starts]


def without_days(frame: Frame, known: Iterable[Frame]) -> Frame:
    """The frame of a day, less the flags of users whose day is counted already."""
    return (*frame[:-1], reduce(lambda days, other: days & ~other[-1], known, frame[-1]))


class Run(NamedTuple):
    """The items that add up to a reading: the keyframe of a week and the deltas since.

    The first run of a year begins with nothing, and the reading at its end is a keyframe alone.
    """

    pk: str
    year: int
    base: date
    day: date

    @classmethod
    def of(cls, pk: str, year: int, day: date) -> Run:
        """The reading at the start of a day, or at the end of the year."""
        return cls(pk, year, calendar.base(day), day)

    def span(self, *, strong: bool = True) -> Span:
        """Where the items are."""
        last = max(keys.deltas_from(self.base), keys.frames_from(self.day))
        return Span(self.pk, keys.frames_from(self.base), last, strong)

    def frame(self, shelf: Shelf, items: Sequence[Item], plan: int, product: Product) -> Frame:
        """The reading, as one plan left it; never a reading without its keyframe."""
        if not any(item["sk"] < keys.deltas_from(self.base) for item in items):
            self._require_nothing_before(shelf)
        return total(frames_in(items, plan, product), len(product.kind.measures))

    def _require_nothing_before(self, shelf: Shelf) -> None:
        """A week begins without a keyframe only where nobody had used anything."""
        before = Span(self.pk, "F", keys.frames_from(self.base), limit=1)
        if self.base != calendar.new_year(self.year) and shelf.read([before])[0]:
            raise MissingKeyframe(self.pk, self.base)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one plan writes into the frames of one product."""

    organization: str
    shelf: Shelf
    product: Product
    zone: tzinfo
    generation: Callable[[int], int | None]
    """Of a year; a year without one is left alone."""
    plan: int

    def bring(self, events: Segment, sealed: date) -> Counter[int]:
        """Write what comes to days that are sealed; by year, the bytes that came late."""
        weights: Counter[int] = Counter()
        until = range(calendar.start(sealed, self.zone))
        for day, within in by_day([events], until, self.zone):
            if self.generation(day.year) is not None:
                for shard, frame in day_frames(within, self.product).items():
                    weights[day.year] += self._add(day, shard, frame, sealed)
        return weights

    def seal(self, first: date, end: date, shards: int) -> None:
        """Write the deltas of days, and the keyframe at the end of every week and year."""
        for start, cut in calendar.stretches(first, end):
            if self.generation(start.year) is not None:
                self._put_deltas(start, cut)
                if cut == calendar.next_edge(start):
                    for shard in range(shards):
                        self._put_keyframe(start, cut, shard)

    def _add(self, day: date, shard: int, frame: Frame, sealed: date) -> int:
        """Write one more delta, or a late item where the keyframe stands already."""
        spans = day_spans(self._pk(day.year, shard), day)
        items = chain.from_iterable(self.shelf.read(spans))
        addition = without_days(frame, frames_in(items, self.plan - 1, self.product))
        key = keys.late if calendar.next_edge(day) <= sealed else keys.delta
        weight = self._put(day.year, shard, partial(key, day, self.plan), addition)
        return weight if key is keys.late else 0

    def _put_deltas(self, first: date, end: date) -> None:
        seconds = range(*(calendar.start(day, self.zone) for day in (first, end)))
        span = segments.span(self.organization, self.product.id, seconds)
        found = segments.from_items(self.shelf.read([span])[0], self.plan, self.product)
        for day, within in by_day(found, seconds, self.zone):
            for shard, frame in day_frames(within, self.product).items():
                self._put(day.year, shard, partial(keys.delta, day, self.plan), frame)

    def _put_keyframe(self, start: date, edge: date, shard: int) -> None:
        run = Run(self._pk(start.year, shard), start.year, calendar.base(start), edge)
        (items,) = self.shelf.read([run.span()])
        frame = run.frame(self.shelf, items, self.plan, self.product)
        if any(frame):
            self._put(start.year, shard, partial(keys.keyframe, edge), check(frame))

    def _put(self, year: int, shard: int, key: Callable[[int], str], frame: Frame) -> int:
        """Store a frame, in parts where it is too large; its bytes."""
        weight = 0
        for part, piece in enumerate(parts(frame)):
            attributes = to_attributes(piece)
            self.shelf.put({"pk": self._pk(year, shard), "sk": key(part), **attributes})
            weight += sum(map(len, attributes.values()))
        return weight

    def _pk(self, year: int, shard: int) -> str:
        generation = self.generation(year) or 0
        return keys.frames(self.organization, self.product.id, year, generation, shard)
