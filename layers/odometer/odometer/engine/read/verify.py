"""Verifies frames: compares them with the events that they were made from."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from functools import partial, reduce
from itertools import chain
from typing import NamedTuple

from odometer.domain.frozen import frozen
from odometer.engine import calendar
from odometer.engine.format import keys, segments, strips
from odometer.engine.format.frames import Frame, from_attributes, plus, total
from odometer.engine.format.inside import DaySums
from odometer.engine.format.late import Late
from odometer.engine.format.products import MeteredProduct, rows_in_shard
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.read.verify_inside import InsideCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange

ROWS_AT_ONCE = 1 << 19
"""Users (or rows of a projection) whose weeks are compared in one pass through all events."""
Week = tuple[date, date]
"""The first day of a week, and the day behind its last one."""


class Drift(NamedTuple):
    """A frame that differs from the events."""

    product: str
    shard: int
    day: date
    what: str
    """`day`: deltas and late items of a day; before it, `keyframe` totals and `strip` a week;
    inside it, `chunk` and `running`."""


class Comparison(NamedTuple):
    """How many frames were compared with the events, and which of them differ."""

    frames: int
    drifts: list[Drift]


class Pair(NamedTuple):
    """What is stored of a shard by day, and what it must be."""

    what: str
    shard: int
    stored: Mapping[date, object]
    wanted: Mapping[date, object]


@frozen
class YearCheck:
    """The sealed days of one year of a product, seen from a view."""

    view: View
    product: MeteredProduct
    year: int
    products: int = 0
    """How many products the organization has, which a projection has rows for."""

    def compare(self) -> Comparison:
        """Compare some shards at a time, week by week."""
        frames, drifts = 0, list[Drift]()
        at_once = max(ROWS_AT_ONCE // rows_in_shard(self.product, self.products), 1)
        shards = range(self.view.head.shards(self.product))
        for first in shards[::at_once]:
            for what, shard, stored, wanted in self._pairs(shards[first : first + at_once]):
                days = sorted({*stored, *wanted})
                frames += len(days)
                differing = (day for day in days if stored.get(day) != wanted.get(day))
                drifts += [Drift(self.product.id, shard, day, what) for day in differing]
        drifts.sort(key=lambda drift: (drift.shard, drift.what, drift.day))
        for shard, day, what, is_right in InsideCheck(self.view, self.product, self.year).compare():
            frames += 1
            drifts += [] if is_right else [Drift(self.product.id, shard, day, what)]
        return Comparison(frames, drifts)

    def _pairs(self, shards: range) -> Iterator[Pair]:
        late = {shard: self._late(shard) for shard in shards}
        readings = dict.fromkeys(shards, total((), self.product.measures))
        for week in calendar.cut_at_keyframes(calendar.new_year(self.year), self._end):
            from_events = self._frames_of_events(week, shards)
            for shard in shards:
                items = self._items(shard, week)
                deltas = _sums(self._by_day(items, keys.is_delta))
                readings[shard] = reduce(plus, deltas.values(), readings[shard])
                expected = {
                    d: of_day[shard] for d, of_day in from_events.items() if shard in of_day
                }
                both = _sums([*deltas.items(), *late[shard].by_day(*week)])
                yield Pair("day", shard, both, expected)
                yield from self._at_the_end(week, shard, items, readings[shard])

    def _at_the_end(
        self, week: Week, shard: int, items: Sequence[Item], reading: Frame
    ) -> Iterator[Pair]:
        """The keyframe and the strip of a week that is over: all its deltas, nothing late."""
        start, edge = week
        is_over = edge == calendar.keyframe_after(start)
        keyframe = {edge: reading} if reading and is_over else {}
        yield Pair("keyframe", shard, _sums(self._by_day(items, keys.is_keyframe)), keyframe)
        deltas = _sums(self._by_day(items, keys.is_delta))
        counts = {day: strips.Count.of(frame, self.product) for day, frame in deltas.items()}
        active = {day: count for day, count in counts.items() if count.users}
        for item in items:
            if keys.is_strip(item["sk"]):
                stored = strips.from_item(item, self.product)
                yield Pair("strip", shard, {edge: stored}, {edge: active})

    @property
    def _zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    @property
    def _end(self) -> date:
        sealed = calendar.day_of(self.view.head.sealed, self._zone)
        return min(sealed, calendar.new_year(self.year + 1))

    def _frames_of_events(self, week: Week, shards: range) -> dict[date, dict[int, Frame]]:
        """What each day of a week comes to; a page of its events is in memory."""
        seconds = calendar.seconds_of(*week, self._zone)
        sums = defaultdict[date, DaySums](partial(DaySums, self.product))
        pages = self.view.store.pages(
            segments.key_range(self.view.organization, self.product.id, seconds)
        )
        for item in chain.from_iterable(pages):
            if keys.plan_of(item["sk"]) <= self.view.head.plan:
                segment = Segment.from_item(item, self.product).of_shards(shards)
                for day, cut in by_day([segment], seconds, self._zone):
                    sums[day].add(*cut)
        return {day: of_day.frames() for day, of_day in sums.items()}

    def _items(self, shard: int, week: Week) -> list[Item]:
        """The frames of a week, from behind its first keyframe to the one at its end."""
        pk, (start, edge) = self.view.partition(self.product, self.year, shard), week
        keyframes = keys.deltas_from(edge) if edge < self._end else f"F{keys.TOP}"
        frames = KeyRange(pk, keys.deltas_from(start), keyframes)
        strip = KeyRange(pk, keys.strip(edge), keys.strip(edge))
        return self._seen(chain.from_iterable(self.view.store.read([frames, strip])))

    def _late(self, shard: int) -> Late:
        pk = self.view.partition(self.product, self.year, shard)
        (items,) = self.view.store.read([KeyRange(pk, "L", f"L{keys.TOP}")])
        return Late.of(items, self.view.head.plan, self.product)

    def _seen(self, items: Iterable[Item]) -> list[Item]:
        return [item for item in items if keys.plan_of(item["sk"]) <= self.view.head.plan]

    def _by_day(
        self, items: Iterable[Item], is_wanted: Callable[[str], bool]
    ) -> Iterator[tuple[date, Frame]]:
        for item in items:
            if is_wanted(item["sk"]):
                yield keys.day_of(item["sk"]), from_attributes(item, self.product.measures)


def _sums(several: Iterable[tuple[date, Frame]]) -> dict[date, Frame]:
    sums: dict[date, Frame] = {}
    for day, frame in several:
        sums[day] = plus(sums[day], frame) if day in sums else frame
    return sums
