"""Instants, days and periods: aware UTC inside, the caller's end rule only at the door."""

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Self

from odometer.domain.frozen import frozen

SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)
CURSOR_LIFE: Final = timedelta(hours=24)
"""How long a client can follow the pages of a list, counted from the first page."""
KEPT_FOR_CURSORS: Final = CURSOR_LIFE + timedelta(hours=2)
"""How long whatever a cursor may name is kept after it was replaced."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR: Final = "(?:[01][0-9]|2[0-3])"
_SECONDS: Final = ":[0-5][0-9]"
RFC_3339: Final = re.compile(
    rf"{DATE}[Tt]{_HOUR}:[0-5][0-9]{_SECONDS}(\.[0-9]{{1,9}})?([Zz]|[+-]{_HOUR}:[0-5][0-9])"
)
ISO_8601: Final = re.compile(
    rf"{DATE}([Tt]{_HOUR}:[0-5][0-9]({_SECONDS}([.,][0-9]{{1,9}})?)?"
    rf"([Zz]|[+ -]{_HOUR}(:?[0-5][0-9])?)?)?"
)
"""Also a date alone, and a time without seconds or without an offset, which is UTC then.

A space is a `+` that was not encoded in a query string.
"""
_TO_THE_HOUR: Final = len("2026-02-28T17:")
_MINUTE: Final = len("2026-02-28T17:42:")
_TWO_DIGITS: Final = [f"{number:02}" for number in range(60)]
_PLACES: Final = {f"{second}Z": place for place, second in enumerate(_TWO_DIGITS)}
"""What follows a minute of UTC, and its place in it."""


def read_instant(text: str, form: re.Pattern[str] = RFC_3339) -> datetime | None:
    """The instant that a text of this form names; a `ValueError` where there is none such."""
    if not form.fullmatch(text):
        return None
    instant = datetime.fromisoformat(text.upper().replace(" ", "+"))
    if instant.tzinfo is UTC:
        return instant
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def read_second(text: str) -> int | None:
    """The whole second of an instant, counted from 1970; the seconds of a minute are read once."""
    minute, place = text[:_MINUTE], _PLACES.get(text[_MINUTE:])
    if place is None:
        return _second_of(text)
    first = _first_second(minute)
    return None if first is None else first + place


@lru_cache(maxsize=4096)
def _first_second(minute: str) -> int | None:
    return _second_of(f"{minute}00Z")


def _second_of(text: str) -> int | None:
    instant = read_instant(text)
    return None if instant is None else epoch_second(instant)


def epoch_second(instant: datetime) -> int:
    """The whole second at or just before an instant, counted from 1970."""
    return (instant - EPOCH) // SECOND


def second_from(instant: datetime) -> int:
    """The first whole second at or after an instant, counted from 1970."""
    return -((EPOCH - instant) // SECOND)


def instant_at(second: int) -> datetime:
    return EPOCH + second * SECOND


def format_seconds(instant: datetime) -> str:
    """`2026-02-28T17:42:00Z`; milliseconds only where there are any."""
    return format_millis(instant).replace(".000Z", "Z")


def format_millis(instant: datetime) -> str:
    """`2026-02-28T17:42:00.000Z`."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_second(second: int) -> str:
    """A whole second as `format_millis` writes it; what begins an hour is written once."""
    hour, left = divmod(second, 3600)
    minute, place = divmod(left, 60)
    return f"{_hour_at(hour)}{_TWO_DIGITS[minute]}:{_TWO_DIGITS[place]}.000Z"


@lru_cache(maxsize=1024)
def _hour_at(hour: int) -> str:
    """`2026-02-28T17:`, of an hour counted from 1970."""
    return (EPOCH + timedelta(hours=hour)).isoformat()[:_TO_THE_HOUR]


@lru_cache(maxsize=16_384)
def day_start(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day, also where the clock jumps over midnight."""
    midnight = datetime.combine(day, time(), zone)
    start = midnight.astimezone(UTC)
    earliest = midnight.replace(fold=1).astimezone(UTC)
    if earliest >= start:
        return start
    jump = range(epoch_second(earliest), epoch_second(start))
    return instant_at(jump[0] + bisect_left(jump, day, key=lambda s: _clock_date(s, zone)))


def day_of(instant: datetime, zone: tzinfo) -> date:
    """The local day that an instant belongs to; each instant belongs to one day."""
    day = instant.astimezone(zone).date()
    following = day + DAY
    return following if day_start(following, zone) <= instant else day


def _clock_date(second: int, zone: tzinfo) -> date:
    return instant_at(second).astimezone(zone).date()


@frozen
class Period:
    """A stretch of time from its start up to, but not including, its end."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Keep every period in UTC, so that equal periods compare equal."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            message = "a period needs aware instants"
            raise ValueError(message)
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    @classmethod
    def through_second(cls, start: datetime, last: datetime) -> Self:
        return cls(start, last + SECOND)

    @classmethod
    def of_days(cls, first: date, last: date, zone: tzinfo) -> Self:
        """The local days of a zone from the first to the last, both included."""
        return cls(day_start(first, zone), day_start(last + DAY, zone))

    @property
    def seconds(self) -> range:
        """The whole seconds that begin inside the period, counted from 1970."""
        return range(second_from(self.start), second_from(self.end))

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def __str__(self) -> str:
        return f"{format_seconds(self.start)}/{format_seconds(self.end)}"


def epoch_ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def instant_of_ms(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
