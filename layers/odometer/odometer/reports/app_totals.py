"""The totals of an app in a period of whole days, and in each block of one."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from odometer.domain.time import DAY, Period, day_start, epoch_second
from odometer.engine.read.measuring import Used
from odometer.reports.blocks import BEGINS_WITH
from odometer.reports.figures import Metric, rounded
from odometer.reports.ranking import totals_among


class Granularity(StrEnum):
    """How a period is cut into blocks."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


@dataclass(frozen=True, slots=True)
class Days:
    """Whole local days as clients ask for them, the first and the last included."""

    first: date
    last: date

    @property
    def count(self) -> int:
        """How many days these are; 0 or less when the last is before the first."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Days":
        """As many days just before these."""
        return Days(self.first - self.count * DAY, self.first - DAY)

    def period(self, zone: tzinfo) -> Period:
        return Period.of_days(self.first, self.last, zone)


@dataclass(frozen=True, slots=True)
class AppTotals:
    """The totals of some users of an app in a period."""

    users: int = 0
    active_ms: int = 0
    sessions: int = 0
    days: int = 0
    """On how many days any of them used it."""

    @classmethod
    def of(cls, used: Used, among: Collection[int] | None, days: int) -> "AppTotals":
        sums = totals_among(used, among)
        return cls(len(used.among(among)), sums["active_ms"], sums["sessions"], days)

    @property
    def ms_per_day(self) -> int:
        return rounded(self.active_ms, self.days) if self.days else 0


FIGURES: Sequence[tuple[str, Callable[[AppTotals], int]]] = (
    ("unique_users", lambda totals: totals.users),
    ("active_time_ms", lambda totals: totals.active_ms),
    ("avg_time_ms_per_day", lambda totals: totals.ms_per_day),
    ("session_count", lambda totals: totals.sessions),
)


def metrics(now: AppTotals, before: AppTotals | None) -> dict[str, Metric]:
    return {
        name: Metric(figure(now), None if before is None else figure(before))
        for name, figure in FIGURES
    }


def first_days(days: Days, granularity: str) -> list[date]:
    each = (days.first + timedelta(ahead) for ahead in range(days.count))
    return [day for day in each if day == days.first or BEGINS_WITH[granularity](day)]


def edges(firsts: Iterable[date], days: Days, zone: tzinfo) -> list[int]:
    return [epoch_second(day_start(day, zone)) for day in (*firsts, days.last + DAY)]


def edges_of_days(days: Days, zone: tzinfo) -> list[int]:
    return edges(first_days(days, Granularity.DAILY), days, zone)


def sums_of_days(daily: Sequence[int], firsts: Sequence[date], days: Days) -> list[int]:
    cuts = [(first - days.first).days for first in (*firsts, days.last + DAY)]
    return [sum(daily[start:end]) for start, end in pairwise(cuts)]
