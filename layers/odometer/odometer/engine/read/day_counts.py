"""Counts of whole days: who of a shard was active, and what they used together.

The strip of a week says both of everybody, and weighs less than one delta. Of groups it says who
was active, and an item beside it what they used. Deltas answer for the open week, for weeks of the
first format, which have no strips, and where groups are not those that their sums were made for.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, compress

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, late, strips
from odometer.engine.format.late import Late
from odometer.engine.format.readings import DELTA_WEIGHT, STRIP_WEIGHT
from odometer.engine.format.strips import Count
from odometer.engine.read.measuring import Measuring
from odometer.engine.read.selections import ByDay, Selected
from odometer.engine.rounds import Steps
from odometer.engine.store import Item, KeyRange

Days = tuple[date, date]
"""Days of one year; the second is the first that is not meant."""
DayCount = tuple[date, Count]


@dataclass(frozen=True)
class DayCounts(Measuring):
    """One product in one shard on some days that are sealed."""

    shard: int
    days: Sequence[Days]
    whose: Selected

    @property
    def weight(self) -> int:
        """Of what `key_ranges` reads, save what came late."""
        if not self.whose.are_told_by_weeks:
            return calendar.NEVER
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


def read_each(several: Sequence[DayCounts], most: int) -> Steps[list[dict[date, Count]] | None]:
    """What was used, by product and day; None where that weighs more than other frames would.

    Where nobody had used anything yet there are no strips either: one item more tells.
    """
    weight = sum(each.weight for each in several)
    if weight >= most:
        return None
    read = yield from _answers([each.key_ranges for each in several])
    found = [list(chain(*items)) for items in read]
    weeks = [each.weeks(items) for each, items in zip(several, found, strict=True)]
    lacking = [each.without_strip(known) for each, known in zip(several, weeks, strict=True)]
    used = yield from _used(several, lacking)
    if weight + sum(map(weight_of_deltas, used)) >= most:
        return None
    rest = yield from _deltas(several, used)
    return [
        each.by_day(known.values(), [*items, *chain(*deltas)])
        for each, known, items, deltas in zip(several, weeks, found, rest, strict=True)
    ]


def _used(several: Sequence[DayCounts], days: Sequence[Sequence[Days]]) -> Steps[list[list[Days]]]:
    """Those of the days in which anything is stored; the first item tells."""
    first = yield from _deltas(several, days, limit=1)
    return [list(compress(*pair)) for pair in zip(days, first, strict=True)]


def _deltas(
    several: Sequence[DayCounts], days: Sequence[Sequence[Days]], limit: int | None = None
) -> Steps[list[list[list[Item]]]]:
    pairs = zip(several, days, strict=True)
    asked = [[each.deltas(stretch, limit) for stretch in of_it] for each, of_it in pairs]
    return (yield from _answers(asked))


def _answers(asked: Sequence[Sequence[KeyRange]]) -> Steps[list[list[list[Item]]]]:
    key_ranges = list(chain(*asked))
    answers = iter((yield key_ranges) if key_ranges else ())
    return [[next(answers) for _ in each] for each in asked]


def weight_of_deltas(several: Iterable[Days]) -> int:
    return DELTA_WEIGHT * sum((stop - start).days for start, stop in several)
