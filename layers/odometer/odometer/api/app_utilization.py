"""The app utilization API: its errors, parameters and answers, by their published names."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from odometer.access.policy import READ_ORGANIZATION, Caller, Rule
from odometer.api.cursors import Chain
from odometer.api.endpoint import Endpoint
from odometer.api.endpoint import endpoint as any_endpoint
from odometer.api.envelope import Envelope, shown
from odometer.api.fields import YEAR_PATTERN, Choice, Reader, Text, Whole, check_year, refuse
from odometer.api.models import Answer, Query, Timestamp
from odometer.api.subjects import Named
from odometer.api.wire import Request
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Forbidden, Invalid, NotFound, OdometerError
from odometer.domain.identity import UUID
from odometer.domain.time import format_millis, instant_at
from odometer.readings.fold import Gap
from odometer.readings.presence import Presence
from odometer.reports.app_totals import Granularity
from odometer.reports.days import Days
from odometer.reports.figures import Metric
from odometer.reports.order import Direction
from odometer.storage.usage import Usage

BASE = "/v2/clients/{client_id}"
LONGEST_DAYS = 366
MOST_DEPARTMENTS = 50
LONGEST_CURSOR = 8_192
CURSOR = "The `next_cursor` of the page before; everything but the size of a page stays the same."
LONGEST_NAME = 256
AHEAD = 8
"""So many rows that follow are told by a cursor: erasure would have to take all of them."""

DEPRECATED = datetime(2026, 11, 20, tzinfo=UTC)
SUNSET = datetime(2027, 11, 20, tzinfo=UTC)
DEPRECATION = "urn:odometer:deprecation:department_id"

WORDS = {
    "missing": "{name} is required",
    "choice": "Unknown {name}: {value}. Valid values: {expected}",
    "extra_forbidden": "Unknown parameter: {name}",
    "repeated": "{name} was sent more than once",
}
"""Faults that need no more than the name and the value; `{expected}` is what could be sent."""
SENTENCES = frozenset({"order", "span", "pair", "either", "cursor", "value", "size"})
"""Faults that speak for themselves."""
TOGETHER: Mapping[str, tuple[str, ...]] = {
    "end_date": ("start_date", "end_date"),
    "compare_end_date": ("compare_start_date", "compare_end_date"),
    "compare": ("compare", "compare_start_date", "compare_end_date"),
}
"""The parameters that are at fault together, by the one that is checked last."""


class AppUtilization(Envelope):
    """The common envelope, in the words of this API."""

    name = "app_utilization"

    def admit(self, request: Request, caller: Caller) -> None:
        """A client that cannot exist is not found; every other client is somebody else's."""
        client = request.parameters.get("client_id", "")
        if not UUID.fullmatch(client):
            raise NotFound(client)
        if not caller.is_of(client):
            raise Forbidden

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The first fault in words, with every parameter that it is about as it was sent."""
        content = dict(super().problem(error, status, request)["error"])
        if isinstance(error, Invalid):
            first = error.faults[0]
            at_fault = error.faults if first.rule == "size" else (first,)
            details = {k: v for each in at_fault for k, v in details_of(each, request).items()}
            content |= {"message": worded(first), "details": details}
        elif error.code in MESSAGES:
            things = [name for key, name in THINGS.items() if key in request.parameters]
            words = MESSAGES[error.code].replace("{things}", " or ".join(things))
            content["message"] = words[:1].upper() + words[1:]
        return {"error": content}


MESSAGES = {
    "forbidden": "Insufficient permissions for this client",
    "not_found": "{things} not found",
    "internal_error": "Server error",
}
THINGS = {"user_id": "user", "app_id": "app", "client_id": "client"}
"""What a path may name, in the order in which it is spoken of."""

FAMILY = AppUtilization()


def endpoint(
    path: str, *, may: Rule = READ_ORGANIZATION, about: Named | None = None
) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route of this family: all are GET, and about one client."""
    return any_endpoint(FAMILY, "GET", BASE + path, may=may, about=about)


def worded(fault: Fault) -> str:
    """A fault as a sentence."""
    if fault.rule in SENTENCES:
        return fault.message
    words = WORDS.get(fault.rule, "Invalid {name}: {value}. {message}")
    return (
        words.replace("{expected}", fault.message.removeprefix("expected one of "))
        .replace("{message}", fault.message[:1].upper() + fault.message[1:])
        .replace("{name}", str(shown(fault.name)))
        .replace("{value}", str(shown(fault.value)))
    )


def details_of(fault: Fault, request: Request) -> dict[str, object]:
    """The parameters of a fault as they were sent; null where they were not."""
    together = fault.rule in SENTENCES and TOGETHER.get(fault.name)
    if not together:
        return {str(shown(fault.name)): shown(fault.value)}
    sent = {name: request.query.get(name, [None]) for name in together}
    return {name: shown(values[-1]) for name, values in sent.items()}


