"""Writes frames: deltas and late items as events come, keyframes as weeks and years are sealed.

Frames follow from their plan and from what earlier plans wrote, so anyone may write them again at
any time. However many there are, only some are in memory at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial
from itertools import chain
from typing import Any, Final, Self

from odometer.domain.frozen import frozen
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, segments, strips
from odometer.engine.format.frames import SHARD, Frame, parts, plus, total
from odometer.engine.format.inside import DaySums
from odometer.engine.format.late import DayRows, rows_by_shard
from odometer.engine.format.piles import KEPT_SECONDS
from odometer.engine.format.products import MeteredProduct, rows_in_shard
from odometer.engine.format.readings import Reading, frames_in, read_each
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.store import Item, Store
from odometer.engine.write.chunks import ChunkWriter
from odometer.engine.write.late import additions, late_bytes
from odometer.engine.write.steps import Step, groups, some_of

SHARDS_READ: Final = 256
"""Shards whose frames one step reads."""
ROWS_SUMMED: Final = 1 << 20
"""Users (or rows of a projection) whose day one step adds up; they take 42 MB."""
DAYS_OF_WEEK: Final = 7
_READ_AT_ONCE: Final = 16

Week = tuple[date, date]
"""A week or a part of it: its first day and the one after its last."""


@frozen
class FrameWriter:
    """Writes what one plan adds to the frames of one product."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    generation: Callable[[int], int | None]
    """Of a year; a year without one is not written."""
    plan: int
    products: int = 0
    """How many products the organization has, which a projection has rows for."""
    is_busy: bool = False
    """Whether its days may have so many events that they need chunks."""
    now: int = 0
    """From when on what is needed no longer is kept for some time."""

    def steps_of_adding(self, events: Segment, sealed: date) -> Iterator[Step]:
        """Write the events of days that are sealed."""
        late = events.cut(0, calendar.first_second(sealed, self.zone))
        for name, shards in groups(max(late.who, default=-1) // SHARD + 1, SHARDS_READ):
            some = late.of_shards(shards)
            if some.who:
                yield Step(name, len(some.who), partial(self.add_to_sealed_days, some, sealed))

    def add_to_sealed_days(self, events: Segment, sealed: date) -> Counter[str]:
        """Write events of sealed days; by product and year, the bytes that came late."""
        until = range(calendar.first_second(sealed, self.zone))
        rows = rows_by_shard(events, until, self.zone, self.product)
        added = {self._pk(*key): each for key, each in rows.items() if self._has_year(key[0])}
        weights: Counter[str] = Counter()
        self.store.put_all(self._additions(added, sealed, weights))
        return weights

    def steps_of_sealing(self, first: date, end: date, shards: int) -> Iterator[Step]:
        """Write the deltas of days from their segments, and the keyframes at whose edge they end.

        Weeks with few rows are written several at a time.
        """
        rows = rows_in_shard(self.product, self.products)
        summed = max(ROWS_SUMMED // rows, 1)
        cut = calendar.cut_at_keyframes(first, end)
        weeks = [(start, stop) for start, stop in cut if self._has_year(start.year)]
        at_once = summed // (DAYS_OF_WEEK * max(shards, 1))
        if at_once and not self.is_busy:
            yield from self._steps_of_weeks(weeks, range(shards), at_once)
        else:
            for start, stop in weeks:
                yield from self._steps_of_days(start, stop, shards, rows, summed)

    def _steps_of_weeks(self, weeks: Sequence[Week], shards: range, at_once: int) -> Iterator[Step]:
        """A step is named after its last week: all before that are done, however they are cut."""
        end = max((stop for _, stop in weeks), default=date.min)
        in_turn = WeeksInTurn(self, DaysInTurn(self, end, shards))
        for some in some_of(weeks, at_once):
            days = (some[-1][1] - some[0][0]).days
            items = days * (1 + len(shards)) + 2 * len(some) * len(shards)
            yield Step(f"{some[-1][0]}#4", items, partial(self._put_weeks, some, in_turn))

    def _steps_of_days(
        self, start: date, stop: date, shards: int, rows: int, summed: int
    ) -> Iterator[Step]:
        """The steps of a week go through its days in turn, for some shards at a time.

        More products make these groups smaller: then the week begins again.
        """
        for day in calendar.days(start, stop) if self.is_busy else ():
            yield from (step.of(f"{start}#0#{day}") for step in self._chunks.steps(day))
        for group, some in groups(shards, summed):
            in_turn = DaysInTurn(self, stop, some)
            for day in calendar.days(start, stop):
                put = partial(self._put_deltas, day, in_turn)
                yield Step(f"{start}#1#{rows:05d}#{group}#{day}", 1 + len(some), put)
        if stop == calendar.keyframe_after(start):
            for group, some in groups(shards, SHARDS_READ):
                put = partial(self._put_keyframes, start, stop, some)
                yield Step(f"{start}#2#{group}", 2 * len(some), put)

    def settled(self, seconds: range) -> Iterator[Item]:
        """The segments of these seconds as of the plan; a page of them is in memory."""
        key_range = segments.key_range(self.organization, self.product.id, seconds)
        items = chain.from_iterable(self.store.pages(key_range))
        return (item for item in items if keys.plan_of(item["sk"]) <= self.plan)

    def _additions(
        self, added: Mapping[str, DayRows], sealed: date, weights: Counter[str]
    ) -> Iterator[Item]:
        for some in some_of(added.items(), _READ_AT_ONCE):
            for item in additions(self.store, self.product, dict(some), self.plan, sealed):
                weights[f"{self.product.id}#{keys.year_of(item['pk'])}"] += late_bytes(item)
                yield item

    def sums(self, start: date, day: date, shards: range) -> Iterator[tuple[int, SumsOfYear]]:
        """What each shard has used of a year before a day of the week of the start."""
        year, base = start.year, calendar.keyframe_before(start)
        readings = {shard: Reading(self._pk(year, shard), year, base, day) for shard in shards}
        for some in some_of(readings.items(), _READ_AT_ONCE):
            for shard, items in read_each(self.store, dict(some)):
                yield shard, SumsOfYear.of(items, self.plan, self.product)

    def delta(self, day: date, shard: int, frame: Frame) -> Iterator[Item]:
        return self._items(day.year, shard, partial(keys.delta, day, self.plan), frame)

    def keyframe(self, edge: date, shard: int, sums: SumsOfYear) -> Iterator[Item]:
        """The totals at the end of a week, and the strip of the week."""
        year = (edge - DAY).year
        if sums.totals:
            strip = strips.to_attributes(sums.of_week, edge)
            yield {"pk": self._pk(year, shard), "sk": keys.strip(edge), **strip}
            yield from self._items(year, shard, partial(keys.keyframe, edge), sums.totals)

    def _put_weeks(self, weeks: Sequence[Week], in_turn: WeeksInTurn) -> None:
        self.store.put_all(in_turn.items(weeks))

    def _put_deltas(self, day: date, in_turn: DaysInTurn) -> None:
        frames = self._chunks.frames(day, in_turn.shards) if self.is_busy else in_turn.frames(day)
        each = (self.delta(day, shard, frame) for shard, frame in frames.items())
        self.store.put_all(chain.from_iterable(each))

    @property
    def _chunks(self) -> ChunkWriter:
        organization, store, product = self.organization, self.store, self.product
        ttl = self.now + KEPT_SECONDS
        return ChunkWriter(organization, store, product, self.zone, self._pk, self.plan, ttl)

    def _put_keyframes(self, start: date, edge: date, shards: range) -> None:
        each = (self.keyframe(edge, *of_shard) for of_shard in self.sums(start, edge, shards))
        self.store.put_all(chain.from_iterable(each))

    def _items(
        self, year: int, shard: int, key: Callable[[int], str], frame: Frame
    ) -> Iterator[dict[str, Any]]:
        pk = self._pk(year, shard)
        for part, piece in enumerate(parts(frame)):
            yield {"pk": pk, "sk": key(part), **piece}

    def _has_year(self, year: int) -> bool:
        return self.generation(year) is not None

    def _pk(self, year: int, shard: int) -> str:
        generation = self.generation(year) or 0
        return keys.frames(self.organization, self.product.id, year, generation, shard)


@dataclass(slots=True)
class SumsOfYear:
    """What a shard has used of a year so far, and on each day since the last keyframe."""

    totals: Frame
    of_week: dict[date, strips.Count] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Sequence[Item], plan: int, product: MeteredProduct) -> Self:
        totals = total(frames_in(items, plan, product), product.measures)
        return cls(totals, strips.counts_by_day(items, plan, product))

    def add(self, day: date, frame: Frame, product: MeteredProduct) -> None:
        self.totals = plus(self.totals, frame)
        self.of_week[day] = strips.Count.of(frame, product)


@dataclass(slots=True)
class DaysInTurn:
    """Adds up days, one after the other, in one pass through their segments.

    The pass begins with the first day that is asked for.
    """

    writer: FrameWriter
    end: date
    shards: range
    _sums: Iterator[tuple[date, DaySums]] | None = None

    def frames(self, asked: date) -> Mapping[int, Frame]:
        self._sums = self._sums or self._in_turn(asked)
        return next(sums.frames() for day, sums in self._sums if day == asked)

    def _in_turn(self, first: date) -> Iterator[tuple[date, DaySums]]:
        """A local day lies on two UTC dates: the next one may begin before it is over."""
        product, zone = self.writer.product, self.writer.zone
        within = calendar.seconds_of(first, self.end, zone)
        sums = defaultdict[date, DaySums](partial(DaySums, product))
        items = self.writer.settled(within)
        item = next(items, None)
        for day in calendar.days(first, self.end):
            over = calendar.first_second(day + DAY, zone)
            while item and segments.midnight_of(item) < over:
                segment = Segment.from_item(item, product).of_shards(self.shards)
                for touched, (events,) in by_day([segment], within, zone):
                    sums[touched].add(events)
                item = next(items, None)
            yield day, sums.pop(day, DaySums(product))


@dataclass(slots=True)
class WeeksInTurn:
    """Makes the deltas and keyframes of weeks, one after the other.

    What there was before is read once, if a week ends.
    """

    writer: FrameWriter
    days: DaysInTurn
    _sums: dict[int, SumsOfYear] | None = None

    def items(self, weeks: Sequence[Week]) -> Iterator[Item]:
        for start, stop in weeks:
            ends = stop == calendar.keyframe_after(start)
            sums = self._sums = self._sums_before(start, ends=ends)
            for day in calendar.days(start, stop):
                yield from self._deltas(day, sums)
            for shard in sorted(sums) if ends else ():
                yield from self.writer.keyframe(stop, shard, sums[shard])
                sums[shard].of_week.clear()

    def _sums_before(self, start: date, *, ends: bool) -> dict[int, SumsOfYear]:
        if start == calendar.new_year(start.year) or (self._sums is None and not ends):
            return {}
        if self._sums is None:
            return dict(self.writer.sums(start, start, self.days.shards))
        return self._sums

    def _deltas(self, day: date, sums: dict[int, SumsOfYear]) -> Iterator[Item]:
        product = self.writer.product
        for shard, frame in self.days.frames(day).items():
            nothing = SumsOfYear(total((), product.measures))
            sums.setdefault(shard, nothing).add(day, frame, product)
            yield from self.writer.delta(day, shard, frame)
