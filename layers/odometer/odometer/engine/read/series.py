"""Series: what was used in each of several stretches of time, one after the other.

The usage of a stretch is the difference of the readings at its two edges, and a stretch shares each
edge with its neighbour. A part of a week is the sum of the deltas of its days. Whatever no frame
answers yet (ragged ends, unsealed days, the tail) is cut at the edges.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, segments
from odometer.engine.format.codec import LANE_BYTES
from odometer.engine.format.decisions import MeteredProduct
from odometer.engine.format.frames import SHARD, Frame, lanes_of, reach, total
from odometer.engine.format.runs import Run, frames_in
from odometer.engine.format.segments import day_frames
from odometer.engine.read.readings import Measuring, Term, View
from odometer.engine.store import Item, KeyRange

_FULL: Final = b"\xff" * LANE_BYTES


class Stretch(NamedTuple):
    """Whole days of one year that frames answer, and the block that they belong to."""

    block: int
    start: date
    stop: date

    @property
    def runs_by_days(self) -> bool:
        """Whether it is a part of a week: a few deltas weigh less than a reading."""
        week = (calendar.base(self.start), calendar.next_edge(self.start))
        return self.stop <= week[1] and (self.start, self.stop) != week


@dataclass(frozen=True)
class ProductSeries(Measuring):
    """One product along the edges of some blocks of time."""

    edges: Sequence[int]
    """Seconds; each but the outer two begins a day."""

    @cached_property
    def stretches(self) -> Sequence[Stretch]:
        """What frames answer, block by block, cut at every New Year."""
        first, end = self._whole_days(range(self.edges[0], self.edges[-1]))
        days = [min(max(first, calendar.day_of(edge, self.zone)), end) for edge in self.edges]
        return [
            Stretch(block, *ends)
            for block, (start, stop) in enumerate(pairwise(days))
            for ends in calendar.years(start, stop)
        ]

    def loose_key_ranges(self) -> list[KeyRange]:
        """Where the events are that no frame answers for."""
        return [self._segment_key_range(piece) for piece in self._pieces()]

    def loose(self, answers: Iterable[Sequence[Item]]) -> list[Mapping[int, Frame]]:
        """By block and shard, what segments and the tail say of the seconds that are theirs."""
        plan = self.view.head.plan
        settled = [
            segment.cut(piece.start, piece.stop)
            for piece, items in zip(self._pieces(), answers, strict=True)
            for segment in segments.from_items(items, plan, self.product)
        ]
        events = [*settled, self._tail()]
        return [
            day_frames([segment.cut(*ends) for segment in events], self.product)
            for ends in pairwise(self.edges)
        ]

    def terms(self, shard: int) -> list[Term]:
        """What is to be read of a shard: runs of days, what came late, and readings."""
        if shard >= self.view.head.shards(self.product.id):
            return []
        days = joined(each for each in self.stretches if each.runs_by_days)
        deltas = [(end, keys.deltas_from(start), keys.frames_from(end)) for start, end in days]
        late = [
            (end, keys.late_from(start), keys.late_from(end))
            for start, end in joined(self.stretches)
            if self.view.head.has_late(self.product.id, start.year)
        ]
        runs = {run for each in self.stretches for _, run in self._edges(each, shard)}
        return [
            *(Term(1, shard, self._before(*each, shard)) for each in (*deltas, *late)),
            *(Term(1, shard, r.key_range(strong=self._strong(r.day)), r) for r in sorted(runs)),
        ]

    def blocks(
        self,
        shard: int,
        found: Sequence[tuple[Term, Sequence[Item]]],
        loose: Iterable[Mapping[int, Frame]],
    ) -> Iterator[Frame]:
        """The measures of every block in turn."""
        days = self._by_block(item for term, items in found if not term.run for item in items)
        readings = self._readings({term.run: items for term, items in found if term.run})
        wide = len(self.product.kind.measures)
        for block, events in enumerate(loose):
            parts = frames_in(days.pop(block, ()), self.view.head.plan, self.product)
            differences = [
                tuple(sign * column for column in readings[run])
                for each in (self._in_block.get(block, ()) if found else ())
                for sign, run in self._edges(each, shard)
            ]
            rest = [events[shard]] if shard in events else []
            yield total((*parts, *differences, *rest), wide)[:wide]

    @cached_property
    def _in_block(self) -> Mapping[int, Sequence[Stretch]]:
        found: defaultdict[int, list[Stretch]] = defaultdict(list)
        for each in self.stretches:
            found[each.block].append(each)
        return found

    def _pieces(self) -> list[range]:
        """The seconds that no frame answers."""
        start, end = self.edges[0], self.edges[-1]
        if not self.stretches:
            return [range(start, end)] if start < end else []
        days = (self.stretches[0].start, self.stretches[-1].stop)
        first, last = (calendar.start(day, self.zone) for day in days)
        return [piece for piece in (range(start, first), range(last, end)) if piece]

    def _before(self, end: date, first: str, last: str, shard: int) -> KeyRange:
        """Items of days that end, all in one year, with this one."""
        return KeyRange(self._pk((end - DAY).year, shard), first, last, self._strong(end))

    def _edges(self, stretch: Stretch, shard: int) -> Iterator[tuple[int, Run]]:
        """The readings whose difference a stretch is, with their signs."""
        if not stretch.runs_by_days:
            year = stretch.start.year
            pk = self._pk(year, shard)
            yield 1, Run.of(pk, year, stretch.stop)
            if stretch.start != calendar.new_year(year):
                yield -1, Run.of(pk, year, stretch.start)

    def _by_block(self, items: Iterable[Item]) -> dict[int, list[Item]]:
        """Deltas and late items; the keyframes that stand between them are left out."""
        starts = [each.start for each in self.stretches]
        found: defaultdict[int, list[Item]] = defaultdict(list)
        for item in items:
            if not keys.is_keyframe(item["sk"]):
                at = bisect_right(starts, keys.day_of(item["sk"])) - 1
                found[self.stretches[at].block].append(item)
        return found

    def _readings(self, runs: Mapping[Run, Sequence[Item]]) -> Mapping[Run, Frame]:
        """The readings; what is true of the last empty one is true of those before it."""
        store, plan = self.view.store, self.view.head.plan
        for run in {run.pk: run for run in sorted(runs) if not runs[run]}.values():
            run.frame(store, (), plan, self.product)
        nothing = total((), len(self.product.kind.measures))
        return {
            run: run.frame(store, items, plan, self.product) if items else nothing
            for run, items in runs.items()
        }


@dataclass(frozen=True)
class Series:
    """Several products along the same edges, seen from one view."""

    view: View
    products: Sequence[MeteredProduct]
    edges: Sequence[int]

    @cached_property
    def shards(self) -> range:
        """The shards that may have anything in them."""
        with_events = (shard for loose in self._loose for block in loose for shard in block)
        settled = (self.view.head.shards(product.id) for product in self.products)
        return range(max([0, *settled, *(shard + 1 for shard in with_events)]))

    def blocks(self, shard: int) -> Iterator[tuple[Frame, ...]]:
        """For each block in turn, what the users of a shard used of every product.

        Everything that a shard takes is read in one round, and decoded as the blocks go by.
        """
        terms = [course.terms(shard) for course in self._courses]
        answers = iter(self._read([term.key_range for each in terms for term in each]))
        blocks = [
            course.blocks(shard, [(term, next(answers)) for term in each], loose)
            for course, each, loose in zip(self._courses, terms, self._loose, strict=True)
        ]
        return zip(*blocks, strict=True)

    @cached_property
    def _courses(self) -> list[ProductSeries]:
        view = self.view
        zones = [calendar.zone_of(product.kind, view.head.zone) for product in self.products]
        pairs = zip(self.products, zones, strict=True)
        return [ProductSeries(view, product, zone, self.edges) for product, zone in pairs]

    @cached_property
    def _loose(self) -> list[list[Mapping[int, Frame]]]:
        key_ranges = [course.loose_key_ranges() for course in self._courses]
        answers = iter(self._read([key_range for each in key_ranges for key_range in each]))
        return [
            course.loose([next(answers) for _ in each])
            for course, each in zip(self._courses, key_ranges, strict=True)
        ]

    def _read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        return self.view.store.read(key_ranges) if key_ranges else []


def joined(stretches: Iterable[Stretch]) -> list[tuple[date, date]]:
    """Days of one year that follow each other, in one piece."""
    found: list[tuple[date, date]] = []
    for each in stretches:
        follows = found and found[-1][1] == each.start != calendar.new_year(each.start.year)
        start = found.pop()[0] if follows else each.start
        found.append((start, each.stop))
    return found


def only(frame: Frame, users: int) -> Frame:
    """What those users used whose lanes are filled."""
    return tuple(column & users for column in frame)


def lanes_filled(users: Iterable[int]) -> dict[int, int]:
    """By shard, the lanes of these users filled with ones."""
    found: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(LANE_BYTES * SHARD))
    for user in users:
        shard, lane = divmod(user, SHARD)
        found[shard][LANE_BYTES * lane : LANE_BYTES * (lane + 1)] = _FULL
    return {shard: int.from_bytes(lanes, "little") for shard, lanes in found.items()}


def sums(frame: Frame) -> list[int]:
    """Every column of a frame, all users together."""
    users = reach(frame)
    return [sum(array("Q", lanes_of(column, users))) for column in frame]
