"""Explains a figure: the readings, deltas, late items and events that it is the sum of.

The terms are what `Measuring` plans to read for the same figure, item by item, so that whoever adds
them up checks the report itself and not a second way of counting. A reading is always explained by
the keyframe before it. The one after it, which a report may go on from, is the sum of that keyframe
and of the deltas of the week; `engine/read/verify.py` compares them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from heapq import nsmallest
from itertools import chain
from typing import Final, NamedTuple, Self

from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import DAYS, SHARD, Frame, from_attributes
from odometer.engine.format.late import Late
from odometer.engine.format.products import PEOPLE, PROJECTIONS, TOTALS, MeteredProduct, places
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.read.inside import Found, Piece, find_frames
from odometer.engine.read.measuring import Measuring, Term
from odometer.engine.read.projections import projected_view
from odometer.engine.read.series import Series, lanes_filled
from odometer.engine.read.views import View
from odometer.engine.rounds import in_rounds
from odometer.engine.store import Item

MOST_EVENTS: Final = 100_000
"""Events that are listed, the earliest; all are in the figure."""


class TermKind(StrEnum):
    """What a term of a figure is."""

    READING = "reading"
    DELTA = "delta"
    SEGMENT = "segment"
    LATE = "late"
    DAY = "day"
    USER = "user"


class Part(NamedTuple):
    """One term of a figure: what it is, its key, and how it enters the sum."""

    kind: TermKind
    key: str
    sign: int
    value: int


class ExplainedEvent(NamedTuple):
    """One event that is counted by itself."""

    second: int
    who: int | None
    value: int


class Explanation(NamedTuple):
    """A figure with all that it is the sum of, and what was read and is not in it."""

    parts: Sequence[Part] = ()
    events: Sequence[ExplainedEvent] = ()
    users: Sequence[int] = ()
    later_items: int = 0
    """Items of plans that the view does not see."""
    outside: int = 0
    """Events of the same days that are not in the range."""

    @property
    def value(self) -> int:
        return sum(part.sign * part.value for part in self.parts) + len(self.users)

    def of_nobody(self) -> Self:
        """The same where events do not say whose they are."""
        return self._replace(events=[event._replace(who=None) for event in self.events])

    def times(self, factor: int) -> Self:
        """The same in a unit of which as many are one."""
        parts = [part._replace(value=part.value * factor) for part in self.parts]
        events = [event._replace(value=event.value * factor) for event in self.events]
        return self._replace(parts=parts, events=events)

    def taken_away(self) -> Self:
        parts = [part._replace(sign=-part.sign) for part in self.parts]
        events = [event._replace(value=-event.value) for event in self.events]
        return self._replace(parts=parts, events=events)

    @property
    def entries(self) -> Sequence[object]:
        """What pages list: users where they are counted, otherwise events."""
        return self.users or self.events

    @property
    def people(self) -> list[int]:
        return [*self.users, *(event.who for event in self.events if event.who is not None)]


def sum_of(several: Iterable[Explanation]) -> Explanation:
    figures = list(several)
    return Explanation(
        parts=[part for each in figures for part in each.parts],
        events=sorted((event for each in figures for event in each.events), key=lambda e: e.second),
        later_items=sum(each.later_items for each in figures),
        outside=sum(each.outside for each in figures),
    )


def explain_measure(
    view: View, product: MeteredProduct, measure: str, period: Period, users: Collection[int] | None
) -> Explanation:
    place = product.kind.measures.index(measure)
    return Explainer(view, product, place, users).of(period.seconds)


def explain_value(
    view: View,
    product: MeteredProduct,
    measure: str,
    period: Period,
    breakdown: str,
    value: int | None,
) -> Explanation:
    """What was used of a value of a breakdown; without a value, all that is of none of them."""
    place = product.kind.breakdowns.index(breakdown)
    by_value, column = product.by_value(place), product.kind.measures.index(measure)
    if value is not None:
        return Explainer(view, by_value, column, [value]).of(period.seconds).of_nobody()
    every = explain_measure(view, product, measure, period, None)
    valued = Explainer(view, by_value, column, None).of(period.seconds)
    return sum_of([every, valued.taken_away()]).of_nobody()


def explain_days(
    view: View,
    catalog: Sequence[MeteredProduct],
    product: MeteredProduct,
    period: Period,
    user: int | None,
) -> Explanation:
    """On how many days of the organization one user, or anybody, used a product.

    For one user of a kind that counts local days, its own frames answer; for all else a projection.
    """
    to = TOTALS if user is None else PEOPLE
    known = places(catalog, to)
    if user is not None and (product.kind.local_days or product.id not in known):
        return Explainer(view, product, DAYS, [user]).of(period.seconds)
    row = PROJECTIONS[to](known[product.id], user or 0)
    rows = projected_view(view, catalog, to, row // SHARD)
    explanation = Explainer(rows, to, DAYS, [row]).of(period.seconds)
    events = [event._replace(who=user) for event in explanation.events]
    return explanation._replace(events=events)


def explain_days_of_some(
    view: View, product: MeteredProduct, period: Period, users: Collection[int]
) -> Explanation:
    zone = calendar.zone_of(product.kind, view.head.zone)
    edges = calendar.day_edges(period.seconds, zone)
    used = Series(view, [product], edges).blocks_used_by(users)
    days = (calendar.day_of(edges[block], zone) for block in sorted(used))
    return Explanation([Part(TermKind.DAY, f"{day}", 1, 1) for day in days])


@dataclass(frozen=True)
class Explainer(Measuring):
    """One column of one product, of everybody or of some users."""

    place: int
    users: Collection[int] | None

    def of(self, seconds: range) -> Explanation:
        reads = self.reads(seconds, self._shards)
        answers = in_rounds(self.view.store, reads.items())
        reader, excluded = self.inside(self._shards), Counter[str]()
        pieces = [piece for each in reads.unframed for piece in reader.cut(each)]
        in_rounds(self.view.store, find_frames(pieces))
        events = (event for piece in pieces for event in self._events(piece, excluded))
        listed = nsmallest(MOST_EVENTS, events)
        parts = [
            *(
                part
                for term, items in zip(reads.terms, answers, strict=True)
                for part in self._of_frames(term, items)
            ),
            *(part for piece in pieces for part in self._of_piece(piece)),
            *self._of_late_events(in_rounds(self.view.store, self._late_frames(reads.framed))),
        ]
        excluded["later"] += sum(self._is_later(item) for items in answers for item in items)
        return Explanation(
            parts, listed, later_items=excluded["later"], outside=excluded["outside"]
        )

    @cached_property
    def _lanes(self) -> Mapping[int, int] | None:
        return None if self.users is None else lanes_filled(self.users)

    @property
    def _shards(self) -> Sequence[int]:
        shards = range(self.view.head.shards(self.product))
        return [shard for shard in shards if self._lanes is None or shard in self._lanes]

    def _of_frames(self, term: Term, items: Sequence[Item]) -> Iterator[Part]:
        for item, frame in self._frames_of(term, items):
            value = self._value(term.shard, frame)
            yield Part(kind_of(item["sk"]), self._key(item), term.sign, value)

    def _frames_of(self, term: Term, items: Sequence[Item]) -> Iterator[tuple[Item, Frame]]:
        if term.late:
            yield from Late.of(items, self.view.head.plan, self.product).each(*term.late)
            return
        for item in items:
            if not self._is_later(item):
                yield item, from_attributes(item, self.product.measures)

    def _of_piece(self, piece: Piece) -> Iterator[Part]:
        """What was used inside a day. Days do not add up of parts, so they are one figure."""
        for day, frames in piece.frames().items():
            value = sum(self._value(shard, frame) for shard, frame in frames.items())
            for found in piece.found if self.place != DAYS else ():
                for part in self._of_found(found):
                    value -= part.sign * part.value
                    yield part
            yield Part(TermKind.SEGMENT, f"E#{self.product.id}/{day}", 1, value)

    def _of_found(self, found: Found) -> Iterator[Part]:
        for item in found.frames:
            value = self._value(found.shard, from_attributes(item, self.product.measures))
            yield Part(TermKind.READING, self._key(item), found.sign, value)

    def _of_late_events(self, frames: Iterable[tuple[int, Frame]]) -> Iterator[Part]:
        view = self.view
        ranges = (
            f"{keys.of_lane('F', lane)}/{keys.number(after + 1)}..{keys.number(upto)}"
            for lane, (after, upto) in enumerate(zip(view.head.upto, view.upto, strict=True))
            if after < upto
        )
        key = " ".join(ranges)
        for shard, frame in frames:
            if value := self._value(shard, frame):
                yield Part(TermKind.LATE, key, 1, value)

    def _events(self, piece: Piece, excluded: Counter[str]) -> Iterator[ExplainedEvent]:
        """The events of a piece, which are added up as they pass; those taken away are negative."""
        for found in piece.found:
            events = found.events(self.product)
            yield from self._listed(events, found.shard * SHARD, found.sign)
        for events in self._segments(piece, excluded):
            for day, (within,) in by_day([events], piece.seconds, piece.reader.zone):
                piece.add(day, within)
                yield from self._listed(within)

    def _segments(self, piece: Piece, excluded: Counter[str]) -> Iterator[Segment]:
        pages = map(self.view.store.pages, piece.reader.key_ranges(piece))
        for item in chain.from_iterable(chain.from_iterable(pages)):
            if self._is_later(item):
                excluded["later"] += 1
                continue
            segment = Segment.from_item(item, self.product)
            within = segment.cut(piece.seconds.start, piece.seconds.stop)
            excluded["outside"] += len(segment.who) - len(within.who)
            yield within
        yield self._unsettled

    def _listed(self, events: Segment, first: int = 0, sign: int = 1) -> Iterator[ExplainedEvent]:
        column = [0] * len(events.who) if self.place == DAYS else events.measures[self.place]
        for second, who, value in zip(events.seconds, events.who, column, strict=True):
            if self.users is None or first + who in self.users:
                yield ExplainedEvent(second, first + who, sign * value)

    def _value(self, shard: int, frame: Frame) -> int:
        mine = frame if self._lanes is None else frame.only(self._lanes.get(shard, 0))
        return mine.sum(self.place)

    def _is_later(self, item: Item) -> bool:
        return keys.plan_of(item["sk"]) > self.view.head.plan

    def _key(self, item: Item) -> str:
        return f"{item['pk'].removeprefix(self.view.organization + '#')}/{item['sk']}"


def kind_of(sort_key: str) -> TermKind:
    if keys.is_keyframe(sort_key):
        return TermKind.READING
    return TermKind.DELTA if keys.is_delta(sort_key) else TermKind.LATE