# parameters

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Comparison(StrEnum):
    """A comparison period that need not be spelled out."""

    PREVIOUS_PERIOD = "previous_period"


class Day(Reader):
    """A calendar date."""

    def read(self, value: object) -> date:
        """A date that exists."""
        if isinstance(value, str) and DATE.fullmatch(value):
            check_year(int(value[:4]), "a date as YYYY-MM-DD")
            with suppress(ValueError):
                return date.fromisoformat(value)
        raise refuse("date", "expected a date as YYYY-MM-DD")

    def schema(self) -> Mapping[str, Any]:
        """A date."""
        return {
            "type": "string",
            "format": "date",
            "pattern": rf"^{YEAR_PATTERN}-\d{{2}}-\d{{2}}$",
            "examples": ["2026-02-01"],
        }


class Ids(Reader):
    """UUIDs with commas between them; one may stand there more than once."""

    def read(self, value: object) -> tuple[str, ...]:
        """The different ones in lower case and in order, so that equal filters look equal."""
        ids = value.split(",") if isinstance(value, str) else []
        if not all(map(UUID.fullmatch, ids)):
            raise refuse("ids", "expected UUIDs separated by commas")
        if not 1 <= len(ids) <= MOST_DEPARTMENTS:
            raise refuse("ids", f"expected 1 to {MOST_DEPARTMENTS} UUIDs")
        return tuple(sorted(set(map(str.lower, ids))))

    def schema(self) -> Mapping[str, Any]:
        """Text in one form."""
        one = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
        return {
            "type": "string",
            "pattern": f"^{one}(,{one}){{0,{MOST_DEPARTMENTS - 1}}}$",
            "examples": ["d1a2b3c4-e5f6-7890-abcd-ef1234567890"],
        }


class Strict(Query):
    """A query that takes no parameter it does not know."""

    refuses_unknown: ClassVar[bool] = True


class Granular(Strict):
    """How finely; whatever is per day does not depend on it."""

    granularity: Annotated[Granularity, Choice()] = Field(
        description="How long each stretch of a series is; averages are per day in any case."
    )


class Dated(Strict):
    """Which days."""

    start_date: Annotated[date, Day()] = Field(
        description="The first day, in the time zone of the organization."
    )
    end_date: Annotated[date, Day()] = Field(
        description=f"The last day, included; at most {LONGEST_DAYS} days are answered at once."
    )

    @field_validator("end_date")
    @classmethod
    def _not_before_start(cls, end: date, earlier: ValidationInfo) -> date:
        check_days(earlier.data.get("start_date"), end, "end_date is before start_date")
        return end

    @property
    def days(self) -> Days:
        """The days of the report."""
        return Days(self.start_date, self.end_date)


class Compared(Dated):
    """Which days, and which others to compare with."""

    compare_start_date: Annotated[date, Day()] | None = Field(
        default=None, description="The first day to compare with; needs `compare_end_date`."
    )
    compare_end_date: Annotated[date, Day()] | None = Field(
        default=None,
        validate_default=True,
        description="The last day to compare with, included; needs `compare_start_date`.",
    )
    compare: Annotated[Comparison, Choice()] | None = Field(
        default=None,
        description="Compare with as many days just before `start_date`, instead of giving dates.",
    )

    @field_validator("compare_end_date", mode="wrap")
    @classmethod
    def _with_its_start(
        cls, sent: object, read: Callable[[object], date], earlier: ValidationInfo
    ) -> date | None:
        end = None if sent is None else read(sent)
        if "compare_start_date" in earlier.data:
            start = earlier.data["compare_start_date"]
            if (start is None) != (end is None):
                raise refuse("pair", "compare_start_date and compare_end_date must come together")
            check_days(start, end, "compare_end_date is before compare_start_date")
        return end

    @field_validator("compare")
    @classmethod
    def _instead_of_dates(cls, compare: Comparison, earlier: ValidationInfo) -> Comparison:
        if earlier.data.get("compare_start_date") or earlier.data.get("compare_end_date"):
            raise refuse("either", "compare and the comparison dates exclude each other")
        return compare

    @property
    def comparison(self) -> Days | None:
        """The days to compare with."""
        if self.compare:
            return self.days.before
        if self.compare_start_date and self.compare_end_date:
            return Days(self.compare_start_date, self.compare_end_date)
        return None


def check_days(first: date | None, last: date | None, reversed_words: str) -> None:
    """Refuse days that end before they begin, and too many."""
    if first is None or last is None:
        return
    if last < first:
        raise refuse("order", reversed_words)
    if Days(first, last).count > LONGEST_DAYS:
        raise refuse("span", f"Date range exceeds {LONGEST_DAYS} days")


