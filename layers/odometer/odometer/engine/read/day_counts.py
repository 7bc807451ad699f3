"""Counts of whole days: who of a shard was active, and what they used together.

The strip of a week says both of everybody, and weighs less than one delta. Of groups it says who
was active, and an item beside it what they used. Deltas answer for the open week, for weeks of the
first format, which have no strips, and where groups are not those that their sums were made for.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, compress
from typing import Final, Protocol

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, late, strips
from odometer.engine.format.frames import Frame
from odometer.engine.format.groups import Members, Week, edge_of
from odometer.engine.format.late import DayRows, Late
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.strips import Count
from odometer.engine.read.measuring import Measuring
from odometer.engine.store import Item, KeyRange, Store

Days = tuple[date, date]
"""Days of one year; the second is the first that is not meant."""
DayCount = tuple[date, Count]

ByDay = Mapping[date, Count]

STRIP_WEIGHT: Final = 1
DELTA_WEIGHT: Final = 4
KEYFRAME_WEIGHT: Final = 10
"""What items weigh beside each other, as `tests/costs` counts them."""


class Whose(Protocol):
    """Whose use of a shard is counted."""

    def ranges(self, pk: str, first: date, last: date) -> list[KeyRange]:
        """Where the weeks that end on some days are told."""

    def weeks(self, items: Sequence[Item], product: MeteredProduct) -> Mapping[date, ByDay]:
        """What the items tell of whole weeks, by their end."""

    def of_frame(self, frame: Frame, product: MeteredProduct) -> Count: ...

    def of_rows(self, rows: DayRows) -> Count: ...


class Everybody:
    """All users of a shard."""

    def ranges(self, pk: str, first: date, last: date) -> list[KeyRange]:
        return [KeyRange(pk, keys.strip(first), keys.strip(last), strong=False)]

    def weeks(self, items: Sequence[Item], product: MeteredProduct) -> Mapping[date, ByDay]:
        found = filter(strips.has_sums, items)
        return {keys.day_of(item["sk"]): strips.from_item(item, product) for item in found}

    def of_frame(self, frame: Frame, product: MeteredProduct) -> Count:
        return Count.of(frame, product)

    def of_rows(self, rows: DayRows) -> Count:
        return Count.of_rows(rows)


@dataclass(frozen=True)
class Some:
    """The members of groups in a shard: a bit for each, and all bits of their lanes."""

    members: Members
    bits: int
    lanes: int

    def ranges(self, pk: str, first: date, last: date) -> list[KeyRange]:
        of_groups = [
            KeyRange(
                pk,
                keys.week_of_groups(self.members.division, chunk, first),
                keys.week_of_groups(self.members.division, chunk, last),
                strong=False,
            )
            for chunk in self.members.chunks
        ]
        return [*Everybody().ranges(pk, first, last), *of_groups]

    def weeks(self, items: Sequence[Item], product: MeteredProduct) -> Mapping[date, ByDay]:
        strip = {keys.day_of(i["sk"]): strips.active_in(i) for i in items if keys.is_strip(i["sk"])}
        sums: dict[date, list[ByDay]] = {}
        for item in items:
            if keys.is_of_groups(item["sk"]) and item["of"] == self.members.digest:
                sums.setdefault(edge_of(item), []).append(self._of_week(item, product))
        told = {
            edge: parts for edge, parts in sums.items() if len(parts) == len(self.members.chunks)
        }
        return {
            edge: strips.added(chain(active, *(each.items() for each in told.get(edge, ()))))
            for edge, by_day in strip.items()
            if not (active := list(self._active(by_day))) or edge in told
        }

    def of_frame(self, frame: Frame, product: MeteredProduct) -> Count:
        return Count.of(frame.only(self.lanes), product)

    def of_rows(self, rows: DayRows) -> Count:
        return Count.of_rows(rows.among(self.bits))

    def _of_week(self, item: Item, product: MeteredProduct) -> ByDay:
        week = Week.from_item(item, product)
        return {day: Count(0, sums) for day, sums in week.of_groups(self.members.groups)}

    def _active(self, by_day: Mapping[date, int]) -> Iterator[DayCount]:
        return ((day, Count(both)) for day, users in by_day.items() if (both := users & self.bits))


@dataclass(frozen=True)
class DayCounts(Measuring):
    """One product in one shard on some days that are sealed."""

    shard: int
    days: Sequence[Days]
    whose: Whose

    @property
    def weight(self) -> int:
        """Of what `key_ranges` reads, save what came late."""
        weeks = sum(len(calendar.cut_at_keyframes(*sealed)) for sealed, _ in self._cut)
        items = len(self.whose.ranges("", date.min, date.max))
        return STRIP_WEIGHT * weeks * items + weight_of_deltas(u for _, u in self._cut)

    @property
    def key_ranges(self) -> list[KeyRange]:
        return [each for days in self._cut for each in self._of_year(*days)]

    def without_strip(self, answered: Container[date]) -> list[Days]:
        """Days of sealed weeks that have no strip: nobody used anything, or only deltas tell."""
        lacking: list[Days] = []
        for sealed, _ in self._cut:
            for start, stop in calendar.cut_at_keyframes(*sealed):
                if calendar.keyframe_after(start) not in answered:
                    follows = lacking and lacking[-1][1] == start != calendar.new_year(start.year)
                    lacking.append((lacking.pop()[0] if follows else start, stop))
        return lacking

    def deltas(self, days: Days, limit: int | None = None) -> KeyRange:
        start, stop = days
        ends = keys.deltas_from(start), keys.frames_from(stop)
        return KeyRange(self._pk(start.year, self.shard), *ends, self._strong(stop), limit)

    def weeks(self, items: Sequence[Item]) -> Mapping[date, ByDay]:
        return self.whose.weeks(items, self.product)

    def by_day(self, weeks: Iterable[ByDay], items: Sequence[Item]) -> dict[date, Count]:
        """What was used on each of the days: of whole weeks, and in other items."""
        of_weeks = (week.items() for week in weeks)
        counts = chain(*of_weeks, self._of_deltas(items), self._of_late_items(items))
        return strips.added((day, count) for day, count in counts if self._has(day))

    def _of_deltas(self, items: Iterable[Item]) -> Iterator[DayCount]:
        for day, frame in strips.deltas_in(items, self.view.head.plan, self.product):
            yield day, self.whose.of_frame(frame, self.product)

    def _of_late_items(self, items: Iterable[Item]) -> Iterator[DayCount]:
        of_days, of_year, _ = Late.of(items, self.view.head.plan, self.product)
        for item, frame in of_days:
            yield keys.day_of(item["sk"]), self.whose.of_frame(frame, self.product)
        for _, rows in of_year:
            yield from ((day, self.whose.of_rows(of_day)) for day, of_day in rows.by_day())

    @property
    def _cut(self) -> Iterator[tuple[Days, Days]]:
        """By year, the days of weeks with a keyframe, and the other ones."""
        sealed = calendar.keyframe_before(calendar.day_of(self.view.head.sealed, self.zone))
        for start, stop in self.days:
            middle = min(max(start, sealed), stop)
            yield (start, middle), (middle, stop)

    def _of_year(self, sealed: Days, unsealed: Days) -> Iterator[KeyRange]:
        """Where a strip was written so lately that it is not seen, the deltas tell."""
        year = sealed[0].year
        pk = self._pk(year, self.shard)
        if sealed[0] < sealed[1]:
            first, last = (calendar.keyframe_after(day) for day in (sealed[0], sealed[1] - DAY))
            yield from self.whose.ranges(pk, first, last)
        if unsealed[0] < unsealed[1]:
            yield self.deltas(unsealed)
        if self.view.head.has_late(self.product.id, year):
            yield late.key_range(pk, sealed[0], strong=self._strong(unsealed[1]))

    def _has(self, day: date) -> bool:
        return any(start <= day < stop for start, stop in self.days)


def read_each(several: Sequence[DayCounts], most: int) -> list[dict[date, Count]] | None:
    """What was used, by product and day; None where that weighs more than other frames would.

    Where nobody had used anything yet there are no strips either: one item more tells.
    """
    weight = sum(each.weight for each in several)
    if weight >= most:
        return None
    store = several[0].view.store
    read = _answers(store, [each.key_ranges for each in several])
    found = [list(chain(*items)) for items in read]
    weeks = [each.weeks(items) for each, items in zip(several, found, strict=True)]
    lacking = [each.without_strip(known) for each, known in zip(several, weeks, strict=True)]
    used = _used(several, lacking)
    if weight + sum(map(weight_of_deltas, used)) >= most:
        return None
    rest = _deltas(several, used)
    return [
        each.by_day(known.values(), [*items, *chain(*deltas)])
        for each, known, items, deltas in zip(several, weeks, found, rest, strict=True)
    ]


def _used(several: Sequence[DayCounts], days: Sequence[Sequence[Days]]) -> list[list[Days]]:
    """Those of the days in which anything is stored; the first item tells."""
    first = _deltas(several, days, limit=1)
    return [list(compress(*pair)) for pair in zip(days, first, strict=True)]


def _deltas(
    several: Sequence[DayCounts], days: Sequence[Sequence[Days]], limit: int | None = None
) -> list[list[list[Item]]]:
    pairs = zip(several, days, strict=True)
    asked = [[each.deltas(stretch, limit) for stretch in of_it] for each, of_it in pairs]
    return _answers(several[0].view.store, asked)


def _answers(store: Store, asked: Sequence[Sequence[KeyRange]]) -> list[list[list[Item]]]:
    answers = iter(store.read(list(chain(*asked))))
    return [[next(answers) for _ in each] for each in asked]


def weight_of_deltas(several: Iterable[Days]) -> int:
    return DELTA_WEIGHT * sum((stop - start).days for start, stop in several)
