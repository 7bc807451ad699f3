"""The app utilization API: the parameters and answers that its routes share, and its errors."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from odometer.access.policy import READ_ORGANIZATION, Caller
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Forbidden, Invalid, NotFound, OdometerError
from odometer.domain.text import UUID
from odometer.domain.time import format_second
from odometer.engine.format.groups import Members
from odometer.engine.read.latest import LastActive
from odometer.reports.apps import Days, Granularity
from odometer.reports.figures import Metric
from odometer.reports.ranking import Direction
from odometer.services.groups import department_members
from odometer.web.cursors import CursorParameter
from odometer.web.endpoint import endpoint
from odometer.web.family import Envelope, echoed
from odometer.web.fields import Choice, Day, Ids, Text, Whole, refuse
from odometer.web.messages import Request
from odometer.web.models import Answer, Strict, Timestamp

LONGEST_DAYS = 366
LONGEST_NAME = 256

DEPRECATED = datetime(2026, 11, 20, tzinfo=UTC)
SUNSET = datetime(2027, 11, 20, tzinfo=UTC)
DEPRECATION = "urn:odometer:deprecation:department_id"


class Comparison(StrEnum):
    """A comparison period that need not be spelled out."""

    PREVIOUS_PERIOD = "previous_period"


class Granular(Strict):
    """How finely; whatever is per day does not depend on it."""

    granularity: Annotated[Granularity, Choice()] = Field(
        description="How long each block of a series is; averages are per day in any case."
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
        if self.compare:
            return self.days.before
        if self.compare_start_date and self.compare_end_date:
            return Days(self.compare_start_date, self.compare_end_date)
        return None


def check_days(first: date | None, last: date | None, reversed_words: str) -> None:
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
        return None if self._wanted is None else directory.members_of(self._wanted)

    def groups(self, directory: Directory) -> Members | None:
        """The same as groups whose sums are stored, if they are such."""
        return department_members(directory, self._wanted) if self._wanted else None

    @property
    def _wanted(self) -> tuple[str, ...] | None:
        return self.department_id if self.department_ids is None else self.department_ids

    @property
    def deprecation(self) -> dict[str, str]:
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
    cursor: CursorParameter = None


class ComparedDays(Answer):
    """The days that were asked about."""

    start_date: date
    end_date: date
    compare_start_date: date | None
    compare_end_date: date | None

    @classmethod
    def of(cls, days: Days, comparison: Days | None = None) -> "ComparedDays":
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
        return cls(**cls.content(metric))

    @staticmethod
    def content(metric: Metric) -> dict[str, Any]:
        """A metric as it is published: tenths of a percent with a decimal point."""
        tenths = metric.change_tenths
        change = None if tenths is None else tenths / 10
        value, compare_value = metric.value, metric.compare_value
        return {"value": value, "change_pct": change, "compare_value": compare_value}


class LastActivity(Answer):
    """When a user was last active."""

    at: Timestamp | None
    desktop_at: Timestamp | None
    web_at: Timestamp | None

    @classmethod
    def of(cls, presence: LastActive) -> "LastActivity":
        return cls(**cls.content(presence))

    @staticmethod
    def content(presence: LastActive) -> dict[str, str | None]:
        shown = {second: format_second(second) if second else None for second in presence}
        return {
            "at": shown[presence.last],
            "desktop_at": shown[presence.desktop],
            "web_at": shown[presence.web],
        }


class UserRef(Answer):
    """Who a user is."""

    id: str
    username: str
    user_key: str
    last_activity: LastActivity


WORDS = {
    "missing": "{name} is required",
    "choice": "Unknown {name}: {value}. Valid values: {expected}",
    "extra_forbidden": "Unknown parameter: {name}",
    "repeated": "{name} was sent more than once",
}
"""Faults that need no more than the name and the value; `{expected}` is what could be sent."""
SENTENCES = frozenset({"order", "span", "pair", "either", "cursor", "value", "size"})
"""Faults that speak for themselves."""
RELATED_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "end_date": ("start_date", "end_date"),
    "compare_end_date": ("compare_start_date", "compare_end_date"),
    "compare": ("compare", "compare_start_date", "compare_end_date"),
}
"""The parameters that are at fault related, by the one that is checked last."""


class AppUtilization(Envelope):
    """The common envelope, in the words of this API."""

    name = "app_utilization"
    base = "/v2/clients/{client_id}"

    def check_organization(self, caller: Caller, sent: Sequence[str]) -> None:
        """Refuse a client that cannot exist as not found, and every other client as forbidden."""
        for client in sent:
            if not UUID.fullmatch(client):
                raise NotFound(client)
            if not caller.is_of(client):
                raise Forbidden

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        content = dict(super().problem(error, status, request)["error"])
        if isinstance(error, Invalid):
            first = error.faults[0]
            at_fault = error.faults if first.rule == "size" else (first,)
            details = {k: v for each in at_fault for k, v in details_of(each, request).items()}
            content |= {"message": fault_message(first), "details": details}
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
"""What a path may name, in the order of the message."""

app_utilization = partial(
    endpoint, AppUtilization(), may=READ_ORGANIZATION, organization="client_id"
)


def fault_message(fault: Fault) -> str:
    if fault.rule in SENTENCES:
        return fault.message
    words = WORDS.get(fault.rule, "Invalid {name}: {value}. {message}")
    return (
        words.replace("{expected}", fault.expected)
        .replace("{message}", fault.message[:1].upper() + fault.message[1:])
        .replace("{name}", str(echoed(fault.name)))
        .replace("{value}", str(echoed(fault.value)))
    )


def details_of(fault: Fault, request: Request) -> dict[str, object]:
    """The parameters of a fault as they were sent; null where they were not."""
    related = fault.rule in SENTENCES and RELATED_PARAMETERS.get(fault.name)
    if not related:
        return {str(echoed(fault.name)): echoed(fault.value)}
    sent = {name: request.query.get(name, [None]) for name in related}
    return {name: echoed(values[-1]) for name, values in sent.items()}
