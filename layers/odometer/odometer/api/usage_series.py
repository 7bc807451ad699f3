"""Usage over time and utilization on the wire: the reports of the usage metrics API."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, RootModel, ValidationInfo, field_validator

from odometer.access.policy import Caller, Rule
from odometer.api.endpoint import Endpoint
from odometer.api.endpoint import endpoint as any_endpoint
from odometer.api.fields import Choice, Reader, check_year, refuse
from odometer.api.models import Answer, Query, Timestamp
from odometer.api.reports import Report
from odometer.api.subjects import Named
from odometer.api.usage_metrics import UsageMetrics
from odometer.api.wire import Request
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.domain.errors import ForeignOrganization
from odometer.domain.identity import as_kept
from odometer.domain.people import State
from odometer.domain.time import Period, format_seconds
from odometer.reports.factors import share
from odometer.reports.series import ANY, USERS, Granularity, Tally, blocks, edges, tallies
from odometer.reports.utilization import Utilization, first_month, months, utilization
from odometer.storage.usage import Usage

LONGEST_SPAN = timedelta(days=366)
MONTHS_BY_DEFAULT = 12
COMPLETION, CHAT = "completion", "chat"


class UsageOverTime(UsageMetrics):
    """The same family, where a request names the organization that it is about."""

    def admit(self, request: Request, caller: Caller) -> None:
        """Only the caller's own; whether any other exists is not told."""
        if not all(map(caller.is_of, request.query.get("organizationId", ()))):
            raise ForeignOrganization


FAMILY = UsageOverTime()


def endpoint(
    path: str, *, may: Rule, about: Named | None = None
) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route that reports usage over time."""
    return any_endpoint(FAMILY, "GET", path, may=may, about=about)


# parameters

ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,]([0-9]{1,9}))?)?)"
    r"([Zz]|[+ -](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
)
MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class Moment(Reader):
    """An ISO 8601 instant; a bare date is its midnight, and without an offset it is UTC.

    A `+` in a query string arrives as a space.
    """

    def read(self, value: object) -> datetime:
        """The instant."""
        expected = "an ISO 8601 date or date-time"
        found = ISO.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise refuse("instant", f"expected {expected}")
        check_year(int(found[1][:4]), expected)
        try:
            instant = instant_of(*found.groups(default=""))
        except ValueError:
            raise refuse("instant", f"expected {expected}") from None
        check_year(instant.year, expected)
        return instant

    def schema(self) -> Mapping[str, Any]:
        """A date-time, or a date."""
        return {"type": "string", "format": "date-time", "examples": ["2026-02-01T00:00:00Z"]}


def instant_of(day: str, clock: str, fraction: str, offset: str) -> datetime:
    """The instant of its parts, in microseconds; what is finer counts as one more."""
    zone = offset.upper().replace(" ", "+") or "Z"
    instant = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}").astimezone(UTC)
    return instant + timedelta(microseconds=bool(fraction[6:].strip("0")))


class Month(Reader):
    """A month, as its first day."""

    def read(self, value: object) -> date:
        """`2026-02`."""
        found = MONTH.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise refuse("month", "expected YYYY-MM")
        check_year(int(found[1]), "YYYY-MM")
        return date(int(found[1]), int(found[2]), 1)

    def schema(self) -> Mapping[str, Any]:
        """Text in one form."""
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


class Range(Query):
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
        Granularity,
        Choice({"day": "daily", "week": "weekly", "month": "monthly"}),
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
        """The range as a stretch of time."""
        return Period.until(self.start, self.end)


class OrganizationUsageQuery(Range, OfOrganization):
    """Everybody's usage."""


class TeamUsageQuery(Range, OfTeam):
    """The usage of a team."""


class UserUsageQuery(Range, OfUser):
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


# answers


class CodeCompletions(Answer):
    """What the products that complete code were used for."""

    active_users: int = Field(alias="activeUsers")
    completions: int
    chars_completed: int = Field(alias="charsCompleted")
    keystrokes: int
    lines: int
    automation_factor: float = Field(alias="automationFactor")

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """The part of a tally, and how much of what was written was completed."""
        chars, keys = tally[COMPLETION, "chars_completed"], tally[COMPLETION, "keystrokes"]
        return cls(
            active_users=tally[COMPLETION, USERS],
            completions=tally[COMPLETION, "completions"],
            chars_completed=chars,
            keystrokes=keys,
            lines=tally[COMPLETION, "lines"],
            automation_factor=share(chars, chars + keys),
        )


class Chat(Answer):
    """What the chats were used for."""

    active_users: int = Field(alias="activeUsers")
    interactions: int
    useful_interactions: int = Field(alias="usefulChatInteractions")
    lines: int
    chars_completed: int = Field(alias="charsCompleted")
    chat_consumption_rate: float = Field(alias="chatConsumptionRate")

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """The part of a tally, and how many of the interactions were of use."""
        useful, interactions = tally[CHAT, "useful_interactions"], tally[CHAT, "interactions"]
        return cls(
            active_users=tally[CHAT, USERS],
            interactions=interactions,
            useful_interactions=useful,
            lines=tally[CHAT, "lines"],
            chars_completed=tally[CHAT, "chars_completed"],
            chat_consumption_rate=share(useful, interactions),
        )


