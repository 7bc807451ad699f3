"""Finds out whose days are counted already, so that nobody's day counts twice.

A week with a keyframe has a strip that answers for all its days. A week without one is read from
its deltas: it is not over, or was written in the first format. Late items say it themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Final

from odometer.domain.frozen import frozen
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, strips
from odometer.engine.format.late import DayRows, Late
from odometer.engine.format.late import key_range as late_key_range
from odometer.engine.format.products import MeteredProduct
from odometer.engine.rounds import Steps
from odometer.engine.store import Item, KeyRange

_STRETCHES: Final = 4
"""Days of more stretches than these are asked for together."""

UserDay = tuple[int, int]
"""A place in the year and a user of the shard."""


@frozen
class CountedDays:
    """Knows whose days of one product are counted, as of a plan."""

    product: MeteredProduct
    plan: int
    sealed: date
    """The days before this one are sealed."""
    strong: bool = True

    def without_counted(self, asked: Mapping[str, DayRows]) -> Steps[dict[str, DayRows]]:
        """By partition, the rows without the flags of users whose day is counted.

        A round of a few Queries, whatever the number of days, and a second one for weeks of the
        first format.
        """
        found = yield from _read({pk: self._key_ranges(pk, rows) for pk, rows in asked.items()})
        rest = yield from _read(
            {pk: self._without_strip(pk, rows, found[pk]) for pk, rows in asked.items()}
        )
        return {
            pk: rows.without(self._known(rows, [*found[pk], *rest[pk]]))
            for pk, rows in asked.items()
        }

    def _key_ranges(self, pk: str, rows: DayRows) -> list[KeyRange]:
        behind = [day for day in rows.different_days if self._has_keyframe(day)]
        key_ranges = self._deltas(pk, rows.different_days[len(behind) :])
        if behind:
            first, last = (calendar.keyframe_after(day) for day in (behind[0], behind[-1]))
            key_ranges.append(KeyRange(pk, keys.strip(first), keys.strip(last), self.strong))
            key_ranges.append(late_key_range(pk, behind[0], strong=self.strong))
        return key_ranges

    def _without_strip(self, pk: str, rows: DayRows, found: Iterable[Item]) -> list[KeyRange]:
        answered = {keys.day_of(item["sk"]) for item in found if keys.is_strip(item["sk"])}
        behind = (day for day in rows.different_days if self._has_keyframe(day))
        return self._deltas(
            pk, [day for day in behind if calendar.keyframe_after(day) not in answered]
        )

    def _has_keyframe(self, day: date) -> bool:
        return day < calendar.keyframe_before(self.sealed)

    def _deltas(self, pk: str, days: Sequence[date]) -> list[KeyRange]:
        return [
            KeyRange(pk, keys.deltas_from(first), keys.frames_from(last + DAY), self.strong)
            for first, last in _stretches(days)
        ]

    def _known(self, rows: DayRows, items: Sequence[Item]) -> set[UserDay]:
        """Those of the users and days of some rows that are counted in some items."""
        late = Late.of(items, self.plan, self.product)
        days = [strips.active_in(item) for item in items if keys.is_strip(item["sk"])]
        days += [{keys.day_of(item["sk"]): strips.users_of(frame)} for item, frame in late.of_days]
        users = strips.joined([strips.active_by_day(items, self.plan, self.product), *days])
        known = {each for _, of_year in late.of_year for each in of_year.counting}
        known |= {
            (place, who)
            for place, who in zip(rows.days, rows.who, strict=True)
            if users.get(rows.day(place), 0) >> who & 1
        }
        return known


def _read(key_ranges: Mapping[str, Sequence[KeyRange]]) -> Steps[dict[str, list[Item]]]:
    wanted = list(chain.from_iterable(key_ranges.values()))
    answers = iter((yield wanted) if wanted else ())
    return {
        pk: [item for _ in several for item in next(answers)] for pk, several in key_ranges.items()
    }


def _stretches(days: Iterable[date]) -> list[tuple[date, date]]:
    """The first and the last of days whose weeks follow each other, or of all if they are many.

    There is nothing between them but in the first format: weeks have strips from the first one on
    in which a shard was used.
    """
    stretches: list[tuple[date, date]] = []
    for day in days:
        follows = stretches and calendar.keyframe_before(day) <= calendar.keyframe_after(
            stretches[-1][1]
        )
        first = stretches.pop()[0] if follows else day
        stretches.append((first, day))
    return stretches if len(stretches) <= _STRETCHES else [(stretches[0][0], stretches[-1][1])]
