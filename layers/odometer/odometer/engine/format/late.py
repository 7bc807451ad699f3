"""Late items: what came to days behind their keyframe, as rows of a year.

A row holds what one user used on one day, and whether it counts the day: only the first that is
known of a user and day does. The first format had an item for each day, laid out like a delta.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, tzinfo
from itertools import accumulate, compress, pairwise
from typing import NamedTuple

from odometer.domain.stored import require, stored
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.codec import pack, pack_measures, unpack, unpack_measures
from odometer.engine.format.frames import PART_BYTES, SHARD, Frame, from_attributes, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, by_day, summed
from odometer.engine.store import Item, KeyRange


class DayRows(NamedTuple):
    """What users of one shard used on days of one year, by day and user."""

    year: int
    days: Sequence[int]
    """From 1 January, that day being 0."""
    who: Sequence[int]
    measures: Sequence[Sequence[int]]
    counted: Sequence[int]
    """1 where the row counts the user's day."""

    @classmethod
    def of(cls, year: int, rows: Iterable[tuple[int, ...]]) -> DayRows:
        """Of rows (day, user, measures …, counted)."""
        days, who, *measures, counted = zip(*sorted(rows), strict=True)
        return cls(year, days, who, measures, counted)

    @property
    def rows(self) -> Iterator[tuple[int, ...]]:
        return zip(self.days, self.who, *self.measures, self.counted, strict=True)

    def without(self, known: Collection[tuple[int, int]]) -> DayRows:
        """The same rows, which do not count the days of users that are known already."""
        fresh = [
            counted if (day, who) not in known else 0
            for day, who, counted in zip(self.days, self.who, self.counted, strict=True)
        ]
        return self._replace(counted=fresh)

    @property
    def different_days(self) -> list[date]:
        return [self.day(place) for place in dict.fromkeys(self.days)]

    @property
    def counting(self) -> Iterator[tuple[int, int]]:
        """The days and users that these rows count."""
        return compress(zip(self.days, self.who, strict=True), self.counted)

    def among(self, users: int) -> DayRows:
        """The rows of users who are given as a bit each."""
        each = zip(self.rows, self.who, strict=True)
        some = [row for row, who in each if users >> who & 1]
        columns = zip(*some, strict=True) if some else [()] * (len(self.measures) + 3)
        days, who, *measures, counted = columns
        return DayRows(self.year, days, who, measures, counted)

    def cut(self, start: date, stop: date) -> DayRows:
        """The rows from one day up to, but not including, another."""
        first, end = (bisect_left(self.days, self.place(day)) for day in (start, stop))
        return self._sliced(slice(first, end))

    def place(self, day: date) -> int:
        return (day - calendar.new_year(self.year)).days

    def day(self, place: int) -> date:
        return date.fromordinal(calendar.new_year(self.year).toordinal() + place)

    def by_day(self) -> Iterator[tuple[date, DayRows]]:
        cuts = [at for at, (a, b) in enumerate(pairwise((-1, *self.days))) if a != b]
        for first, end in pairwise((*cuts, len(self.days))):
            yield self.day(self.days[first]), self._sliced(slice(first, end))

    def frame(self) -> Frame:
        if not self.days:
            return Frame((0,) * (len(self.measures) + 1))
        columns = Segment(self.days, self.who, (*self.measures, self.counted))
        return summed([columns], len(columns.measures))

    def parts(self) -> Iterator[dict[str, bytes]]:
        """The attributes of items that each fit the table."""
        attributes = self.to_attributes()
        if sum(map(len, attributes.values())) <= PART_BYTES:
            yield attributes
            return
        middle = len(self.days) // 2
        for half in (slice(middle), slice(middle, None)):
            yield from self._sliced(half).parts()

    def to_attributes(self) -> dict[str, bytes]:
        gaps = (later - earlier for earlier, later in pairwise((0, *self.days)))
        measures = pack_measures(self.measures)
        return {"day": pack(gaps), "who": pack(self.who), **measures, "counted": pack(self.counted)}

    @classmethod
    @stored
    def from_item(cls, item: Item, product: MeteredProduct) -> DayRows:
        days, who = list(accumulate(unpack(item["day"]))), unpack(item["who"])
        year, counted = keys.year_of(item["pk"]), unpack(item["counted"])
        require(len(days) == len(who) == len(counted) and {0, 1}.issuperset(counted))
        require(max(who, default=0) < SHARD and max(days, default=0) < _days_in(year))
        return cls(year, days, who, unpack_measures(item, product.measures, len(who)), counted)

    def _sliced(self, piece: slice) -> DayRows:
        measures = [column[piece] for column in self.measures]
        columns = self.days[piece], self.who[piece], measures, self.counted[piece]
        return DayRows(self.year, *columns)


