"""Periods as people name them, what they are compared with, and the blocks that they are cut into.

All of it is reckoned on the calendar of a zone, whose days may have 23 or 25 hours.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import count, islice, pairwise, takewhile
from typing import Final, NamedTuple

from odometer.domain.time import (
    SECOND,
    Period,
    day_of,
    day_start,
    epoch_second,
    instant_at,
    second_from,
)

HOUR_SECONDS: Final = 3_600
MONTHS: Final = 12


class Unit(StrEnum):
    """What calendars count in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Granularity(StrEnum):
    """How a period is cut into blocks."""

    ALL = "all"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Step(NamedTuple):
    """A distance on a calendar."""

    days: int = 0
    months: int = 0


STEPS: Final[Mapping[str, Step]] = {
    Unit.DAY: Step(days=1),
    Unit.WEEK: Step(days=7),
    Unit.MONTH: Step(months=1),
    Unit.QUARTER: Step(months=3),
    Unit.YEAR: Step(months=12),
}
FIRST_DAYS: Final[Mapping[str, Callable[[date], date]]] = {
    Unit.DAY: lambda day: day,
    Unit.WEEK: lambda day: day - timedelta(day.weekday()),
    Unit.MONTH: lambda day: day.replace(day=1),
    Unit.QUARTER: lambda day: date(day.year, day.month - (day.month - 1) % 3, 1),
    Unit.YEAR: lambda day: date(day.year, 1, 1),
}
"""By unit, the first day of the one that a day is in; weeks begin on Mondays."""


class PeriodName(StrEnum):
    """A period by its name."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "7d"
    LAST_28_DAYS = "28d"
    LAST_30_DAYS = "30d"
    LAST_90_DAYS = "90d"
    LAST_12_MONTHS = "12mo"
    MONTH_TO_DATE = "mtd"
    QUARTER_TO_DATE = "qtd"
    YEAR_TO_DATE = "ytd"
    LAST_WEEK = "last_week"
    LAST_MONTH = "last_month"
    LAST_QUARTER = "last_quarter"
    LAST_YEAR = "last_year"


class Named(NamedTuple):
    """So many units of a calendar: those just before the present one, or up to it and until now."""

    unit: Unit
    units: int = 1
    is_over: bool = False

    def at(self, now: datetime, zone: tzinfo) -> Period:
        present = FIRST_DAYS[self.unit](day_of(now, zone))
        step = STEPS[self.unit]
        if self.is_over:
            return days_between(moved(present, step, -self.units), present, zone)
        first = moved(present, step, 1 - self.units)
        return Period(day_start(first, zone), instant_at(epoch_second(now)) + SECOND)

    def before(self, period: Period, zone: tzinfo) -> Period:
        """As many units before; of those that end now, the same part."""
        if not self.is_over:
            return moved_period(period, STEPS[self.unit], -self.units, zone)
        first = day_of(period.start, zone)
        return days_between(moved(first, STEPS[self.unit], -self.units), first, zone)


NAMED: Final[Mapping[PeriodName, Named]] = {
    PeriodName.TODAY: Named(Unit.DAY),
    PeriodName.YESTERDAY: Named(Unit.DAY, is_over=True),
    PeriodName.LAST_7_DAYS: Named(Unit.DAY, 7),
    PeriodName.LAST_28_DAYS: Named(Unit.DAY, 28),
    PeriodName.LAST_30_DAYS: Named(Unit.DAY, 30),
    PeriodName.LAST_90_DAYS: Named(Unit.DAY, 90),
    PeriodName.LAST_12_MONTHS: Named(Unit.MONTH, 12),
    PeriodName.MONTH_TO_DATE: Named(Unit.MONTH),
    PeriodName.QUARTER_TO_DATE: Named(Unit.QUARTER),
    PeriodName.YEAR_TO_DATE: Named(Unit.YEAR),
    PeriodName.LAST_WEEK: Named(Unit.WEEK, is_over=True),
    PeriodName.LAST_MONTH: Named(Unit.MONTH, is_over=True),
    PeriodName.LAST_QUARTER: Named(Unit.QUARTER, is_over=True),
    PeriodName.LAST_YEAR: Named(Unit.YEAR, is_over=True),
}


def before(period: Period, zone: tzinfo) -> Period:
    """As many days of the calendar just before; as many seconds, if these are not whole days."""
    if is_midnight(period.start, zone) and is_midnight(period.end, zone):
        first, end = day_of(period.start, zone), day_of(period.end, zone)
        return days_between(first - (end - first), first, zone)
    return Period(period.start - (period.end - period.start), period.start)


def year_before(period: Period, zone: tzinfo) -> Period:
    return moved_period(period, STEPS[Unit.YEAR], -1, zone)


def moved_period(period: Period, step: Step, times: int, zone: tzinfo) -> Period:
    """The same dates and times of day, so many steps later; where there are none, as much time.

    A day that a month does not have is its last one, and whatever ends before it, ends with it.
    """
    start = moved_instant(period.start, step, times, zone)
    end = moved_instant(period.end, step, times, zone, ends=True)
    return Period(start, end if end > start else start + (period.end - period.start))


def moved_instant(
    instant: datetime, step: Step, times: int, zone: tzinfo, *, ends: bool = False
) -> datetime:
    if is_midnight(instant, zone):
        return day_start(moved(day_of(instant, zone), step, times, ends=ends), zone)
    clock = instant.astimezone(zone)
    day = moved(clock.date(), step, times)
    return clock.replace(year=day.year, month=day.month, day=day.day).astimezone(UTC)


def moved(day: date, step: Step, times: int, *, ends: bool = False) -> date:
    """A day so many steps later; for one that a month does not have, its last day or its end."""
    month = day.year * MONTHS + day.month - 1 + step.months * times
    first = date(month // MONTHS, month % MONTHS + 1, 1)
    length = monthrange(first.year, first.month)[1]
    ahead = min(day.day - 1, length if ends else length - 1)
    return first + timedelta(ahead + step.days * times)


def days_between(first: date, end: date, zone: tzinfo) -> Period:
    return Period(day_start(first, zone), day_start(end, zone))


def is_midnight(instant: datetime, zone: tzinfo) -> bool:
    return day_start(day_of(instant, zone), zone) == instant


def block_edges(period: Period, granularity: Granularity, zone: tzinfo, most: int) -> list[int]:
    """The seconds in which blocks begin, and the one in which the last ends; at most one too many.

    The first and the last block may be cut short by the period. Hours are counted from midnight.
    """
    start, end = second_from(period.start), second_from(period.end)
    cuts = takewhile(lambda second: second < end, beginnings(period.start, granularity, zone))
    inner = islice((second for second in cuts if second > start), most)
    return [start, *dict.fromkeys(inner), end]


def beginnings(after: datetime, granularity: Granularity, zone: tzinfo) -> Iterator[int]:
    """When blocks begin, from the one on that an instant is in, without an end."""
    if granularity is Granularity.ALL:
        return
    by_day = granularity is Granularity.HOUR
    unit = Unit.DAY if by_day else Unit(granularity)
    first = FIRST_DAYS[unit](day_of(after, zone))
    days = (moved(first, STEPS[unit], times) for times in count())
    for day, following in pairwise(days):
        start, end = (epoch_second(day_start(each, zone)) for each in (day, following))
        yield from range(start, end, HOUR_SECONDS) if by_day else [start]


def text_in(second: int, zone: tzinfo) -> str:
    """`2026-10-26T00:00:00+01:00`: a second on the clock of a zone, with its offset."""
    return instant_at(second).astimezone(zone).isoformat().replace("+00:00", "Z")
