"""Days as frames count them, and the days before which keyframes stand: Mondays and 1 January."""

from datetime import UTC, date, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from odometer.domain.kinds import Kind
from odometer.domain.stored import stored
from odometer.domain.time import DAY, day_start, epoch_second, instant_at
from odometer.domain.time import day_of as local_day

WEEK: Final = timedelta(7)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY_SECONDS: Final = 86_400
NEVER: Final = 1 << 40
"""A second after all others."""


@stored
def zone_of(kind: Kind, zone: str) -> tzinfo:
    return zone_called(zone) if kind.local_days else UTC


def zone_called(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except OSError as error:  # a folder of zones, or a name longer than those of files
        raise ValueError(name) from error


def first_second(day: date, zone: tzinfo) -> int:
    if zone is UTC:
        return (day.toordinal() - _EPOCH) * _DAY_SECONDS
    return epoch_second(day_start(day, zone))


def seconds_of(first: date, end: date, zone: tzinfo) -> range:
    """The seconds of the days from the first up to, but not including, the end."""
    return range(first_second(first, zone), first_second(end, zone))


def day_of(second: int, zone: tzinfo) -> date:
    """The day of a second: also the first one that is not over by then."""
    if zone is UTC:
        return date.fromordinal(_EPOCH + second // _DAY_SECONDS)
    return local_day(instant_at(second), zone)


def day_edges(seconds: range, zone: tzinfo) -> list[int]:
    """Where these seconds begin and end, and every beginning of a day between."""
    following = days(day_of(seconds.start, zone) + DAY, day_of(seconds.stop, zone) + DAY)
    midnights = (first_second(day, zone) for day in following)
    return [seconds.start, *(each for each in midnights if each < seconds.stop), seconds.stop]


def days(first: date, end: date) -> list[date]:
    """The days from the first up to, but not including, the end."""
    return [first + timedelta(ahead) for ahead in range((end - first).days)]


def new_year(year: int) -> date:
    return date(year, 1, 1)


def keyframe_before(day: date) -> date:
    """The keyframe that a reading of the day builds on; on 1 January that is nothing."""
    return max(day - timedelta(day.weekday()), new_year(day.year))


def keyframe_after(day: date) -> date:
    return min(day - timedelta(day.weekday()) + WEEK, new_year(day.year + 1))


def cut_at_keyframes(first: date, end: date) -> list[tuple[date, date]]:
    pieces = []
    while first < end:
        cut = min(keyframe_after(first), end)
        pieces.append((first, cut))
        first = cut
    return pieces


def cut_at_new_years(first: date, end: date) -> list[tuple[date, date]]:
    return [
        (max(first, new_year(year)), min(end, new_year(year + 1)))
        for year in range(first.year, (end - DAY).year + 1)
        if first < end
    ]
