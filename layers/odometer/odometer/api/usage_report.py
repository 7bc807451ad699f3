"""The usage report API: its parameters, its answers and the exact words of its errors."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import MISSING, Field, ValidationInfo, field_validator

from odometer.access.policy import READ_REPORT
from odometer.api.endpoint import Endpoint
from odometer.api.endpoint import endpoint as any_endpoint
from odometer.api.family import Family
from odometer.api.fields import YEAR_PATTERN, YEARS, Choice, Reader, Whole, check_year, refuse
from odometer.api.models import Answer, Query
from odometer.api.reports import Report
from odometer.api.wire import JSON, Request
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Incomplete, Invalid, OdometerError, TimedOut, Unavailable
from odometer.domain.kinds import Kind
from odometer.domain.people import UserType
from odometer.domain.time import Period
from odometer.readings.reading import Used, distinct
from odometer.reports.ranking import UserUsage, most_used_first, places, totals_among
from odometer.storage.usage import Usage

BASE = "/insights/api/v3/public/usage-report"
LONGEST_SPAN = timedelta(days=90)
LARGEST_PAGE = 100
VALUE_SHOWN = 10_240  # the gateway lets no longer request through: what was sent is shown whole


class Product(StrEnum):
    """The products that this API reports on."""

    AUTOMATION = "automation"
    APP_AUTOMATION = "app-automation"
    HYPEREXECUTE = "hyperexecute"
    REALTIME = "realtime"
    REALDEVICE = "realdevice"
    SMARTUI = "smartui"


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

CLOCK_FORM = "YYYY-MM-DD HH:MM:SS"
OF_RULES: Mapping[str, Mapping[str, str]] = {
    "missing": {name: f"{name} is required" for name in ("from", "to")},
    "years": {
        name: f"invalid {name} format: {{value}} (expected {CLOCK_FORM} {YEARS})"
        for name in ("from", "to")
    },
}
"""Words for some rules; any other fault of a parameter has the words of that parameter."""
WORDS = {
    "type": f"invalid or missing type (valid: [{' '.join(UserType)}])",
    "product": f"invalid or missing product (valid: [{' '.join(Product)}])",
    "from": f"invalid from format: {{value}} (expected {CLOCK_FORM})",
    "to": f"invalid to format: {{value}} (expected {CLOCK_FORM})",
    "timezone": "invalid timezone format: {value} (expected +HH:MM or -HH:MM, e.g. +05:30)",
    "page": "page must be a positive integer",
    "limit": f"limit must be a positive integer between 1 and {LARGEST_PAGE}",
}
BETWEEN = ("order", "span", "size")
"""Rules over several values: they speak for themselves."""


class UsageReport(Family):
    """The first fault of a request, in its own words."""

    name = "usage_report"
    challenge = 'Basic realm="odometer", charset="UTF-8"'
    unfit = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The published error body."""
        return {"status": "error", "message": message_of(error)}

    def status(self, error: OdometerError) -> int:
        """A directory that cannot be read is a 500; usage that cannot be is a partial answer."""
        of_directory = isinstance(error, Unavailable | TimedOut)
        return 500 if of_directory and not isinstance(error, Incomplete) else super().status(error)


FAMILY = UsageReport()


