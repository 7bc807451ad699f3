"""The usage report API: its parameters in the order of their faults, and its errors."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from odometer.access.policy import READ_REPORT
from odometer.domain.errors import Fault, Incomplete, Invalid, OdometerError, TimedOut, Unavailable
from odometer.domain.people import UserType
from odometer.domain.time import DATE, Period
from odometer.web.endpoint import endpoint
from odometer.web.family import Family
from odometer.web.fields import YEAR_PATTERN, Choice, Reader, Whole, check_year, refuse
from odometer.web.messages import JSON, Request
from odometer.web.models import Query

LONGEST_SPAN = timedelta(days=90)
LARGEST_PAGE = 100

CLOCK_FORM = "YYYY-MM-DD HH:MM:SS"

TIME_PATTERN = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
CLOCK = re.compile(f"{DATE} {TIME_PATTERN}")
ISO_OFFSET = re.compile(r"([+ -]?)([0-9]{2}):([0-5][0-9])")
RAW_MINUTES = re.compile(r"-?(?:0|[1-9][0-9]{0,2})")
EASTMOST, WESTMOST = timedelta(hours=14), timedelta(hours=-12)


class ReportedProduct(StrEnum):
    """The products that this API reports on."""

    AUTOMATION = "automation"
    APP_AUTOMATION = "app-automation"
    HYPEREXECUTE = "hyperexecute"
    REALTIME = "realtime"
    REALDEVICE = "realdevice"
    SMARTUI = "smartui"


class WallClock(Reader):
    """A wall-clock time to the second; `timezone` makes it an instant."""

    def read(self, value: object) -> datetime:
        if isinstance(value, str) and CLOCK.fullmatch(value):
            check_year(int(value[:4]), CLOCK_FORM)
            with suppress(ValueError):
                return datetime.fromisoformat(value)
        raise refuse("clock", f"expected {CLOCK_FORM}", CLOCK_FORM)

    def schema(self) -> Mapping[str, Any]:
        return {
            "type": "string",
            "pattern": f"^{YEAR_PATTERN}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) {TIME_PATTERN}$",
            "examples": ["2026-06-23 00:00:00"],
        }


class Offset(Reader):
    """An offset from UTC: ISO, or the minutes of JavaScript's `getTimezoneOffset()`, west positive.

    A `+` in a query string arrives as a space, so a leading space, or no sign, is a `+`.
    """

    def read(self, value: object) -> timezone:
        text = value if isinstance(value, str) else ""
        offset = -timedelta(minutes=int(text)) if RAW_MINUTES.fullmatch(text) else iso_offset(text)
        if offset is None or not WESTMOST <= offset <= EASTMOST:
            raise refuse("offset", "expected +HH:MM or -HH:MM")
        return timezone(offset)

    def schema(self) -> Mapping[str, Any]:
        return {
            "type": "string",
            "default": "+00:00",
            "pattern": "^([+ -]?(0[0-9]|1[0-4]):[0-5][0-9]|-?(0|[1-9][0-9]{0,2}))$",
            "examples": ["+05:30", "-330"],
        }


def iso_offset(text: str) -> timedelta | None:
    found = ISO_OFFSET.fullmatch(text)
    if not found:
        return None
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


class UserTypeFilter(Query):
    """Whom the report is about."""

    empty_is_missing: ClassVar[bool] = True

    type: Annotated[UserType, Choice()] = Field(
        description="Whose usage: that of people, or that of machines."
    )


class ProductFilter(Query):
    """Which product the report is about."""

    product: Annotated[ReportedProduct, Choice()] = Field(description="The usage of which product.")


class WallClockRange(Query):
    """A range of wall-clock time at an offset, up to and with its last second."""

    start: Annotated[datetime, WallClock()] = Field(
        alias="from", description="The first second, on the wall clock of `timezone`."
    )
    last: Annotated[datetime, WallClock()] = Field(
        alias="to",
        description=f"The last second, after `from` and at most {LONGEST_SPAN.days} days after it.",
    )
    timezone: Annotated[tzinfo, Offset()] = Field(
        default="+00:00",
        validate_default=True,
        description="How far that clock is ahead of UTC, as hours and minutes; or how many minutes "
        "it is behind, as JavaScript's `getTimezoneOffset()` has it. A `+` is sent as `%2B`; a "
        "space, or no sign before hours, is taken for one.",
    )

    @field_validator("timezone")
    @classmethod
    def _last_of_three(cls, offset: tzinfo, earlier: ValidationInfo) -> tzinfo:
        """Hold `from` against `to` once all three are valid, before any parameter that follows."""
        if {"start", "last"} <= earlier.data.keys():
            span = earlier.data["last"] - earlier.data["start"]
            if span <= timedelta(0):
                raise refuse("order", "to must be after from")
            if span > LONGEST_SPAN:
                days = LONGEST_SPAN.days
                raise refuse("span", f"date range exceeds maximum allowed span of {days} days")
        return offset

    @property
    def period(self) -> Period:
        start, last = (clock.replace(tzinfo=self.timezone) for clock in (self.start, self.last))
        return Period.through_second(start, last)

    @property
    def echo(self) -> dict[str, str]:
        """The range as it was sent, and the offset in one form however it was sent."""
        offset = self.start.replace(tzinfo=self.timezone).isoformat()[-6:]
        return {"from": str(self.start), "to": str(self.last), "timezone": offset}


class SummaryQuery(WallClockRange, UserTypeFilter):
    """All products, one population."""


class DrilldownQuery(WallClockRange, ProductFilter, UserTypeFilter):
    """One product, one population, user by user."""

    page: Annotated[int, Whole(1, 2**63 - 1)] = Field(1, description="Counted from 1.")
    limit: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(10, description="Users on a page.")

    @property
    def places(self) -> slice:
        return slice((self.page - 1) * self.limit, self.page * self.limit)


BASE = "/insights/api/v3/public/usage-report"
VALUE_SHOWN = 10_240  # the gateway lets no longer request through: what was sent is shown whole


MESSAGES = {
    "unauthorized": "Invalid or missing Basic Auth credentials",
    "forbidden": "admin access required",
    "not_found": "not found",
    "method_not_allowed": "method not allowed",
    "not_acceptable": "no accepted content type can be answered",
    "conflict": "conflicts with what is stored",
    "payload_too_large": "too much to answer at once",
    "unsupported_media_type": "content type not supported",
    "too_many_requests": "too many requests",
    "internal_error": "internal server error",
    "unavailable": "failed to resolve org users",
    "timeout": "failed to resolve org users",
}
UNREAD = "failed to read all usage"
WORDS = {
    "type": f"invalid or missing type (valid: [{' '.join(UserType)}])",
    "product": f"invalid or missing product (valid: [{' '.join(ReportedProduct)}])",
    "from": "invalid from format: {value} (expected {expected})",
    "to": "invalid to format: {value} (expected {expected})",
    "timezone": "invalid timezone format: {value} (expected +HH:MM or -HH:MM, e.g. +05:30)",
    "page": "page must be a positive integer",
    "limit": f"limit must be a positive integer between 1 and {LARGEST_PAGE}",
}
RULES_OVER_SEVERAL = ("order", "span", "size")
"""Rules over several values: they speak for themselves."""


class UsageReport(Family):
    """The first fault of a request, in its own words."""

    name = "usage_report"
    base = BASE
    challenge = 'Basic realm="odometer", charset="UTF-8"'
    fallback_type = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        match error:
            case Invalid():
                message = fault_message(error.faults[0])
            case Incomplete():
                message = UNREAD
            case _:
                message = MESSAGES[error.code]
        return {"status": "error", "message": message}

    def status(self, error: OdometerError) -> int:
        """A directory that cannot be read is a 500; usage that cannot be is a partial answer."""
        of_directory = isinstance(error, Unavailable | TimedOut)
        return 500 if of_directory and not isinstance(error, Incomplete) else super().status(error)


usage_report = partial(endpoint, UsageReport(), may=READ_REPORT)


def fault_message(fault: Fault) -> str:
    if fault.rule == "missing" and fault.name in ("from", "to"):
        return f"{fault.name} is required"
    words = (
        fault.message if fault.rule in RULES_OVER_SEVERAL else WORDS.get(fault.name, fault.message)
    )
    words = words.replace("{expected}", fault.expected or CLOCK_FORM)
    return words.replace("{value}", str(fault.value)[:VALUE_SHOWN])
