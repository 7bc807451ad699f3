"""Verifies frames: compares them with the events that they were made from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import reduce
from itertools import chain
from typing import NamedTuple

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, segments, strips
from odometer.engine.format.frames import Frame, from_attributes, plus, total
from odometer.engine.format.late import Late
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import by_day, day_frames
from odometer.engine.read.verify_inside import InsideCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange


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


@dataclass(frozen=True, slots=True)
class YearCheck:
    """The sealed days of one year of a product, seen from a view."""

    view: View
    product: MeteredProduct
    year: int

    def compare(self) -> Comparison:
        from_events, frames, drifts = self._frames_of_events(), 0, list[Drift]()
        for shard in range(self.view.head.shards(self.product)):
            expected = {
                day: by_shard[shard] for day, by_shard in from_events.items() if shard in by_shard
            }
            for what, stored, wanted in self._pairs(self._items(shard), expected):
                days = sorted({*stored, *wanted})
                frames += len(days)
                differing = (day for day in days if stored.get(day) != wanted.get(day))
                drifts += [Drift(self.product.id, shard, day, what) for day in differing]
        for shard, day, what, is_right in InsideCheck(self.view, self.product, self.year).compare():
            frames += 1
            drifts += [] if is_right else [Drift(self.product.id, shard, day, what)]
        return Comparison(frames, drifts)

    def _pairs(
        self, items: Sequence[Item], from_events: Mapping[date, Frame]
    ) -> Iterator[tuple[str, Mapping[date, object], Mapping[date, object]]]:
        """What is stored by day, and what it must be."""
        deltas = list(self._by_day(items, keys.is_delta))
        late = Late.of(items, self.view.head.plan, self.product)
        yield "day", _sums([*deltas, *late.by_day()]), from_events
        yield "keyframe", _sums(self._by_day(items, keys.is_keyframe)), self._readings(deltas)
        active = {
            day: count
            for day, frame in _sums(deltas).items()
            if (count := strips.Count.of(frame, self.product)).users
        }
        for item in items:
            if keys.is_strip(item["sk"]):
                edge = keys.day_of(item["sk"])
                week = calendar.days(calendar.keyframe_before(edge - DAY), edge)
                wanted = {day: active[day] for day in week if day in active}
                yield "strip", {edge: strips.from_item(item, self.product)}, {edge: wanted}

    @property
    def _zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    @property
    def _end(self) -> date:
        sealed = calendar.day_of(self.view.head.sealed, self._zone)
        return min(sealed, calendar.new_year(self.year + 1))

    def _frames_of_events(self) -> dict[date, dict[int, Frame]]:
        seconds = calendar.seconds_of(calendar.new_year(self.year), self._end, self._zone)
        if not seconds:
            return {}
        key_range = segments.key_range(self.view.organization, self.product.id, seconds)
        (items,) = self.view.store.read([key_range])
        settled = segments.from_items(items, self.view.head.plan, self.product)
        days = by_day(settled, seconds, self._zone)
        return {day: day_frames(within, self.product) for day, within in days}

    def _items(self, shard: int) -> list[Item]:
        pk = self.view.partition(self.product, self.year, shard)
        kinds = (KeyRange(pk, letter, f"{letter}{keys.TOP}") for letter in "FLS")
        items = chain.from_iterable(self.view.store.read(list(kinds)))
        return [item for item in items if keys.plan_of(item["sk"]) <= self.view.head.plan]

    def _by_day(
        self, items: Iterable[Item], is_wanted: Callable[[str], bool]
    ) -> Iterator[tuple[date, Frame]]:
        for item in items:
            if is_wanted(item["sk"]):
                yield keys.day_of(item["sk"]), from_attributes(item, self.product.measures)

    def _readings(self, by_day: Iterable[tuple[date, Frame]]) -> dict[date, Frame]:
        """What keyframes must hold: all deltas before them, and nothing that came late."""
        deltas = _sums(by_day)
        readings, reading = {}, total((), self.product.measures)
        for start, edge in calendar.cut_at_keyframes(calendar.new_year(self.year), self._end):
            within = (deltas[day] for day in calendar.days(start, edge) if day in deltas)
            reading = reduce(plus, within, reading)
            if reading and edge == calendar.keyframe_after(start):
                readings[edge] = reading
        return readings


def _sums(several: Iterable[tuple[date, Frame]]) -> dict[date, Frame]:
    sums: dict[date, Frame] = {}
    for day, frame in several:
        sums[day] = plus(sums[day], frame) if day in sums else frame
    return sums
