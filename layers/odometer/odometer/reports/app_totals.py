"""What an app comes to: its totals in a period, and in each stretch of one."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from odometer.domain.time import DAY, day_start, epoch_second
from odometer.engine.read.measuring import Used
from odometer.engine.read.series import Series, lanes_filled, only
from odometer.reports.days import Days
from odometer.reports.figures import Metric, rounded
from odometer.reports.ranking import totals_among


class Granularity(StrEnum):
    """How finely usage is told apart."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


@dataclass(frozen=True, slots=True)
class AppTotals:
    """What some users of an app come to in a period."""

    users: int = 0
    active_ms: int = 0
    sessions: int = 0
    days: int = 0
    """On how many days anyone of them used it."""

    @classmethod
    def of(cls, used: Used, among: Collection[int] | None, days: int) -> "AppTotals":
        """The totals of all users or of some, who used it on so many days."""
        sums = totals_among(used, among)
        return cls(len(used.among(among)), sums["active_ms"], sums["sessions"], days)

    @property
    def ms_per_day(self) -> int:
        """Average milliseconds on a day on which the app was used."""
        return rounded(self.active_ms, self.days) if self.days else 0


FIGURES: Sequence[tuple[str, Callable[[AppTotals], int]]] = (
    ("unique_users", lambda totals: totals.users),
    ("active_time_ms", lambda totals: totals.active_ms),
    ("avg_time_ms_per_day", lambda totals: totals.ms_per_day),
    ("session_count", lambda totals: totals.sessions),
)


def metrics(now: AppTotals, before: AppTotals | None) -> dict[str, Metric]:
    """Every figure beside that of the comparison period."""
    return {
        name: Metric(figure(now), None if before is None else figure(before))
        for name, figure in FIGURES
    }


def begins(day: date, granularity: Granularity) -> bool:
    """Whether a stretch begins with a day."""
    match granularity:
        case Granularity.DAILY:
            return True
        case Granularity.WEEKLY:
            return day.weekday() == 0
        case Granularity.MONTHLY:
            return day.day == 1
    return day.day == 1 and day.month % 3 == 1


def stretches(days: Days, granularity: Granularity) -> list[date]:
    """The first day of every stretch inside some days."""
    each = (days.first + timedelta(ahead) for ahead in range(days.count))
    return [day for day in each if day == days.first or begins(day, granularity)]


def edges(firsts: Iterable[date], days: Days, zone: tzinfo) -> list[int]:
    """Where stretches begin and the last one ends, in seconds."""
    return [epoch_second(day_start(day, zone)) for day in (*firsts, days.last + DAY)]


def sums(daily: Sequence[int], firsts: Sequence[date], days: Days) -> list[int]:
    """What stretches come to whose every day is known."""
    cuts = [(first - days.first).days for first in (*firsts, days.last + DAY)]
    return [sum(daily[start:end]) for start, end in pairwise(cuts)]


def every_day(days: Days) -> list[date]:
    """Each of some days."""
    return stretches(days, Granularity.DAILY)


def days_used(daily: Series, among: Collection[int]) -> int:
    """On how many of the days of a series anyone of some users used the app."""
    lanes = lanes_filled(among)
    days = {
        day
        for shard in lanes.keys() & set(daily.shards)
        for day, (frame,) in enumerate(daily.blocks(shard))
        if any(only(frame, lanes[shard]))
    }
    return len(days)
