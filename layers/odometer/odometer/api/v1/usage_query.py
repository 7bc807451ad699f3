"""The parameters of `GET /v1/usage`: what, when, of whom, by what, compared with what, in order."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from odometer.api.v1.asked import MOST_PRODUCTS
from odometer.domain.errors import Invalid
from odometer.domain.people import UserType
from odometer.domain.time import ISO_8601, Period, day_start
from odometer.reports.periods import (
    NAMED,
    Granularity,
    PeriodName,
    before,
    year_before,
)
from odometer.reports.ranking import Direction
from odometer.web.cursors import CursorParameter
from odometer.web.fields import (
    FIRST_YEAR,
    LAST_YEAR,
    YEARS,
    Choice,
    Reader,
    Text,
    Whole,
    check_year,
    refuse,
)
from odometer.web.models import Strict

LONGEST: Final = timedelta(days=732)
"""As long as `/v1/explain` explains."""
LONGEST_LIST: Final = 4_096
LARGEST_PAGE: Final = 1_000
FINER_THAN_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")
WHEN: Final = "an ISO 8601 date or date-time"
OFFSET: Final = re.compile(r"([+ -])([01][0-9]):([0-5][0-9])")
ZONE_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
EASTMOST, WESTMOST = timedelta(hours=14), timedelta(hours=-12)
LONGEST_NAME: Final = 256
LONGEST_ID: Final = 128
LONGEST_HOURS: Final = timedelta(days=7)
PERIODS: Final = (
    "Instead of `from` and `to`, days of `timezone`: `today`, `7d`, `28d`, `30d` and `90d` are so "
    "many days of the calendar, the last of which is today and ends now; `12mo` so many months, "
    "the last of which is the present one; `mtd`, `qtd` and `ytd` begin with the month, the "
    "quarter and the year, and end now; `yesterday`, `last_week` (from Monday), `last_month`, "
    "`last_quarter` and `last_year` are over."
)
COMPARISONS: Final = (
    "`previous_period` is as many days just before, or as many seconds, if the period is not of "
    "whole days; of a named `period`, the same part of the one before: of a month to date, the "
    "month before to that date and time. `previous_year` has the same dates and times a year "
    "before; for 29 February, the last of February."
)
When = date | datetime
"""A day, a time on the clock of a zone that is told elsewhere, or an instant."""


class Comparison(StrEnum):
    """A comparison period that need not be spelled out."""

    PREVIOUS_PERIOD = "previous_period"
    PREVIOUS_YEAR = "previous_year"


class DateOrTime(Reader):
    """An ISO 8601 instant; a date, or a time without an offset, is one of `timezone`."""

    def read(self, value: object) -> When:
        if not (isinstance(value, str) and ISO_8601.fullmatch(value)):
            raise refuse("instant", f"expected {WHEN}")
        check_year(int(value[:4]), WHEN)
        try:
            return read_when(value)
        except ValueError:
            raise refuse("instant", f"expected {WHEN} that exists") from None

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "examples": ["2026-02-01", "2026-02-01T09:30:00+01:00"]}


def read_when(text: str) -> When:
    """What a text says; an instant is rounded up to whole microseconds."""
    if len(text) == len("2026-02-01"):
        return date.fromisoformat(text)
    found = datetime.fromisoformat(text.upper().replace(" ", "+"))
    found += timedelta(microseconds=bool(FINER_THAN_MICROSECONDS.search(text)))
    return found.astimezone(UTC) if found.tzinfo else found


class Zone(Reader):
    """An IANA time zone or an offset; a `+` in a query string arrives as a space."""

    def read(self, value: object) -> str:
        text = value if isinstance(value, str) else ""
        name = f"+{text[1:]}" if text.startswith(" ") else text
        if zone_called(name) is None:
            raise refuse("zone", "expected an IANA time zone like Europe/Berlin or +HH:MM")
        return name

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "examples": ["Europe/Berlin", "+05:30"]}


def zone_called(name: str) -> tzinfo | None:
    if found := OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
        return timezone(offset) if WESTMOST <= offset <= EASTMOST else None
    try:
        return ZoneInfo(name) if ZONE_NAME.fullmatch(name) else None
    except (LookupError, OSError, ValueError):
        return None


def instant_of(when: When, zone: tzinfo) -> datetime:
    """A day begins at its midnight; a time that a clock shows twice is the first."""
    if not isinstance(when, datetime):
        return day_start(when, zone)
    return when if when.tzinfo else when.replace(tzinfo=zone).astimezone(UTC)


class WhatQuery(Strict):
    """Which figures, of which products."""

    product: Annotated[str, Text(LONGEST_LIST)] | None = Field(
        None,
        description="An id of a product, or several with commas between them.",
        examples=["docs,slides"],
    )
    kind: Annotated[str, Text(LONGEST_LIST)] | None = Field(
        None,
        validate_default=True,
        description="Instead of `product`: all products of a kind, or of several with commas "
        f"between them; at most {MOST_PRODUCTS} products in all.",
        examples=["document"],
    )
    measure: Annotated[str, Text(LONGEST_LIST)] | None = Field(
        None,
        description="Names with commas between them: measures and ratios of the kind, "
        "`active_users`, `active_days`. All measures and `active_users` without it.",
        examples=["pages,pages_per_export,active_users"],
    )

    @field_validator("kind", mode="wrap")
    @classmethod
    def _or_product(
        cls, sent: object, read: Callable[[object], str], earlier: ValidationInfo
    ) -> str | None:
        kind = None if sent is None else read(sent)
        if "product" in earlier.data and (earlier.data["product"] is None) == (kind is None):
            raise refuse("either", "expected either product or kind")
        return kind


class WhenQuery(Strict):
    """Which period, in which blocks, compared with which other."""

    start: Annotated[When, DateOrTime()] | None = Field(
        None,
        alias="from",
        description="The first instant. A date is its midnight, and a time without an offset is "
        "one of the clock, in `timezone`.",
    )
    end: Annotated[When, DateOrTime()] | None = Field(
        None,
        alias="to",
        validate_default=True,
        description="The instant just after the last one: it is not included. At most "
        f"{LONGEST.days} days after `from`.",
    )
    period: Annotated[PeriodName, Choice()] | None = Field(
        None, validate_default=True, description=PERIODS
    )
    timezone: Annotated[str, Zone()] | None = Field(
        None,
        description="Whose days, weeks and months: an IANA name or an offset. That of the "
        "organization without it.",
    )
    granularity: Annotated[Granularity, Choice()] = Field(
        Granularity.ALL,
        description=f"How long the blocks of a series are; no series for `all`. Hours are answered "
        f"for up to {LONGEST_HOURS.days} days. Weeks begin on Mondays.",
    )

    @field_validator("end", mode="wrap")
    @classmethod
    def _with_from(
        cls, sent: object, read: Callable[[object], When], earlier: ValidationInfo
    ) -> When | None:
        return both("from and to", sent, read, "start", earlier)

    @field_validator("period", mode="wrap")
    @classmethod
    def _instead_of_from(
        cls, sent: object, read: Callable[[object], PeriodName], earlier: ValidationInfo
    ) -> PeriodName | None:
        period = None if sent is None else read(sent)
        ends = [earlier.data[name] for name in ("start", "end") if name in earlier.data]
        if len(ends) == len(("start", "end")) and any(ends) == (period is not None):
            raise refuse("either", "expected either from and to, or period")
        return period


class WhoQuery(Strict):
    """Of whom, and in which groups."""

    group_by: Annotated[str, Text(LONGEST_NAME)] = Field(
        "none",
        description="`none`, `product`, `team`, `department`, `user`, `user_type`, or the name of "
        "a breakdown of the kind. Teams and departments are those of now.",
        examples=["team"],
    )
    team: Annotated[str, Text(LONGEST_ID)] | None = Field(
        None,
        description="Only users who are in this team now, by its id.",
        examples=["platform"],
    )
    department: Annotated[str, Text(LONGEST_ID)] | None = Field(
        None,
        description="Only users who are in this department now, by its id.",
        examples=["d1a2b3c4-e5f6-7890-abcd-ef1234567890"],
    )
    user: Annotated[str, Text(LONGEST_ID)] | None = Field(
        None,
        description="Only this user, by id or by username.",
        examples=["ada@example.com"],
    )
    user_type: Annotated[UserType, Choice()] | None = Field(
        None, description="Only people, or only machines."
    )


class ComparedQuery(Strict):
    """Compared with which period."""

    compare: Annotated[Comparison, Choice()] | None = Field(None, description=COMPARISONS)
    compare_from: Annotated[When, DateOrTime()] | None = Field(
        None, description="The first instant to compare with; needs `compare_to`."
    )
    compare_to: Annotated[When, DateOrTime()] | None = Field(
        None,
        validate_default=True,
        description="The instant just after the last one to compare with; needs `compare_from`.",
    )

    @field_validator("compare_to", mode="wrap")
    @classmethod
    def _with_compare_from(
        cls, sent: object, read: Callable[[object], When], earlier: ValidationInfo
    ) -> When | None:
        end = both("compare_from and compare_to", sent, read, "compare_from", earlier)
        if end is not None and earlier.data.get("compare") is not None:
            raise refuse("either", "expected either compare, or compare_from and compare_to")
        return end


def both(
    names: str,
    sent: object,
    read: Callable[[object], When],
    other: str,
    earlier: ValidationInfo,
) -> When | None:
    """The end of a range, which is there if its start is."""
    end = None if sent is None else read(sent)
    if other in earlier.data and (earlier.data[other] is None) != (end is None):
        raise refuse("pair", f"expected {names} together")
    return end


class UsageQuery(ComparedQuery, WhoQuery, WhenQuery, WhatQuery):
    """Any figure of any products, in groups and in blocks."""

    sort: Annotated[str, Text(LONGEST_NAME)] | None = Field(
        None,
        description="By what groups are ranked: a measure, a ratio, `active_users`, "
        "`active_days`, any of these with `_change` behind it, or `name`. The first figure "
        "without it.",
        examples=["pages_change"],
    )
    order: Annotated[Direction, Choice()] | None = Field(
        None,
        description="Smallest first, or largest first; without it names from A on, and all else "
        "from the largest. What has no figure comes last, and equals are in the order of ids.",
    )
    q: Annotated[str, Text(LONGEST_NAME, shortest=0)] = Field(
        "",
        description="Only groups with this text in their name, in either case.",
        examples=["plat"],
    )
    limit: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(
        100, description="Groups on a page at most: with a long series there are fewer."
    )
    cursor: CursorParameter = None

    def zone(self, organization: str) -> tuple[str, tzinfo]:
        """The zone that is asked for, and how it is called."""
        name = self.timezone or organization
        return name, zone_called(name) or ZoneInfo(name)

    def covered(self, now: datetime, zone: tzinfo) -> Period:
        """The period that is asked for, of which `now` may be the end."""
        if self.period:
            return NAMED[self.period].at(now, zone)
        return period_of(self.start, self.end, zone, ("from", "to"))

    def compared(self, period: Period, zone: tzinfo) -> Period | None:
        """The period that it is compared with, if there is one."""
        if self.compare_from is not None:
            ends = ("compare_from", "compare_to")
            return period_of(self.compare_from, self.compare_to, zone, ends)
        if self.compare is None:
            return None
        found = self._before(period, zone)
        if found.start.year < FIRST_YEAR:
            raise Invalid.parameter("compare", f"expected a period {YEARS} to compare with")
        return found

    def _before(self, period: Period, zone: tzinfo) -> Period:
        if self.compare is Comparison.PREVIOUS_YEAR:
            return year_before(period, zone)
        return NAMED[self.period].before(period, zone) if self.period else before(period, zone)


def period_of(start: When | None, end: When | None, zone: tzinfo, names: tuple[str, str]) -> Period:
    first, last = (instant_of(when or date.max, zone) for when in (start, end))
    for name, instant in zip(names, (first, last), strict=True):
        if not FIRST_YEAR <= instant.year <= LAST_YEAR:
            raise Invalid.parameter(name, f"expected {WHEN} {YEARS}")
    if not timedelta(0) < last - first <= LONGEST:
        words = f"expected an instant after {names[0]}, within {LONGEST.days} days"
        raise Invalid.parameter(names[1], words, str(end))
    return Period(first, last)
