"""Explain: the readings, deltas, late items and events that a figure is the sum of.

The terms are what `Measuring` reads for the same figure, item by item, so that whoever adds them up
checks the report and not a second way of counting.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from odometer.domain.time import Period
from odometer.readings import calendar, keys, segments
from odometer.readings.decisions import Product
from odometer.readings.frames import LANE_BITS, SHARD, Frame, from_attributes, lanes_of, reach
from odometer.readings.reading import Measuring, Term, View
from odometer.readings.segments import Segment, by_day, day_frames
from odometer.readings.shelf import Item

DAYS_ACTIVE = "days_active"


class TermKind(StrEnum):
    """What a term of a figure is."""

    READING = "reading"
    DELTA = "delta"
    SEGMENT = "segment"
    LATE = "late"


class Part(NamedTuple):
    """One term of a figure: what it is, where it stands, and how it enters the sum."""

    kind: TermKind
    key: str
    sign: int
    value: int


class Happened(NamedTuple):
    """One event that is counted by itself."""

    second: int
    who: int
    value: int


class Explained(NamedTuple):
    """A figure with all that it is made of, and what was read and is not in it."""

    parts: Sequence[Part]
    events: Sequence[Happened]
    later_items: int
    """Items of plans that the view does not see."""
    outside: int
    """Events of the same days that are not in the range."""

    @property
    def value(self) -> int:
        """What the parts add up to."""
        return sum(part.sign * part.value for part in self.parts)


def explained(
    view: View, product: Product, measure: str, period: Period, user: int | None
) -> Explained:
    """A measure, or the days active, of everybody or of one user in a period."""
    zone = calendar.zone_of(product.kind, view.head.zone)
    place = -1 if measure == DAYS_ACTIVE else product.kind.measures.index(measure)
    return Explaining(view, product, zone, place, user).of(period.seconds)


@dataclass(frozen=True)
class Explaining(Measuring):
    """One column of one product, of everybody or of one user."""

    place: int
    user: int | None

    def of(self, seconds: range) -> Explained:
        """The parts of the figure, and the events that are told apart."""
        asked = self.asked(seconds)
        answers = self.view.shelf.read(asked.spans)
        frames, loose = asked.parted(answers)
        parts = [
            *(part for term, items in frames for part in self._of_frames(term, items)),
            *(part for piece, items in loose for part in self._of_days(piece, items)),
            *self._of_late_tail(asked.inner),
        ]
        events = [event for piece, items in loose for event in self._events(piece, items)]
        inside = sum(len(self._within(piece, items).who) for piece, items in loose)
        held = sum(len(each.who) for _, items in loose for each in self._settled(items))
        return Explained(parts, events, self._later(answers), max(0, held - inside))

    @property
    def _shards(self) -> Sequence[int]:
        shards = range(self.view.head.shards(self.product.id))
        return shards if self.user is None else [s for s in shards if s == self.user // SHARD]

    def _of_frames(self, term: Term, items: Sequence[Item]) -> Iterator[Part]:
        self._frame(term, items)  # a keyframe that is missing is an error here as well
        for item in items:
            if not self._is_later(item):
                frame = from_attributes(item, len(self.product.kind.measures))
                value = self._value(term.shard, frame)
                yield Part(kind_of(item["sk"]), self._key(item), term.sign, value)

    def _of_days(self, piece: range, items: Sequence[Item]) -> Iterator[Part]:
        for day, within in by_day([*self._settled(items), self._tail()], piece, self.zone):
            frames = day_frames(within, self.product)
            value = sum(self._value(shard, frame) for shard, frame in frames.items())
            yield Part(TermKind.SEGMENT, f"E#{self.product.id}/{day}", 1, value)

    def _of_late_tail(self, inner: range) -> Iterator[Part]:
        """What was decided for days that are sealed, and is not settled."""
        folds = [fold.number for fold in self.view.tail]
        for shard, frame in self._late_tail(inner):
            if value := self._value(shard, frame):
                key = f"F/{keys.number(folds[0])}..{keys.number(folds[-1])}"
                yield Part(TermKind.LATE, key, 1, value)

    def _events(self, piece: range, items: Sequence[Item]) -> Iterator[Happened]:
        found = self._within(piece, items)
        column = found.measures[self.place] if self.place >= 0 else [0] * len(found.who)
        for second, who, value in zip(found.seconds, found.who, column, strict=True):
            if self.user in (None, who):
                yield Happened(second, who, value)

    def _within(self, piece: range, items: Sequence[Item]) -> Segment:
        cuts = [s.cut(piece.start, piece.stop) for s in (*self._settled(items), self._tail())]
        rows = sorted(
            row for cut in cuts for row in zip(cut.seconds, cut.who, *cut.measures, strict=True)
        )
        columns = list(zip(*rows, strict=True)) or [()] * (2 + len(self.product.kind.measures))
        return Segment(columns[0], columns[1], columns[2:])

    def _settled(self, items: Iterable[Item]) -> list[Segment]:
        return segments.from_items(items, self.view.head.plan, self.product)

    def _value(self, shard: int, frame: Frame) -> int:
        """What the users who are asked about have in a frame."""
        column = frame[self.place]
        if self.user is None:
            return sum(array("Q", lanes_of(column, reach((column,)))))
        mine = shard == self.user // SHARD
        return column >> LANE_BITS * (self.user % SHARD) & (1 << LANE_BITS) - 1 if mine else 0

    def _later(self, answers: Iterable[Sequence[Item]]) -> int:
        return sum(self._is_later(item) for items in answers for item in items)

    def _is_later(self, item: Item) -> bool:
        return keys.plan_of(item["sk"]) > self.view.head.plan

    def _key(self, item: Item) -> str:
        """Where an item stands, but for the organization."""
        return f"{item['pk'].removeprefix(self.view.organization + '#')}/{item['sk']}"


def kind_of(sort_key: str) -> TermKind:
    """What an item of frames is."""
    if keys.is_keyframe(sort_key):
        return TermKind.READING
    return TermKind.DELTA if keys.is_delta(sort_key) else TermKind.LATE
