"""Usage in blocks of time, and how many accounts were registered, active or deactivated."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Self, TypeVar

from pydantic import Field, RootModel

from odometer.api.usage_metrics.family import (
    MONTHS_BY_DEFAULT,
    MonthsQuery,
    OrganizationUsageQuery,
    TeamUsageQuery,
    UserUsageQuery,
)
from odometer.directory.snapshot import Directory
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, format_seconds
from odometer.engine.format.groups import Members
from odometer.reports.blocks import ANY, USERS, Granularity, Tally, blocks, edges, tally_blocks
from odometer.reports.figures import share
from odometer.reports.utilization import Utilization, first_month, months, utilization
from odometer.services.usage import Usage
from odometer.web.models import Answer, Timestamp
from odometer.web.report import Report

COMPLETION, CHAT = "completion", "chat"


def counted(tally: Tally, kind: str) -> dict[str, int]:
    """The users and the measures of a kind, by the names of the fields that show them."""
    measures = {name: tally[kind, name] for name in KINDS[kind].measures}
    return {"active_users": tally[kind, USERS], **measures}


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
        chars, keys = tally[COMPLETION, "chars_completed"], tally[COMPLETION, "keystrokes"]
        return cls(**counted(tally, COMPLETION), automation_factor=share(chars, chars + keys))


class ChatUsage(Answer):
    """What the chats were used for."""

    active_users: int = Field(alias="activeUsers")
    interactions: int
    useful_interactions: int = Field(alias="usefulChatInteractions")
    lines: int
    chars_completed: int = Field(alias="charsCompleted")
    chat_consumption_rate: float = Field(alias="chatConsumptionRate")

    @classmethod
    def of(cls, tally: Tally) -> Self:
        useful, interactions = tally[CHAT, "useful_interactions"], tally[CHAT, "interactions"]
        return cls(**counted(tally, CHAT), chat_consumption_rate=share(useful, interactions))


class Block(Answer):
    """What was done in a part of the range."""

    start: Timestamp = Field(alias="from")
    end: Timestamp = Field(alias="to")
    active_users: int = Field(alias="activeUsers")
    productivity_factor: float = Field(alias="productivityFactor")
    code_completions: CodeCompletions = Field(alias="codeCompletions")
    chat: ChatUsage

    @classmethod
    def of(cls, period: Period, tally: Tally) -> Self:
        chars = sum(tally[kind, "chars_completed"] for kind in (COMPLETION, CHAT))
        return cls(
            start=format_seconds(period.start),
            end=format_seconds(period.end),
            active_users=tally[ANY, USERS],
            productivity_factor=share(chars, chars + tally[COMPLETION, "keystrokes"]),
            code_completions=CodeCompletions.of(tally),
            chat=ChatUsage.of(tally),
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


class OrganizationUsageAnswer(UsageInBlocks, InOrganization):
    """Everybody's usage over time."""


class TeamUsageAnswer(UsageInBlocks, InTeam):
    """The usage of a team over time."""


class UserUsageAnswer(UsageInBlocks, InUser):
    """The usage of one user over time."""


InBlocks = TypeVar("InBlocks", bound=UsageInBlocks)


def usage_over_time(
    answer: type[InBlocks],
    query: OrganizationUsageQuery | TeamUsageQuery | UserUsageQuery,
    usage: Usage,
    users: Collection[int] | None = None,
    members: Members | None = None,
) -> Report[InBlocks]:
    periods = blocks(query.period, query.granularity)
    series = usage.series_of_kinds(edges(periods), users, members, COMPLETION, CHAT)
    pairs = zip(periods, tally_blocks(series, users), strict=True)
    rows = [Block.of(period, tally) for period, tally in pairs]
    page = answer(
        **query.model_dump(include={"organization_id", "team_id", "user_id"}),
        start=format_seconds(query.start),
        end=format_seconds(query.end),
        usage=Blocks(granularity=query.granularity, data=rows),
    )
    return Report(page, lambda: rows, [query.period], usage.through_ms)


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
        return cls.showing(each, year=each.month.year, month=each.month.month - 1)


class UtilizationMonths(RootModel[list[UtilizationMonth]]):
    """The months, oldest first."""


class TeamUtilization(Answer):
    """The accounts of a team, as they stand now."""

    registered: int
    deactivated: int
    invited: int


def account_utilizations(
    query: MonthsQuery, directory: Directory, usage: Usage, now: datetime
) -> Report[UtilizationMonths]:
    """Every month up to the present one, as of its end or as of now."""
    asked = months(query.start, now) if query.start else months(date.min, now)[-MONTHS_BY_DEFAULT:]
    active = usage.users_by_month(asked[0], asked[-1]) if asked else {}
    first = first_month(directory.organization.created_at, directory.histories(), active)
    lived = [month for month in asked if month >= first]
    rows = [
        UtilizationMonth.of(each) for each in utilization(directory.histories(), active, lived, now)
    ]
    began = [Period(datetime.combine(month, datetime.min.time(), UTC), now) for month in lived]
    return Report(
        UtilizationMonths(rows),
        lambda: rows,
        began[:1],
        usage.through_ms,
        columns=list(UtilizationMonth.model_fields),
        narrowed_by=("startDate",),
    )
