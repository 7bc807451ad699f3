"""Segments: the events of one product and UTC date in time order, without their identities."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, tzinfo
from itertools import accumulate, chain, compress, islice, pairwise, repeat, zip_longest
from typing import Final, NamedTuple

from odometer.domain.events import Event, utc_date
from odometer.domain.stored import require, stored
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.codec import (
    NARROW,
    Numbers,
    is_used,
    numbers,
    pack,
    pack_measures,
    unpack,
    unpack_measures,
    unused,
)
from odometer.engine.format.frames import SHARD, Frame, with_days
from odometer.engine.format.products import MeteredProduct, events_of
from odometer.engine.store import Item, KeyRange, Store

_SEGMENT_BYTES: Final = 500
_LONGEST_SECONDS: Final = 2 * 86_400
"""The longest day that a clock has shown had 48 hours."""
CROWDED: Final = 8_192
"""About so many events of one second and shard are a crowd: those of one user may be added up."""


class Segment(NamedTuple):
    """Some events of one product, by time."""

    seconds: Sequence[int]
    who: Sequence[int]
    measures: Sequence[Sequence[int]]

    @classmethod
    def of(cls, events: Iterable[Event[int]], product: MeteredProduct) -> Segment:
        mine = events_of(events, product)
        rows = sorted((event.second, event.who, *event.measures) for event in mine)
        columns = chain(zip_longest(*rows, fillvalue=0), repeat(unused(len(rows))))
        seconds, who, *measures = map(numbers, islice(columns, 2 + product.measures))
        return cls(seconds, who, measures)

    def cut(self, first: int, end: int) -> Segment:
        """The events from the first second up to, but not including, the end."""
        within = slice(bisect_left(self.seconds, first), bisect_left(self.seconds, end))
        measures = [column[within] for column in self.measures]
        return Segment(self.seconds[within], self.who[within], measures)

    def to_attributes(self, midnight: int) -> dict[str, bytes]:
        """The columns of an item; times as the gaps between them, from midnight UTC."""
        gaps = (later - earlier for earlier, later in pairwise((midnight, *self.seconds)))
        return {"gaps": pack(gaps), "who": pack(self.who), **pack_measures(self.measures)}

    @classmethod
    @stored
    def from_item(cls, item: Item, product: MeteredProduct) -> Segment:
        return cls.from_attributes(item, product, midnight_of(item))

    @classmethod
    @stored
    def from_attributes(cls, item: Item, product: MeteredProduct, first: int) -> Segment:
        """The events of an item whose first gap begins at a second; all are of about a day."""
        seconds = list(accumulate(unpack(item["gaps"]), initial=first))[1:]
        who = unpack(item["who"])
        require(len(seconds) == len(who) and seconds[-1:] <= [first + _LONGEST_SECONDS])
        return cls(seconds, who, unpack_measures(item, product.measures, len(who)))

    def of_shards(self, shards: range) -> Segment:
        users = range(shards.start * SHARD, shards.stop * SHARD)
        if not self.who or (min(self.who) in users and max(self.who) in users):
            return self
        here = [user in users for user in self.who]
        measures = [list(compress(column, here)) for column in self.measures]
        return Segment(list(compress(self.seconds, here)), list(compress(self.who, here)), measures)

    @property
    def weight(self) -> int:
        """About its bytes in memory."""
        return _SEGMENT_BYTES + NARROW * len(self.who) * (2 + len(self.measures))

    def by_shard(self) -> Iterator[tuple[int, Segment]]:
        """The events of each shard, users counted from its first one."""
        if not self.who:
            return
        if max(self.who) < SHARD:
            yield 0, self
            return
        by_shard: defaultdict[int, list[int]] = defaultdict(list)
        for place, user in enumerate(self.who):
            by_shard[user // SHARD].append(place)
        used = [is_used(column) for column in self.measures]
        for shard, places in by_shard.items():
            who, nothing = [self.who[place] % SHARD for place in places], unused(len(places))
            measures = [
                [column[place] for place in places] if is_any else nothing
                for column, is_any in zip(self.measures, used, strict=True)
            ]
            yield shard, Segment([self.seconds[place] for place in places], who, measures)

    def part(self, places: range) -> Segment:
        some = slice(places.start, places.stop)
        return Segment(self.seconds[some], self.who[some], [each[some] for each in self.measures])

    def halves(self) -> Iterator[Segment]:
        middle, end = len(self.who) // 2, len(self.who)
        yield self.part(range(middle))
        yield self.part(range(middle, end))


def joined(segments: Iterable[Segment], measures: int) -> Segment:
    """One segment of several that follow each other."""
    several = list(segments)
    return Segment(
        end_to_end([each.seconds for each in several]),
        end_to_end([each.who for each in several]),
        [end_to_end([each.measures[place] for each in several]) for place in range(measures)],
    )


def in_order(segment: Segment) -> Segment:
    """Events by shard, second and user; if a second is crowded, those of one user are added up."""
    places = numbers(
        (user // SHARD << 34 | second) << 14 | user % SHARD
        for second, user in zip(segment.seconds, segment.who, strict=True)
    )
    order = sorted(range(len(places)), key=places.__getitem__)
    columns = [_at(order, each) if is_used(each) else each for each in segment.measures]
    ordered = Segment(_at(order, segment.seconds), _at(order, segment.who), columns)
    if not _is_crowded(ordered.seconds):
        return ordered
    placed = _at(order, places)
    firsts = [at for at, (one, other) in enumerate(pairwise([-1, *placed])) if one != other]
    sums = [_added_up(column, firsts) for column in columns]
    return Segment(_at(firsts, ordered.seconds), _at(firsts, ordered.who), sums)


def _at(places: Iterable[int], column: Sequence[int]) -> Numbers:
    return numbers(map(column.__getitem__, places))


def _is_crowded(seconds: Sequence[int]) -> bool:
    """Whether a second has that many events; surely if it has half as many again."""
    pairs = range(0, len(seconds) - CROWDED, max(CROWDED // 2, 1))
    return any(seconds[at] == seconds[at + CROWDED] for at in pairs)


def _added_up(column: Sequence[int], firsts: Sequence[int]) -> Numbers:
    """A sum for all rows from each of some places to the next one."""
    sums = list(accumulate(column, initial=0))
    return numbers(sums[end] - sums[first] for first, end in pairwise([*firsts, len(column)]))


def end_to_end(columns: Sequence[Sequence[int]]) -> Numbers:
    """Columns after each other, in eight bytes a number where that is enough."""
    if not all(isinstance(column, array) for column in columns):
        return numbers(chain.from_iterable(columns))
    whole = array("Q")
    for column in columns:
        whole.extend(column)
    return whole


def midnight_of(item: Item) -> int:
    """When the UTC date of a segment begins."""
    return calendar.first_second(date_of(item), UTC)


@stored
def date_of(item: Item) -> date:
    """The UTC date of a segment."""
    return date.fromisoformat(item["sk"][:10])


def by_day(
    segments: Iterable[Segment], seconds: range, zone: tzinfo
) -> Iterator[tuple[date, list[Segment]]]:
    within = [cut for cut in (s.cut(seconds.start, seconds.stop) for s in segments) if cut.who]
    while within:
        day = calendar.day_of(min(segment.seconds[0] for segment in within), zone)
        end = calendar.first_second(day + DAY, zone)
        yield day, [segment.cut(0, end) for segment in within]
        within = [cut for cut in (s.cut(end, seconds.stop) for s in within) if cut.who]


def day_frames(segments: Iterable[Segment], product: MeteredProduct) -> dict[int, Frame]:
    by_shard: defaultdict[int, list[Segment]] = defaultdict(list)
    for segment in segments:
        for shard, of_shard in segment.by_shard():
            by_shard[shard].append(of_shard)
    frames = {shard: _frame(several, product) for shard, several in sorted(by_shard.items())}
    return {shard: frame for shard, frame in frames.items() if frame}


def _frame(segments: Sequence[Segment], product: MeteredProduct) -> Frame:
    return with_days(summed(segments, product.measures))


def summed(segments: Sequence[Segment], wide: int) -> Frame:
    """The sums of so many columns, one lane for each user."""
    users = max(max(segment.who) for segment in segments) + 1
    return Frame.of([_summed(segments, place, users) for place in range(wide)])


def _summed(segments: Iterable[Segment], place: int, users: int) -> Sequence[int]:
    """What each user used of a measure; no column where nobody did."""
    used = [segment for segment in segments if is_used(segment.measures[place])]
    column = [0] * users if used else []
    for segment in used:
        for who, value in zip(segment.who, segment.measures[place], strict=True):
            column[who] += value
    return column


def key_range(organization: str, product: str, seconds: range, *, strong: bool = True) -> KeyRange:
    pk = keys.segments(organization, product)
    return KeyRange(pk, str(utc_date(seconds[0])), f"{utc_date(seconds[-1])}{keys.TOP}", strong)


def first_dates(
    organization: str, store: Store, products: Iterable[MeteredProduct]
) -> list[tuple[MeteredProduct, date]]:
    """The products with events, and the first UTC date of each; all are asked for at once."""
    several = list(products)
    pks = [keys.segments(organization, product.id) for product in several]
    found = store.read([KeyRange(pk, keys.BOTTOM, keys.TOP, limit=1) for pk in pks])
    return [
        (product, date_of(items[0])) for product, items in zip(several, found, strict=True) if items
    ]


def years_with_frames(first: date, end: int) -> range:
    """The years before `end` in which a product may have frames, in whatever zone its days are."""
    return range((first - DAY).year, end)


def from_items(items: Iterable[Item], plan: int, product: MeteredProduct) -> list[Segment]:
    return [Segment.from_item(i, product) for i in items if keys.plan_of(i["sk"]) <= plan]
