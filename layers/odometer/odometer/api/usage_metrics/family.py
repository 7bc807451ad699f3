"""The usage metrics API: its parameters, and its errors, which list every fault of a request."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from odometer.access.policy import READ_ORGANIZATION, Caller
from odometer.directory import people
from odometer.domain.errors import ForeignOrganization, Invalid, OdometerError
from odometer.domain.people import Role, State
from odometer.domain.text import as_kept
from odometer.domain.time import ISO_8601, Period
from odometer.reports.blocks import Granularity
from odometer.web.endpoint import endpoint
from odometer.web.family import Family
from odometer.web.fields import (
    Choice,
    Flag,
    Reader,
    Whole,
    check_year,
    instant_within_years,
    refuse,
)
from odometer.web.messages import JSON, Request
from odometer.web.models import Query

LARGEST_PAGE = 1000
LONGEST_SPAN = timedelta(days=366)
MONTHS_BY_DEFAULT = 12
LIMIT = f"How many items to answer at most: {LARGEST_PAGE:,} for 0 and for anything above it."
Offset = Annotated[int, Whole(0, 2**63 - 1), Field(description="How many items to skip.")]
Limit = Annotated[int, Whole(0, LARGEST_PAGE, clamped=True), Field(description=LIMIT)]


class Page(Query):
    """A part of a list."""

    offset: Offset
    limit: Limit


class OptionalPage(Query):
    """A part of a list; without parameters, its beginning."""

    offset: Offset = 0
    limit: Limit = 0


class UserFilter(Page):
    """Which users of the organization: all, in a team or in none; registered or deactivated."""

    team_member: Annotated[bool, Flag()] | None = Field(
        None,
        alias="teamMember",
        description="Users in a team, or those in none; without it, all of them.",
    )
    active: Annotated[bool, Flag()] = Field(
        default=True, description="Registered users, or deactivated ones."
    )

    def matches(self, user: people.User) -> bool:
        """Whether a user is asked for; who is only invited is in neither list."""
        wanted = State.REGISTERED if self.active else State.DEACTIVATED
        in_team = user.team is not None
        return self.team_member in (None, in_team) and user.state == wanted


class RoleFilter(Query):
    """Users of one role."""

    role: Annotated[Role, Choice()] = Field(Role.ADMIN, description="The role that they hold.")


FINER_THAN_MICROSECONDS = re.compile(r"[.,][0-9]{6}0*[1-9]")
MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class Moment(Reader):
    """An ISO 8601 instant; a bare date is its midnight, and without an offset it is UTC.

    A `+` in a query string arrives as a space.
    """

    def read(self, value: object) -> datetime:
        """The instant in microseconds; what is finer counts as one more."""
        expected = "an ISO 8601 date or date-time"
        text = value if isinstance(value, str) and ISO_8601.fullmatch(value) else ""
        instant = instant_within_years(text, ISO_8601, expected) if text else None
        if instant is None:
            raise refuse("instant", f"expected {expected}")
        return instant + timedelta(microseconds=bool(FINER_THAN_MICROSECONDS.search(text)))

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "format": "date-time", "examples": ["2026-02-01T00:00:00Z"]}


class Month(Reader):
    """A month, as its first day."""

    def read(self, value: object) -> date:
        found = MONTH.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise refuse("month", "expected YYYY-MM")
        check_year(int(found[1]), "YYYY-MM")
        return date(int(found[1]), int(found[2]), 1)

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "pattern": r"^\d{4}-\d{2}$", "examples": ["2025-01"]}


class OfOrganization(Query):
    """Which organization: the caller's own."""

    organization_id: Annotated[str, AfterValidator(as_kept)] = Field(
        alias="organizationId", description="The organization of the caller, by its id."
    )


class OfTeam(OfOrganization):
    """Which team of it."""

    team_id: Annotated[str, AfterValidator(as_kept)] = Field(
        alias="teamId", description="A team, by its id."
    )


class OfUser(OfOrganization):
    """Which user of it."""

    user_id: str = Field(alias="userId", description="A user, by their id.")


class BlockRange(Query):
    """From when up to, but not including, when, and in which blocks."""

    start: Annotated[datetime, Moment()] = Field(
        alias="from", description="The first instant; without an offset it is UTC."
    )
    end: Annotated[datetime, Moment()] = Field(
        alias="to",
        description="The instant just after the last one: it is not included. At most "
        f"{LONGEST_SPAN.days} days after `from`.",
    )
    granularity: Annotated[
        Granularity, Choice({"day": "daily", "week": "weekly", "month": "monthly"})
    ] = Field(description="How long each block of the answer is; days, weeks and months are UTC.")

    @field_validator("end")
    @classmethod
    def _after_its_start(cls, end: datetime, fields: ValidationInfo) -> datetime:
        start = fields.data.get("start", end - LONGEST_SPAN)
        if end <= start:
            raise refuse("order", "expected an instant after from")
        if end - start > LONGEST_SPAN:
            raise refuse("span", f"expected at most {LONGEST_SPAN.days} days after from")
        return end

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)


class OrganizationUsageQuery(BlockRange, OfOrganization):
    """Everybody's usage."""


class TeamUsageQuery(BlockRange, OfTeam):
    """The usage of a team."""


class UserUsageQuery(BlockRange, OfUser):
    """The usage of one user."""


class TeamQuery(Query):
    """Which team."""

    team_id: str = Field(alias="teamId", description="A team, by its id.")


class MonthsQuery(Query):
    """From which month on."""

    start: Annotated[date, Month()] | None = Field(
        None,
        alias="startDate",
        description=f"The first month; the last {MONTHS_BY_DEFAULT} are answered without it.",
    )


WORDS = {
    400: ("BAD_REQUEST", "Bad Request – Invalid or missing parameters."),
    401: ("UNAUTHORIZED", "Unauthorized – Invalid token."),
    403: ("FORBIDDEN", "Forbidden – User lacks permission."),
    404: ("NOT_FOUND", "Not Found – Resource not found."),
    405: ("METHOD_NOT_ALLOWED", "Method Not Allowed – Resource has other methods."),
    406: ("NOT_ACCEPTABLE", "Not Acceptable – No accepted content type can be answered."),
    409: ("CONFLICT", "Conflict – Differs from what is stored."),
    413: ("PAYLOAD_TOO_LARGE", "Payload Too Large – Ask for less at once."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type – Send JSON."),
    429: ("TOO_MANY_REQUESTS", "Too Many Requests – Try again in a moment."),
    500: ("INTERNAL_SERVER_ERROR", "Internal Server Error – Unexpected server error."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable – Try again in a moment."),
    504: ("GATEWAY_TIMEOUT", "Gateway Timeout – Ask for less at once."),
}
INVALID_ORGANIZATION = "Unauthorized – Invalid organization."


class UsageMetrics(Family):
    """Every fault of a request at once, as `parameter: what was expected`."""

    name = "usage_metrics"
    base = "/api/v1"
    fallback_type = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        word, message = WORDS[status]
        message = INVALID_ORGANIZATION if isinstance(error, ForeignOrganization) else message
        faults = error.told if isinstance(error, Invalid) else ()
        return {
            "error": word,
            "message": message,
            "status": status,
            "requestId": request.id,
            "details": {"errors": [f"{fault.name}: {fault.message}" for fault in faults]},
        }

    def check_organization(self, caller: Caller, sent: Sequence[str]) -> None:
        """Answer the same for every other organization, whether it exists or not."""
        if not all(map(caller.is_of, sent)):
            raise ForeignOrganization


usage_metrics = partial(endpoint, UsageMetrics(), may=READ_ORGANIZATION)