class OfDepartments(Strict):
    """Users of which departments; `department_id` is the former name."""

    department_ids: Annotated[tuple[str, ...], Ids()] | None = Field(
        None,
        description="Only users of any of these departments: their ids with commas between them.",
    )
    department_id: Annotated[tuple[str, ...], Ids()] | None = Field(
        None,
        description="The former name of `department_ids`, which wins where both are sent.",
        json_schema_extra={"deprecated": True},
    )

    def members(self, directory: Directory) -> Collection[int] | None:
        """The users who are asked about; None is everybody."""
        wanted = self.department_id if self.department_ids is None else self.department_ids
        return None if wanted is None else directory.members_of(wanted)

    @property
    def deprecation(self) -> dict[str, str]:
        """What a client hears that uses the former name."""
        if self.department_id is None:
            return {}
        return {
            "Deprecation": f"@{int(DEPRECATED.timestamp())}",
            "Sunset": f"{SUNSET:%a, %d %b %Y %H:%M:%S} GMT",
            "Link": f'<{DEPRECATION}>; rel="deprecation"',
        }


class Searched(Strict):
    """Only what has these words in its name."""

    q: Annotated[str, Text(LONGEST_NAME, shortest=0)] = Field(
        "", description="Only what has this text in a name, in either case."
    )


class Ordered(Strict):
    """Which end comes first."""

    sort_order: Annotated[Direction, Choice()] = Field(
        Direction.DESCENDING, description="Smallest first, or largest first."
    )


class Paged(Strict):
    """Which page of a chain."""

    page_size: Annotated[int, Whole(1, 200)] = Field(50, description="Rows on a page.")
    cursor: Annotated[str, Text(LONGEST_CURSOR)] | None = Field(None, description=CURSOR)


# answers


class Period(Answer):
    """The days that were asked about."""

    start_date: date
    end_date: date
    compare_start_date: date | None
    compare_end_date: date | None

    @classmethod
    def of(cls, days: Days, comparison: Days | None = None) -> "Period":
        """The days as they are published."""
        return cls(
            start_date=days.first,
            end_date=days.last,
            compare_start_date=comparison.first if comparison else None,
            compare_end_date=comparison.last if comparison else None,
        )


class MetricWithDelta(Answer):
    """A figure, and how it has changed."""

    value: int
    change_pct: float | None
    compare_value: int | None

    @classmethod
    def of(cls, metric: Metric) -> "MetricWithDelta":
        """A metric as it is published: tenths of a percent with a decimal point."""
        tenths = metric.change_tenths
        change = None if tenths is None else tenths / 10
        return cls(value=metric.value, change_pct=change, compare_value=metric.compare_value)


class LastActivity(Answer):
    """When a user was last active."""

    at: Timestamp | None
    desktop_at: Timestamp | None
    web_at: Timestamp | None

    @classmethod
    def of(cls, presence: Presence) -> "LastActivity":
        """The published instants."""
        seconds = (presence.last, presence.desktop, presence.web)
        at, desktop_at, web_at = (
            format_millis(instant_at(second)) if second else None for second in seconds
        )
        return cls(at=at, desktop_at=desktop_at, web_at=web_at)


class UserRef(Answer):
    """Who a user is."""

    id: str
    username: str
    user_key: str
    last_activity: LastActivity


def columns_of(row: type[Answer], prefix: str = "") -> list[str]:
    """The columns of a table of such rows, nested ones joined by dots."""
    columns = []
    for name, field in row.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Answer):
            columns += columns_of(inner, f"{prefix}{name}.")
        else:
            columns.append(prefix + name)
    return columns


def begin(chain: Chain, usage: Usage) -> None:
    """See what the first page of the chain saw."""
    if chain.mark:
        try:
            usage.go_back(chain.mark.directory, chain.mark.pin)
        except (Gap, NotFound):
            raise chain.expired from None


def next_page(
    chain: Chain,
    usage: Usage,
    directory: Directory,
    products: Collection[str],
    shown: int,
    total: int,
    users: Sequence[int] = (),
) -> str | None:
    """The cursor of the page that follows, if one does; in a chain of users, with who they are."""
    row = chain.row + shown
    if chain.whole or row >= total:
        return None
    ahead, erased = users[row:][:AHEAD], len(directory.erased)
    return chain.cursor(row, directory.head.version, usage.pin(products), ahead, erased)


def headers_of(
    deprecation: Mapping[str, str], chain: Chain | None = None, cursor: str | None = None
) -> dict[str, str]:
    """What is said beside the answer; both kinds of link share a header."""
    links = [deprecation["Link"]] if deprecation else []
    links += [chain.link(cursor)] if chain and cursor else []
    return {**deprecation, **({"Link": ", ".join(links)} if links else {})}