def endpoint(path: str) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route of this family: all are GET, and for Admins."""
    return any_endpoint(FAMILY, "GET", BASE + path, may=READ_REPORT)


def message_of(error: OdometerError) -> str:
    """An error in the words of this API."""
    match error:
        case Invalid():
            return worded(error.faults[0])
        case Incomplete():
            return UNREAD
    return MESSAGES[error.code]


def worded(fault: Fault) -> str:
    """A fault in the words that clients of this API match on."""
    words = OF_RULES.get(fault.rule, {}).get(fault.name)
    words = words or (fault.message if fault.rule in BETWEEN else WORDS.get(fault.name))
    return (words or fault.message).replace("{value}", str(fault.value)[:VALUE_SHOWN])


# parameters

CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
ISO_OFFSET = re.compile(r"([+ -]?)([0-9]{2}):([0-5][0-9])")
RAW_MINUTES = re.compile(r"-?(?:0|[1-9][0-9]{0,2})")
EASTMOST, WESTMOST = timedelta(hours=14), timedelta(hours=-12)


class WallClock(Reader):
    """A wall-clock time to the second; which instant it is, the offset tells."""

    def read(self, value: object) -> datetime:
        """A time that exists."""
        if isinstance(value, str) and CLOCK.fullmatch(value):
            check_year(int(value[:4]), CLOCK_FORM)
            with suppress(ValueError):
                return datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  its offset comes apart
        raise refuse("clock", f"expected {CLOCK_FORM}")

    def schema(self) -> Mapping[str, Any]:
        """Text in one form."""
        return {
            "type": "string",
            "pattern": f"^{YEAR_PATTERN}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            " ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
            "examples": ["2026-06-23 00:00:00"],
        }


class Offset(Reader):
    """An offset from UTC: ISO, or the minutes of JavaScript's `getTimezoneOffset()`, west positive.

    A `+` in a query string arrives as a space, so a leading space, or no sign, is a `+`.
    """

    def read(self, value: object) -> timezone:
        """The offset, if it is one that is in use anywhere."""
        text = value if isinstance(value, str) else ""
        offset = -timedelta(minutes=int(text)) if RAW_MINUTES.fullmatch(text) else iso_offset(text)
        if offset is None or not WESTMOST <= offset <= EASTMOST:
            raise refuse("offset", "expected +HH:MM or -HH:MM")
        return timezone(offset)

    def schema(self) -> Mapping[str, Any]:
        """Text in one of two forms."""
        return {
            "type": "string",
            "default": "+00:00",
            "pattern": "^([+ -]?(0[0-9]|1[0-4]):[0-5][0-9]|-?(0|[1-9][0-9]{0,2}))$",
            "examples": ["+05:30", "-330"],
        }


def iso_offset(text: str) -> timedelta | None:
    """`+05:30` as a duration."""
    found = ISO_OFFSET.fullmatch(text)
    if not found:
        return None
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


class Population(Query):
    """Whom the report is about."""

    empty_is_missing: ClassVar[bool] = True

    type: Annotated[UserType, Choice()] = Field(
        description="Whose usage: that of people, or that of machines."
    )


class OneProduct(Query):
    """Which product the report is about."""

    product: Annotated[Product, Choice()] = Field(description="The usage of which product.")


class Range(Query):
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
        """The range as instants."""
        start, last = (clock.replace(tzinfo=self.timezone) for clock in (self.start, self.last))
        return Period.through_second(start, last)

    @property
    def echo(self) -> dict[str, str]:
        """The range as it was sent, and the offset in one form however it was sent."""
        offset = self.start.replace(tzinfo=self.timezone).isoformat()[-6:]
        return {"from": str(self.start), "to": str(self.last), "timezone": offset}


class Paging(Query):
    """Which part of the rows."""

    page: Annotated[int, Whole(1, 2**63 - 1)] = Field(1, description="Counted from 1.")
    limit: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(10, description="Users on a page.")

    @property
    def places(self) -> slice:
        """Which places of a ranking the page shows."""
        return slice((self.page - 1) * self.limit, self.page * self.limit)

    def pagination(self, total: int) -> "Pagination":
        """Where the page stands."""
        pages = -(-total // self.limit)
        return Pagination(limit=self.limit, page=self.page, total=total, total_pages=pages)


class SummaryQuery(Range, Population):
    """All products, one population."""


class DrilldownQuery(Paging, Range, OneProduct, Population):
    """One product, one population, user by user."""


# answers


class OrganizationName(Answer):
    """Whose report it is."""

    id: str
    name: str


class Pagination(Answer):
    """Where a page stands among all."""

    limit: int
    page: int
    total: int
    total_pages: int = Field(alias="totalPages")


class Totals(Answer):
    """The measures of a product, by the names that its kind has here."""

    tests: int | MISSING = Field(MISSING, alias="totalTests")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class Echo(Answer):
    """What was asked, of whom, and whether there was no full answer."""

    start: str = Field(alias="from")
    last: str = Field(alias="to")
    timezone: str
    organization: OrganizationName
    partial: bool | MISSING = MISSING


class OfType(Answer):
    """Whom the answer is about."""

    type: UserType
    total_users: int = Field(alias="totalUsers")


class SummaryMetadata(Echo, OfType):
    """Of all products."""


class SummaryData(Answer):
    """The totals of every product."""

    metadata: SummaryMetadata
    products: dict[Product, Totals] = Field(json_schema_extra={"required": [*Product]})


class SummaryAnswer(Answer):
    """All products."""

    status: Literal["success"]
    data: SummaryData


class OfProduct(Answer):
    """Whom the answer is about, and which product."""

    type: UserType
    product: Product
    total_users: int = Field(alias="totalUsers")


class DrilldownMetadata(Echo, Totals, OfProduct):
    """Of one product: the totals of the organization, and where the page stands."""

    pagination: Pagination


class UserRow(Answer):
    """What one user has used."""

    id: str
    username: str
    email: str
    tests: int | MISSING = Field(MISSING, alias="totalTestsRun")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class ProductName(Answer):
    """One product."""

    product: Product


class ProductRow(Totals, ProductName):
    """The totals of one product, as a line."""


class DrilldownData(Answer):
    """One product, user by user."""

    metadata: DrilldownMetadata
    users: list[UserRow]


class DrilldownAnswer(Answer):
    """One product."""

    status: Literal["success"]
    data: DrilldownData


NAMES = {"tests": "tests", "duration_ms": "duration", "screenshots": "screenshots"}
"""What the measures of the engine are called in the models above."""


def summary(query: SummaryQuery, usage: Usage) -> Report:
    """All products, of the users of one type; one that cannot be read is 0, and it is said so."""
    found = usage.of_each(list(Product), query.period)
    readable = [used for used in found.values() if used]
    directory = usage.directory_with(readable)
    population = directory.users_of_type(query.type)
    metadata = SummaryMetadata(
        type=query.type,
        total_users=len(population.intersection(distinct(readable))),
        **echo(query, directory, found.values()),
    )
    products = {
        product: totals_of(usage.kind(product), found[product], population) for product in Product
    }
    page = SummaryAnswer(status="success", data=SummaryData(metadata=metadata, products=products))
    rows = [ProductRow(product=each, **products[each].model_dump()) for each in Product]
    return report(page, lambda: rows, query, usage, found.values())


def drilldown(query: DrilldownQuery, usage: Usage) -> Report:
    """One product: totals of everybody, the users of one type, most used first."""
    found = usage.of_each([query.product], query.period)[query.product]
    directory = usage.directory_with([found] if found else [])
    kind = usage.kind(query.product)
    population = directory.users_of_type(query.type)
    ranked = most_used_first(found, population - directory.erased) if found else []
    metadata = DrilldownMetadata(
        type=query.type,
        product=query.product,
        total_users=len(population.intersection(found.users)) if found else 0,
        **totals_of(kind, found, None).model_dump(),
        **echo(query, directory, [found]),
        pagination=query.pagination(len(ranked)),
    )
    users = user_rows(directory, kind, ranked, query.places)
    page = DrilldownAnswer(status="success", data=DrilldownData(metadata=metadata, users=users))
    every = partial(user_rows, directory, kind, ranked, slice(0, len(ranked)))
    return report(page, every, query, usage, [found], columns_of(kind))


def report(
    page: Answer,
    rows: Callable[[], Iterable[Answer]],
    query: Range,
    usage: Usage,
    found: Iterable[Used | None],
    columns: Sequence[str] = (),
) -> Report:
    """The answer with what it was made from."""
    incomplete = is_incomplete(found)
    through_ms = None if incomplete else usage.through_ms
    return Report(page, rows, [query.period], through_ms, incomplete, columns)


def echo(query: Range, directory: Directory, found: Iterable[Used | None]) -> dict[str, Any]:
    """What every answer says of its request."""
    organization = OrganizationName(id=directory.organization.id, name=directory.organization.name)
    partial = {"partial": True} if is_incomplete(found) else {}
    return {**query.echo, "organization": organization, **partial}


def columns_of(kind: Kind) -> list[str]:
    """The columns of a table of users."""
    names = ("id", "username", "email", *(NAMES[name] for name in kind.measures))
    return [UserRow.model_fields[name].alias or name for name in names]


def is_incomplete(found: Iterable[Used | None]) -> bool:
    """Whether something could not be read."""
    return None in list(found)


def totals_of(kind: Kind, used: Used | None, population: Collection[int] | None) -> Totals:
    """The measures of a product, of some users or of all; 0 where nothing could be read."""
    totals = totals_among(used, population) if used else dict.fromkeys(kind.measures, 0)
    return Totals(**{NAMES[name]: total for name, total in totals.items()})


def user_rows(
    directory: Directory, kind: Kind, ranked: Sequence[UserUsage], shown: slice
) -> list[UserRow]:
    """Some places of a ranking, with names."""

    def ids_of(users: Sequence[int]) -> list[str]:
        return [user.id for user in directory.users_at(users)]

    rows = places(ranked, shown, ids_of)
    names = [NAMES[name] for name in kind.measures]
    return [
        UserRow(
            id=user.id,
            username=user.username,
            email=user.email,
            **dict(zip(names, row.measures, strict=True)),
        )
        for user, row in zip(directory.users_at([row.user for row in rows]), rows, strict=True)
    ]
