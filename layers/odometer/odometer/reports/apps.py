"""The figures of one app in a period of whole days: its totals, its blocks, its users ranked."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from functools import partial
from itertools import pairwise
from math import inf

from odometer.directory.snapshot import Directory
from odometer.domain.frozen import frozen
from odometer.domain.time import DAY, Period, day_start, epoch_second
from odometer.engine.read.measuring import Used
from odometer.reports.blocks import BEGINS_WITH
from odometer.reports.figures import Metric, changes_each, rounded, rounded_each
from odometer.reports.ranking import Direction, LazyRanking, Ranking, near_top, totals_among


class Granularity(StrEnum):
    """How a period is cut into blocks."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


@frozen
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


@frozen
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


@frozen
class AppUsers:
    """The published figures of some users of an app."""

    used: Used
    before: Used | None
    """What was used in the comparison period, if there is one."""
    users: Sequence[int]
    """By ordinal."""

    def times(self, shown: Iterable[int]) -> dict[int, Metric]:
        """By user, the average milliseconds per active day."""
        users = sorted(shown)
        figures = zip(*(average_times(used, users) for used in self._periods), strict=True)
        return {user: Metric(*each) for user, each in zip(users, figures, strict=True)}

    def ranked(
        self, order: UserOrder, direction: Direction, directory: Directory
    ) -> Ranking | LazyRanking:
        keys: Mapping[UserOrder, Callable[[Sequence[int]], Sequence[str | float]]] = {
            UserOrder.TIME: partial(average_times, self.used),
            UserOrder.CHANGE: partial(self._changes, direction),
            UserOrder.DAYS: lambda users: list(self.used.values(self.used.days_active, users)),
            UserOrder.USERNAME: partial(usernames, directory),
        }

        def ranking(users: Sequence[int]) -> Ranking:
            return Ranking(users, keys[order](users), direction, directory.ids_at)

        if order is UserOrder.TIME and direction is Direction.DESCENDING:
            return LazyRanking(self.users, self._longest, ranking)
        return ranking(self.users)

    def _longest(self, count: int) -> Sequence[int]:
        """Users among whom are so many with the longest times."""
        times = partial(average_times, self.used)
        return near_top(self.used, self.users, times, self._reaching, count)

    def _reaching(self, time: int) -> Sequence[int] | None:
        """At least those whose times, when rounded, are no shorter."""
        return self.used.reaching("active_ms", time - 1, a_day=True)

    def _changes(self, direction: Direction, users: Sequence[int]) -> Sequence[float]:
        """In tenths of a percent; where there is none, what comes last."""
        last = inf if direction is Direction.ASCENDING else -inf
        if self.before is None:
            return [last] * len(users)
        times = (average_times(used, users) for used in self._periods)
        return [last if each is None else each for each in changes_each(*times)]

    @property
    def _periods(self) -> list[Used]:
        return [self.used, self.before] if self.before else [self.used]


def average_times(used: Used, users: Sequence[int]) -> list[int]:
    """The milliseconds per day on which each of some users used the app."""
    columns = (used.column("active_ms"), used.days_active)
    return rounded_each(*(used.values(column, users) for column in columns))


def usernames(directory: Directory, users: Iterable[int]) -> list[str]:
    names = directory.columns("users", "names")["username"]
    return [names[user].casefold() for user in users]