class Block(Answer):
    """What was done in a part of the range."""

    start: Timestamp = Field(alias="from")
    end: Timestamp = Field(alias="to")
    active_users: int = Field(alias="activeUsers")
    productivity_factor: float = Field(alias="productivityFactor")
    code_completions: CodeCompletions = Field(alias="codeCompletions")
    chat: Chat

    @classmethod
    def of(cls, period: Period, tally: Tally) -> Self:
        """The published part of a tally; users of both kinds count once."""
        chars = sum(tally[kind, "chars_completed"] for kind in (COMPLETION, CHAT))
        return cls(
            start=format_seconds(period.start),
            end=format_seconds(period.end),
            active_users=tally[ANY, USERS],
            productivity_factor=share(chars, chars + tally[COMPLETION, "keystrokes"]),
            code_completions=CodeCompletions.of(tally),
            chat=Chat.of(tally),
        )


class Blocks(Answer):
    """The range in blocks."""

    granularity: Granularity
    data: list[Block]


class InOrganization(Answer):
    """Of which organization the answer is."""

    organization_id: str = Field(alias="organizationId")


class InTeam(InOrganization):
    """Of which team."""

    team_id: str = Field(alias="teamId")


class InUser(InOrganization):
    """Of which user."""

    user_id: str = Field(alias="userId")


class UsageInBlocks(Answer):
    """Usage over time."""

    start: Timestamp = Field(alias="from")
    end: Timestamp = Field(alias="to")
    usage: Blocks


class OrganizationUsage(UsageInBlocks, InOrganization):
    """Everybody's usage over time."""


class TeamUsage(UsageInBlocks, InTeam):
    """The usage of a team over time."""


class UserUsage(UsageInBlocks, InUser):
    """The usage of one user over time."""


USAGE: Mapping[type[Range], type[UsageInBlocks]] = {
    OrganizationUsageQuery: OrganizationUsage,
    TeamUsageQuery: TeamUsage,
    UserUsageQuery: UserUsage,
}
"""The answer to each query."""


class UtilizationMonth(Answer):
    """The accounts of a month; January is 0."""

    year: int = Field(ge=1, le=9999)
    month: int = Field(ge=0, le=11)
    registered: int
    deactivated: int
    active: int
    pending: int

    @classmethod
    def of(cls, each: Utilization) -> Self:
        """A month as it is published."""
        return cls(
            year=each.month.year,
            month=each.month.month - 1,
            registered=each.registered,
            deactivated=each.deactivated,
            active=each.active,
            pending=each.pending,
        )


class UtilizationMonths(RootModel[list[UtilizationMonth]]):
    """The months, oldest first."""


class TeamUtilization(Answer):
    """The accounts of a team, as they stand now."""

    registered: int
    deactivated: int
    invited: int

    @classmethod
    def of(cls, states: Iterable[State]) -> Self:
        """How many are in which state."""
        held = list(states)
        return cls(**{state: held.count(state) for state in State})


def usage_over_time(
    query: OrganizationUsageQuery | TeamUsageQuery | UserUsageQuery,
    usage: Usage,
    users: Collection[int] | None = None,
) -> Report:
    """What these users, or all of them, did in each block of the range."""
    periods = blocks(query.period, query.granularity)
    series = usage.along(edges(periods), COMPLETION, CHAT)
    pairs = zip(periods, tallies(series, users), strict=True)
    rows = [Block.of(period, tally) for period, tally in pairs]
    page = USAGE[type(query)](
        **query.model_dump(include={"organization_id", "team_id", "user_id"}),
        start=format_seconds(query.start),
        end=format_seconds(query.end),
        usage=Blocks(granularity=query.granularity, data=rows),
    )
    return Report(page, lambda: rows, [query.period], usage.through_ms)


def account_utilizations(
    query: MonthsQuery, directory: Directory, usage: Usage, now: datetime
) -> Report:
    """The accounts month by month, from when the organization began."""
    asked = months(query.start, now) if query.start else months(date.min, now)[-MONTHS_BY_DEFAULT:]
    histories = directory.columns("users", "profile")["history"]
    active = usage.users_by_month(asked[0], asked[-1]) if asked else {}
    first = first_month(directory.organization.created_at, histories, active)
    lived = [month for month in asked if month >= first]
    rows = [UtilizationMonth.of(each) for each in utilization(histories, active, lived, now)]
    began = [
        Period.until(datetime.combine(month, datetime.min.time(), UTC), now) for month in lived
    ]
    return Report(
        UtilizationMonths(rows),
        lambda: rows,
        began[:1],
        usage.through_ms,
        columns=list(UtilizationMonth.model_fields),
        narrowed_by="startDate",
    )


def team_utilization(team: Team, directory: Directory) -> Report:
    """The accounts of a team: states of the directory, which speak of no time."""
    states = directory.columns("users", "roster")["state"]
    answer = TeamUtilization.of(states[user] for user in directory.users_of_team(team.ordinal))
    return Report(answer, lambda: [answer], narrowed_by="teamId")
