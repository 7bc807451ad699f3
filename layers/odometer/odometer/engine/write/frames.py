"""Writes frames: deltas and late items as events come, keyframes as weeks and years are sealed.

Frames follow from their plan and from what earlier plans wrote, so anyone may write them again at
any time.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import partial
from itertools import chain

from odometer.engine import calendar
from odometer.engine.format import keys, segments
from odometer.engine.format.frames import Frame, parts, to_attributes
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading, day_key_ranges, frames_in, without_days
from odometer.engine.format.segments import Segment, by_day, day_frames
from odometer.engine.store import Store


@dataclass(frozen=True, slots=True)
class FrameWriter:
    """Writes what one plan adds to the frames of one product."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    generation: Callable[[int], int | None]
    """Of a year; a year without one is not written."""
    plan: int

    def add_to_sealed_days(self, events: Segment, sealed: date) -> Counter[int]:
        """Write the events of days that are sealed; by year, the bytes that came late."""
        weights: Counter[int] = Counter()
        until = range(calendar.first_second(sealed, self.zone))
        for day, within in by_day([events], until, self.zone):
            if self.generation(day.year) is not None:
                for shard, frame in day_frames(within, self.product).items():
                    weights[day.year] += self._add(day, shard, frame, sealed)
        return weights

    def seal_days(self, first: date, end: date, shards: int) -> None:
        for start, cut in calendar.cut_at_keyframes(first, end):
            if self.generation(start.year) is not None:
                self._put_deltas(start, cut)
                if cut == calendar.keyframe_after(start):
                    for shard in range(shards):
                        self._put_keyframe(start, cut, shard)

    def _add(self, day: date, shard: int, frame: Frame, sealed: date) -> int:
        """Write one more delta, or a late item where the keyframe stands already."""
        key_ranges = day_key_ranges(self._pk(day.year, shard), day)
        items = chain.from_iterable(self.store.read(key_ranges))
        addition = without_days(frame, frames_in(items, self.plan - 1, self.product))
        key = keys.late if calendar.keyframe_after(day) <= sealed else keys.delta
        weight = self._put(day.year, shard, partial(key, day, self.plan), addition)
        return weight if key is keys.late else 0

    def _put_deltas(self, first: date, end: date) -> None:
        seconds = calendar.seconds_of(first, end, self.zone)
        key_range = segments.key_range(self.organization, self.product.id, seconds)
        events = segments.from_items(self.store.read([key_range])[0], self.plan, self.product)
        for day, within in by_day(events, seconds, self.zone):
            for shard, frame in day_frames(within, self.product).items():
                self._put(day.year, shard, partial(keys.delta, day, self.plan), frame)

    def _put_keyframe(self, start: date, edge: date, shard: int) -> None:
        pk, base = self._pk(start.year, shard), calendar.keyframe_before(start)
        reading = Reading(pk, start.year, base, edge)
        (items,) = self.store.read([reading.key_range()])
        frame = reading.frame(self.store, items, self.plan, self.product)
        if frame:
            self._put(start.year, shard, partial(keys.keyframe, edge), frame)

    def _put(self, year: int, shard: int, key: Callable[[int], str], frame: Frame) -> int:
        weight = 0
        for part, piece in enumerate(parts(frame)):
            attributes = to_attributes(piece)
            self.store.put({"pk": self._pk(year, shard), "sk": key(part), **attributes})
            weight += sum(map(len, attributes.values()))
        return weight

    def _pk(self, year: int, shard: int) -> str:
        generation = self.generation(year) or 0
        return keys.frames(self.organization, self.product.id, year, generation, shard)
