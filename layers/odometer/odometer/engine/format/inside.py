"""Inside a day: so that no edge of a range reads many events, however many a day has.

A day that has more than `EVENT_BYTES` of segments has **running frames** while it is open: the sums
of all its events that came with plans up to one, and the latest second of them. Sealed, it has
**chunks**: its events in time order, and before the events of each chunk the sums of all earlier
ones. So a reader adds a frame and at most a chunk of events. A frame is repeated only after twice
its own bytes of events, so that writing them costs no more than half of what the events cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from itertools import chain
from typing import Any, Final, NamedTuple

from odometer.domain.events import utc_date
from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import (
    PART_BYTES,
    SHARD,
    Frame,
    from_attributes,
    parts,
    plus,
    total,
    with_days,
)
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, day_frames, joined
from odometer.engine.store import Item, KeyRange

EVENT_BYTES = 131_072
"""Beyond so many bytes of events, and twice those of a frame, another frame stands between them."""
SMALLEST_ITEM = 1_024
"""Bytes that an item costs at least."""
MOST_SHARDS = 1_024
"""Frames inside days are not written of products with more shards: not of `%people` beyond 65,536
users. Their edges are read event by event."""
MOST_PRODUCTS = 64
"""Products of an organization that have frames inside their days; the head names them."""
_EVENTS_AT_ONCE: Final = 32_768


def bytes_between(frames: int) -> int:
    """How many bytes of events stand between two frames of so many bytes."""
    return max(EVENT_BYTES, 2 * frames)


def is_due(events: int, frames: int) -> bool:
    return events > bytes_between(frames)


def weight_of(item: Mapping[str, Any]) -> int:
    return sum(len(value) for value in item.values() if isinstance(value, bytes))


class Running(NamedTuple):
    """The newest running frame of an open day, as the head names it."""

    day: str
    last: int
    """The latest second of the events in it."""
    plan: int
    weight: int
    """The bytes of all its shards."""

    @classmethod
    def of(cls, day: str, last: int, plan: int, weight: int) -> Running:
        require({type(each) for each in (last, plan, weight)} == {int})
        return cls(str(date.fromisoformat(day)), last, plan, weight)

    def key_range(self, pk: str) -> KeyRange:
        first = keys.running(date.fromisoformat(self.day), self.last, self.plan, 0)
        return KeyRange(pk, first, keys.without_part(first) + keys.TOP)


def newest_running(running: Running, pk: str, before: int) -> KeyRange:
    """The newest running frame up to a known one of which all events are before a second."""
    day = date.fromisoformat(running.day)
    last = min(running.key_range(pk).last, keys.running_through(day, before))
    return KeyRange(pk, keys.running_from(day), last, limit=1, newest_first=True)


def newest_chunk(day: date, pk: str, second: int) -> KeyRange:
    """The chunk of a day that a second is in, or the last one if the day is over by then."""
    first, last = keys.chunks_from(day), keys.chunk_through(day, second)
    return KeyRange(pk, first, last, limit=1, newest_first=True)


@frozen
class ProductDay:
    """One day of a product, in the zone of its kind."""

    organization: str
    product: MeteredProduct
    zone: tzinfo
    day: date

    @property
    def pk(self) -> str:
        return keys.segments(self.organization, self.product.id)

    @property
    def seconds(self) -> range:
        return calendar.seconds_of(self.day, self.day + DAY, self.zone)

    def cut(self, segment: Item) -> Segment:
        """The events of a stored segment that are of this day."""
        seconds = self.seconds
        return Segment.from_item(segment, self.product).cut(seconds.start, seconds.stop)

    def segments(
        self, after: int, upto: int | None = None, *, strong: bool = True
    ) -> list[KeyRange]:
        """Where the events lie that plans after one, and up to another, brought to the day.

        A local day lies on two UTC dates, and so do others beside it.
        """
        seconds = self.seconds
        dates = calendar.days(utc_date(seconds[0]), utc_date(seconds[-1]) + DAY)
        return [
            KeyRange(
                self.pk,
                keys.segments_through(each, after) if after else str(each),
                f"{each}{keys.TOP}" if upto is None else keys.segments_through(each, upto),
                strong,
            )
            for each in dates
        ]


@dataclass(slots=True)
class DaySums:
    """What every user of each shard has used on a day, added up a few events at a time."""

    product: MeteredProduct
    _by_shard: dict[int, Frame] = field(default_factory=dict)
    _waiting: list[Segment] = field(default_factory=list)
    _events: int = 0

    def add(self, segment: Segment) -> None:
        self._waiting.append(segment)
        self._events += len(segment.who)
        if self._events >= _EVENTS_AT_ONCE:
            self._add_waiting()

    def add_frame(self, shard: int, frame: Frame) -> None:
        known = self._by_shard.get(shard)
        self._by_shard[shard] = plus(known, frame) if known else frame

    def frames(self) -> dict[int, Frame]:
        """By shard, everyone who has any measure active on the day."""
        self._add_waiting()
        return {shard: with_days(frame.measures) for shard, frame in sorted(self._by_shard.items())}

    def _add_waiting(self) -> None:
        for shard, frame in day_frames(self._waiting, self.product).items():
            self.add_frame(shard, frame)
        self._waiting, self._events = [], 0


class Chunk(NamedTuple):
    """The events of one shard from a second on, users counted from its first one."""

    first: int
    before: Frame
    """All that the shard had used of the day by then."""
    events: Segment

    def items(self, pk: str, day: date, plan: int) -> Iterator[dict[str, Any]]:
        frames = parts(self.before) if self.before else ()
        pieces = chain(frames, segment_parts(self.events, self.first))
        for part, attributes in enumerate(pieces):
            yield {"pk": pk, "sk": keys.chunk(day, self.first, plan, part), **attributes}

    @classmethod
    @stored
    def from_items(cls, items: Sequence[Item], product: MeteredProduct) -> Chunk:
        first = keys.second_of(items[0]["sk"])
        in_order = sorted(items, key=lambda item: keys.part_of(item["sk"]))
        frames = (from_attributes(i, product.measures) for i in items if not has_events(i))
        events = [Segment.from_attributes(i, product, first) for i in in_order if has_events(i)]
        whole = joined(events, product.measures)
        require(max(whole.who, default=0) < SHARD)
        return cls(first, total(frames, product.measures), whole)

    def until(self, second: int, product: MeteredProduct) -> Frame:
        """All that the shard had used of the day before a second of this chunk."""
        sums = DaySums(product)
        sums.add_frame(0, self.before)
        sums.add(self.events.cut(0, second))
        return sums.frames()[0]


def other_parts(items: Sequence[Item]) -> list[KeyRange]:
    """Where the other parts of a running frame or a chunk are; the last one was found first."""
    if not items or not (part := keys.part_of(items[0]["sk"])):
        return []
    start = keys.without_part(items[0]["sk"])
    return [KeyRange(items[0]["pk"], start, keys.with_part(start, part - 1))]


def has_events(item: Item) -> bool:
    """Whether a part of a chunk holds events; otherwise it holds sums, as all running frames do."""
    return "gaps" in item


def segment_parts(segment: Segment, first: int) -> Iterator[dict[str, bytes]]:
    """The attributes of as many items as the events need."""
    attributes = segment.to_attributes(first)
    if weight_of(attributes) <= PART_BYTES or len(segment.who) == 1:
        yield attributes
        return
    for half in segment.halves():
        yield from segment_parts(half, first)
