"""Series: what was used in each of several blocks of time, one after the other.

The usage of a block is the difference of the readings at its two edges, and a block shares each
edge with its neighbour. A part of a week is the sum of the deltas of its days. Whatever no frame
answers yet (parts of days, unsealed days, unsettled events) is cut at the edges.

Where only counts are asked for (how many users, what they used together), strips of weeks say so
by day for less than most readings and all deltas.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial, reduce
from itertools import chain, pairwise
from operator import or_
from typing import Any, Final, NamedTuple, TypeAlias

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, late
from odometer.engine.format.codec import NARROW
from odometer.engine.format.frames import SHARD, Frame, net, with_days
from odometer.engine.format.groups import Members
from odometer.engine.format.inside import DaySums
from odometer.engine.format.late import Late
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import (
    DELTA_WEIGHT,
    KEYFRAME_WEIGHT,
    Reading,
    frames_in,
    require_keyframes,
)
from odometer.engine.format.strips import Count
from odometer.engine.read.day_counts import DayCounts, read_each
from odometer.engine.read.inside import InsideReader, Sums, sums_of_each
from odometer.engine.read.measuring import Measuring, Term, outside
from odometer.engine.read.selections import EVERYBODY, Divided, Selected, Selection, Selections
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, in_rounds, side_by_side
from odometer.engine.store import Item, KeyRange

_FULL: Final = b"\xff" * NARROW

Read: TypeAlias = Sequence[tuple[Term, Sequence[Item]]]
"""What was read for each term of a product."""
Events: TypeAlias = Sequence[Sequence[Mapping[int, Frame]]]
"""By product, block and shard, what no frame of whole days answers."""
Counted: TypeAlias = Iterator[tuple[int, Sequence[int], Iterator[tuple[Count, ...]]]]
"""By shard, the bits of each selection and, by block and product, what they used."""


class WholeDays(NamedTuple):
    """Days of one year that frames answer, and the block that they belong to."""

    block: int
    start: date
    stop: date

    @property
    def are_part_of_week(self) -> bool:
        """Whether deltas are read: those of a part of a week weigh less than a reading."""
        week = (calendar.keyframe_before(self.start), calendar.keyframe_after(self.start))
        return self.stop <= week[1] and (self.start, self.stop) != week


@dataclass(frozen=True)
class ProductSeries(Measuring):
    """One product in the blocks between some edges."""

    edges: Sequence[int]
    """Seconds; each but the outer two begins a day."""
    only: Sequence[int] | None = None
    """The shards that are asked about; otherwise all."""

    @cached_property
    def whole_days(self) -> Sequence[WholeDays]:
        """What frames answer, block by block, cut at every New Year."""
        first, end = self._whole_days(range(self.edges[0], self.edges[-1]))
        days = [min(max(first, calendar.day_of(edge, self.zone)), end) for edge in self.edges]
        return [
            WholeDays(block, *ends)
            for block, (start, stop) in enumerate(pairwise(days))
            for ends in calendar.cut_at_new_years(start, stop)
        ]

    def unframed(self) -> tuple[InsideReader, Sequence[range]]:
        """What is read event by event, and who reads it."""
        seconds = range(self.edges[0], self.edges[-1])
        shards = range(self.view.head.shards(self.product))
        return self.inside(shards if self.only is None else self.only), outside(
            self._framed, seconds
        )

    def event_frames(self, unframed: Iterable[Sums]) -> list[Mapping[int, Frame]]:
        """By block and shard, what no frame of whole days answers, and what is not settled."""
        by_block = [DaySums(self.product) for _ in self.edges[1:]]
        for day, by_shard in (each for days in unframed for each in days.items()):
            first = max(calendar.first_second(day, self.zone), self.edges[0])
            for shard, frame in by_shard.items():
                by_block[bisect_right(self.edges, first) - 1].add_frame(shard, frame)
        late = self._unsettled.cut(self._framed.start, self._framed.stop)
        for block, ends in zip(by_block, pairwise(self.edges), strict=True):
            block.add(late.cut(*ends))
        return [block.frames() for block in by_block]

    def terms(self, shard: int) -> list[Term]:
        if shard >= self.view.head.shards(self.product):
            return []
        days = joined(each for each in self.whole_days if each.are_part_of_week)
        deltas = [(end, keys.deltas_from(start), keys.frames_from(end)) for start, end in days]
        came_late = (
            (
                start,
                end,
                late.key_range(self._pk(start.year, shard), start, strong=self._strong(end)),
            )
            for start, end in joined(self.whole_days)
            if self.view.head.has_late(self.product.id, start.year)
        )
        readings = {reading for days in self.whole_days for _, reading in self._edges(days, shard)}
        return [
            *(Term(1, shard, self._before(*each, shard)) for each in deltas),
            *(Term(1, shard, key_range, late=(start, end)) for start, end, key_range in came_late),
            *(Term(1, shard, r.key_range(strong=self._strong(r.day)), r) for r in sorted(readings)),
        ]

    def blocks(
        self,
        shard: int,
        read: Read,
        events: Iterable[Mapping[int, Frame]],
    ) -> Iterator[Frame]:
        parts = (items for term, items in read if not term.reading and not term.late)
        by_block = self._by_block(chain.from_iterable(parts))
        came_late = {
            term.late[0].year: Late.of(items, self.view.head.plan, self.product)
            for term, items in read
            if term.late
        }
        readings = self._frames_of({term.reading: items for term, items in read if term.reading})
        for block, of_block in enumerate(events):
            frames = frames_in(by_block.pop(block, ()), self.view.head.plan, self.product)
            differences = [
                (sign, readings[reading])
                for days in (self._days_of_block.get(block, ()) if read else ())
                for sign, reading in self._edges(days, shard)
            ]
            late_frames = [
                came_late[days.start.year].frame(days.start, days.stop)
                for days in self._days_of_block.get(block, ())
                if days.start.year in came_late
            ]
            rest = [of_block[shard]] if shard in of_block else []
            added = ((1, frame) for frame in (*frames, *late_frames, *rest))
            yield net((*added, *differences), self.product.measures).measures

    @cached_property
    def _days_of_block(self) -> Mapping[int, Sequence[WholeDays]]:
        by_block: defaultdict[int, list[WholeDays]] = defaultdict(list)
        for each in self.whole_days:
            by_block[each.block].append(each)
        return by_block

    def day_counts(self, shard: int, whose: Selected) -> DayCounts:
        days = [] if shard >= self.view.head.shards(self.product) else self.whole_days
        return DayCounts(self.view, self.product, shard, joined(days), whose)

    @property
    def weight(self) -> int:
        """Of what `terms` reads of a shard."""
        edges = {reading for days in self.whole_days for _, reading in self._edges(days, 0)}
        parts = (days for days in self.whole_days if days.are_part_of_week)
        stretches = [(each.base, each.day) for each in edges] + [each[1:] for each in parts]
        deltas = sum((stop - start).days for start, stop in stretches)
        return KEYFRAME_WEIGHT * len(edges) + DELTA_WEIGHT * deltas

    def counts(
        self,
        shard: int,
        whose: Selected,
        by_day: Mapping[date, Count],
        events: Iterable[Mapping[int, Frame]],
    ) -> Iterator[Count]:
        blocks: defaultdict[int, Count] = defaultdict(Count)
        for day, count in by_day.items():
            first = max(calendar.first_second(day, self.zone), self.edges[0])
            block = bisect_right(self.edges, first) - 1
            blocks[block] = blocks[block].plus(count)
        for block, of_block in enumerate(events):
            rest = whose.of_frame(of_block[shard], self.product) if shard in of_block else Count()
            yield blocks[block].plus(rest)

    @property
    def _framed(self) -> range:
        whole_days = self._whole_days(range(self.edges[0], self.edges[-1]))
        return calendar.seconds_of(*whole_days, self.zone)

    def _before(self, end: date, first: str, last: str, shard: int) -> KeyRange:
        return KeyRange(self._pk((end - DAY).year, shard), first, last, self._strong(end))

    def _edges(self, days: WholeDays, shard: int) -> Iterator[tuple[int, Reading]]:
        """The readings whose difference is the usage of some days, with their signs."""
        if not days.are_part_of_week:
            year = days.start.year
            pk = self._pk(year, shard)
            yield 1, Reading.of(pk, year, days.stop)
            if days.start != calendar.new_year(year):
                yield -1, Reading.of(pk, year, days.start)

    def _by_block(self, items: Iterable[Item]) -> dict[int, list[Item]]:
        starts = [each.start for each in self.whole_days]
        by_block: defaultdict[int, list[Item]] = defaultdict(list)
        for item in items:
            if not keys.is_keyframe(item["sk"]):
                at = bisect_right(starts, keys.day_of(item["sk"])) - 1
                by_block[self.whole_days[at].block].append(item)
        return by_block

    def _frames_of(self, read: Mapping[Reading, Sequence[Item]]) -> Mapping[Reading, Frame]:
        """The readings. If the last empty one lacks no keyframe, neither do those before it."""
        empty = {each.pk: each for each in sorted(read) if not read[each]}.values()
        full = [each for each, items in read.items() if items]
        asked = [(reading, read[reading]) for reading in (*empty, *full)]
        in_rounds(self.view.store, require_keyframes(asked))
        return {reading: self._sum(items) for reading, items in read.items()}


@dataclass(frozen=True)
class Series:
    """Several products in the same blocks, seen from one view."""

    view: View
    products: Sequence[MeteredProduct]
    edges: Sequence[int]
    only: Sequence[int] | None = None
    """The shards that are asked about; otherwise all."""
    members: Members | None = None
    """The groups whose members are asked about, if there are such."""

    def of_users(self, users: Collection[int] | None) -> Iterator[Iterator[tuple[Count, ...]]]:
        """By shard and block, what some users did, or everybody, and how many they were."""
        some = EVERYBODY if users is None else Selection(sorted(users), self._groups)
        division = self.members and Divided(self.members.division, self.members.digest)
        return (blocks for _, _, blocks in self.counted(Selections([some], division)))

    @property
    def _groups(self) -> Sequence[int]:
        return self.members.groups if self.members else ()

    @property
    def shards(self) -> range:
        return range(self._shards(self._events))

    def _shards(self, events: Events) -> int:
        with_events = (shard for blocks in events for block in blocks for shard in block)
        settled = (self.view.head.shards(product) for product in self.products)
        return max([0, *settled, *(shard + 1 for shard in with_events)])

    @property
    def weight(self) -> int:
        """Of the frames of a shard from which everything follows."""
        return sum(series.weight for series in self._by_product)

    @property
    def reads(self) -> int:
        """How many key ranges these frames are in."""
        return sum(len(series.terms(0)) for series in self._by_product)

    def blocks(self, shard: int) -> Iterator[tuple[Frame, ...]]:
        """What every user of a shard used of each product in each block."""
        return self._in_blocks(shard, in_rounds(self.view.store, self._frames(shard)), self._events)

    def blocks_in_rounds(self, shard: int) -> Steps[Iterator[tuple[Frame, ...]]]:
        """The same; whatever it is made of is read at once."""
        steps: list[Steps[Any]] = [self._frames(shard), self._events_of_each()]
        read, events = yield from side_by_side(steps)
        return self._in_blocks(shard, read, events)

    def counted(self, selections: Selections) -> Counted:
        """By shard and block, what selections of users used of each product."""
        return in_rounds(self.view.store, self.counted_in_rounds(selections))

    def counted_in_rounds(self, selections: Selections) -> Steps[Counted]:
        """The same. The first shard is read with what is read event by event, others follow."""
        first = selections.in_shard(0)
        steps: list[Steps[Any]] = [self._events_of_each(), self._counted(0, first)]
        events, in_blocks = yield from side_by_side(steps)
        blocks = in_blocks(events) if self._shards(events) and first.users else None
        return self._counted_each(selections, events, blocks)

    def _counted_each(
        self, selections: Selections, events: Events, first: Iterator[tuple[Count, ...]] | None
    ) -> Counted:
        if first is not None:
            yield 0, selections.in_shard(0).bits, first
        for shard in range(1, self._shards(events)):
            whose = selections.in_shard(shard)
            if whose.users:
                in_blocks = in_rounds(self.view.store, self._counted(shard, whose))
                yield shard, whose.bits, in_blocks(events)

    def _counted(
        self, shard: int, whose: Selected
    ) -> Steps[Callable[[Events], Iterator[tuple[Count, ...]]]]:
        """By day, or by whole readings where these tell it for less; events come later."""
        if not whose.users:
            return lambda _: iter(())
        days = [series.day_counts(shard, whose) for series in self._by_product]
        by_product = yield from read_each(days, self.weight)
        if by_product is not None:
            return partial(self._of_days, shard, whose, by_product)
        read = yield from self._frames(shard)
        return partial(self._of_frames, shard, whose, read)

    def _frames(self, shard: int) -> Steps[Sequence[Read]]:
        terms = [series.terms(shard) for series in self._by_product]
        key_ranges = [term.key_range for each in terms for term in each]
        answers = iter((yield key_ranges) if key_ranges else ())
        return [[(term, next(answers)) for term in each] for each in terms]

    def _of_days(
        self,
        shard: int,
        whose: Selected,
        by_product: Sequence[Mapping[date, Count]],
        events: Events,
    ) -> Iterator[tuple[Count, ...]]:
        each = zip(self._by_product, by_product, events, strict=True)
        counts = (one.counts(shard, whose, days, events) for one, days, events in each)
        return zip(*counts, strict=True)

    def _of_frames(
        self, shard: int, whose: Selected, read: Sequence[Read], events: Events
    ) -> Iterator[tuple[Count, ...]]:
        for frames in self._in_blocks(shard, read, events):
            pairs = zip(frames, self.products, strict=True)
            yield tuple(whose.of_frame(with_days(frame), product) for frame, product in pairs)

    def _in_blocks(
        self, shard: int, read: Sequence[Read], events: Events
    ) -> Iterator[tuple[Frame, ...]]:
        each = zip(self._by_product, read, events, strict=True)
        return zip(*(one.blocks(shard, terms, of_it) for one, terms, of_it in each), strict=True)

    def users_in_blocks(self, users: Collection[int]) -> list[int]:
        """How many of some users used anything in each block."""
        found = [0] * (len(self.edges) - 1)
        some = Selections([Selection(sorted(users))], has_sums=False)
        for _, _, blocks in self.counted(some):
            for block, counts in enumerate(blocks):
                found[block] += reduce(or_, (count.users for count in counts), 0).bit_count()
        return found

    def blocks_used_by(self, users: Collection[int]) -> set[int]:
        return {block for block, found in enumerate(self.users_in_blocks(users)) if found}

    @cached_property
    def _by_product(self) -> list[ProductSeries]:
        return [
            ProductSeries(self.view, product, self.edges, self.only) for product in self.products
        ]

    @cached_property
    def _events(self) -> Events:
        return in_rounds(self.view.store, self._events_of_each())

    def _events_of_each(self) -> Steps[Events]:
        unframed = yield from sums_of_each([series.unframed() for series in self._by_product])
        pairs = zip(self._by_product, unframed, strict=True)
        return [series.event_frames(sums) for series, sums in pairs]


def joined(several: Iterable[WholeDays]) -> list[tuple[date, date]]:
    pieces: list[tuple[date, date]] = []
    for each in several:
        follows = pieces and pieces[-1][1] == each.start != calendar.new_year(each.start.year)
        start = pieces.pop()[0] if follows else each.start
        pieces.append((start, each.stop))
    return pieces


def lanes_filled(users: Iterable[int]) -> dict[int, int]:
    """By shard, all bits of the narrow lanes of some users."""
    by_shard: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(NARROW * SHARD))
    for user in users:
        shard, lane = divmod(user, SHARD)
        by_shard[shard][NARROW * lane : NARROW * (lane + 1)] = _FULL
    return {shard: int.from_bytes(lanes, "little") for shard, lanes in by_shard.items()}


def sums(frame: Frame) -> list[int]:
    return [frame.sum(place) for place in range(len(frame.columns))]
