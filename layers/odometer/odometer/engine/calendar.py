"""Days as frames count them, and the days on which keyframes stand."""

from datetime import UTC, date, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from odometer.domain.kinds import Kind
from odometer.domain.time import DAY, day_start, epoch_second, instant_at
from odometer.domain.time import day_of as local_day

WEEK: Final = timedelta(7)


def zone_of(kind: Kind, zone: str) -> tzinfo:
    """The zone whose days a kind counts."""
    return ZoneInfo(zone) if kind.local_days else UTC


def start(day: date, zone: tzinfo) -> int:
    """The first second of a day."""
    return epoch_second(day_start(day, zone))


def bounds(day: date, zone: tzinfo) -> tuple[int, int]:
    """The first second of a day, and of the next."""
    return start(day, zone), start(day + DAY, zone)


def day_of(second: int, zone: tzinfo) -> date:
    """The day of a second: also the first one that is not over by then."""
    return local_day(instant_at(second), zone)


def day_edges(seconds: range, zone: tzinfo) -> list[int]:
    """Where these seconds begin and end, and every beginning of a day between."""
    following = day_of(seconds.start, zone) + DAY
    midnights = (start(day, zone) for day in days(following, day_of(seconds.stop, zone) + DAY))
    return [seconds.start, *(each for each in midnights if each < seconds.stop), seconds.stop]


def days(first: date, end: date) -> list[date]:
    """The days from the first up to, but not including, the end."""
    return [first + timedelta(ahead) for ahead in range((end - first).days)]


def new_year(year: int) -> date:
    """The first day of a year."""
    return date(year, 1, 1)


def base(day: date) -> date:
    """The keyframe that a reading of the day builds on; on 1 January that is nothing."""
    return max(day - timedelta(day.weekday()), new_year(day.year))


def next_edge(day: date) -> date:
    """The first keyframe that has the day in it."""
    return min(day - timedelta(day.weekday()) + WEEK, new_year(day.year + 1))


def stretches(first: date, end: date) -> list[tuple[date, date]]:
    """The days cut at every keyframe."""
    cuts = []
    while first < end:
        cut = min(next_edge(first), end)
        cuts.append((first, cut))
        first = cut
    return cuts


def years(first: date, end: date) -> list[tuple[date, date]]:
    """The days cut at every New Year."""
    return [
        (max(first, new_year(year)), min(end, new_year(year + 1)))
        for year in range(first.year, (end - timedelta(1)).year + 1)
        if first < end
    ]
