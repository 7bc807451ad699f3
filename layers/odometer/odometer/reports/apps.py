"""The figures of one app in a period of whole days: its totals, its blocks, its users ranked."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from odometer.domain.time import DAY, Period, day_start, epoch_second
from odometer.engine.read.measuring import Used
from odometer.reports.blocks import BEGINS_WITH
from odometer.reports.figures import Metric, rounded, rounded_each
from odometer.reports.ranking import Direction, Key, in_order, totals_among


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

    unique_users: int
    active_time_ms: int
    session_count: int
    days: int
    """On how many days any of them used it."""

    @classmethod
    def of(cls, used: Used, among: Collection[int] | None, days: int) -> "AppTotals":
        sums = totals_among(used, among)
        return cls(len(used.among(among)), sums["active_ms"], sums["sessions"], days)

    @property
    def avg_time_ms_per_day(self) -> int:
        return rounded(self.active_time_ms, self.days) if self.days else 0


FIGURES = ("unique_users", "active_time_ms", "avg_time_ms_per_day", "session_count")


def metrics(now: AppTotals, before: AppTotals | None = None) -> dict[str, Metric]:
    return {name: Metric(getattr(now, name), getattr(before, name, None)) for name in FIGURES}


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


class UserOrder(StrEnum):
    """The figures by which users can be ranked."""

    TIME = "avg_time"
    CHANGE = "avg_time_change"
    DAYS = "days_active"
    USERNAME = "username"


@dataclass(frozen=True, slots=True)
class AppUsers:
    """The published figures of every user of an app, by ordinal."""

    times: Mapping[int, int]
    """Average milliseconds per active day."""
    days: Sequence[int]
    compared: Mapping[int, int] | None
    """The same average in the comparison period, if there is one."""

    @classmethod
    def of(cls, used: Used, before: Used | None, among: Collection[int] | None) -> "AppUsers":
        compared = average_times(before, None) if before else None
        return cls(average_times(used, among), used.days_active, compared)

    def time(self, user: int) -> Metric:
        compared = None if self.compared is None else self.compared.get(user, 0)
        return Metric(self.times[user], compared)

    def ranked(
        self, order: UserOrder, direction: Direction, ids: Sequence[str], names: Sequence[str]
    ) -> list[int]:
        keys: Mapping[UserOrder, Callable[[int], Key]] = {
            UserOrder.TIME: self.times.__getitem__,
            UserOrder.CHANGE: lambda user: self.time(user).change_tenths,
            UserOrder.DAYS: self.days.__getitem__,
            UserOrder.USERNAME: lambda user: names[user].casefold(),
        }
        by_id = sorted(self.times, key=ids.__getitem__)
        return in_order(by_id, keys[order], direction)


def average_times(used: Used, among: Collection[int] | None) -> dict[int, int]:
    """By user, the milliseconds per day on which they used the app."""
    users = used.among(among)
    columns = (used.measure("active_ms"), used.days_active)
    times, days = (map(column.__getitem__, users) for column in columns)
    return dict(zip(users, rounded_each(times, days), strict=True))