def _days_in(year: int) -> int:
    return (calendar.new_year(year + 1) - calendar.new_year(year)).days


def rows_by_shard(
    events: Segment, seconds: range, zone: tzinfo, product: MeteredProduct
) -> dict[tuple[int, int], DayRows]:
    """By year and shard, what some events add up to; every row counts its day."""
    rows: defaultdict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    for day, within in by_day([events], seconds, zone):
        place = (day - calendar.new_year(day.year)).days
        for shard, of_shard in within[0].by_shard():
            rows[day.year, shard] += ((place, *row, 1) for row in _sums(of_shard, product))
    return {key: DayRows.of(key[0], some) for key, some in sorted(rows.items()) if some}


def _sums(segment: Segment, product: MeteredProduct) -> Iterator[tuple[int, ...]]:
    """By user, the sums of all measures, unless all of them are 0."""
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0] * product.measures)
    for who, *values in zip(segment.who, *segment.measures, strict=True):
        sums[who][:] = map(int.__add__, sums[who], values)
    return ((who, *measures) for who, measures in sums.items() if any(measures))


def key_range(pk: str, first: date, *, strong: bool = True) -> KeyRange:
    """Everything that came late to a day or a later one of a year; and to any other day."""
    return KeyRange(pk, keys.late_from(first), keys.LATE_END, strong)


class Late(NamedTuple):
    """What came late to one year of one shard, with the item that holds it."""

    of_days: Sequence[tuple[Item, Frame]]
    """In the first format."""
    of_year: Sequence[tuple[Item, DayRows]]
    wide: int

    @classmethod
    def of(cls, items: Iterable[Item], plan: int, product: MeteredProduct) -> Late:
        """What plans up to one wrote.

        Items of days are left out if their plan also wrote for the year: that is a plan which was
        begun in the first format and then done again.
        """
        seen = [item for item in items if keys.plan_of(item["sk"]) <= plan]
        of_year = [item for item in seen if keys.is_late_of_year(item["sk"])]
        done = {keys.plan_of(item["sk"]) for item in of_year}
        return cls(
            [
                (item, from_attributes(item, product.measures))
                for item in seen
                if keys.is_late_of_day(item["sk"]) and keys.plan_of(item["sk"]) not in done
            ],
            [(item, DayRows.from_item(item, product)) for item in of_year],
            product.measures,
        )

    def each(self, start: date, stop: date) -> Iterator[tuple[Item, Frame]]:
        """The items with anything of some days, and what that is."""
        for item, frame in self.of_days:
            if start <= keys.day_of(item["sk"]) < stop:
                yield item, frame
        for item, rows in self.of_year:
            if (within := rows.cut(start, stop)).days:
                yield item, within.frame()

    def frame(self, start: date, stop: date) -> Frame:
        return total((frame for _, frame in self.each(start, stop)), self.wide)

    def by_day(self, start: date, stop: date) -> Iterator[tuple[date, Frame]]:
        """What came late to each of some days."""
        for item, frame in self.of_days:
            if start <= (day := keys.day_of(item["sk"])) < stop:
                yield day, frame
        for _, rows in self.of_year:
            within = rows.cut(start, stop).by_day()
            yield from ((day, of_day.frame()) for day, of_day in within)
