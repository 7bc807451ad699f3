"""How many accounts were registered, active, deactivated or pending."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Self

from pydantic import Field, RootModel

from odometer.api.usage_metrics.parameters import MONTHS_BY_DEFAULT, MonthsQuery
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.domain.people import State
from odometer.domain.time import Period
from odometer.reports.utilization import Utilization, first_month, months, utilization
from odometer.services.usage import Usage
from odometer.web.models import Answer
from odometer.web.report import Report


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
        held = list(states)
        return cls(**{state: held.count(state) for state in State})


def account_utilizations(
    query: MonthsQuery, directory: Directory, usage: Usage, now: datetime
) -> Report[UtilizationMonths]:
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
        narrowed_by=("startDate",),
    )


def team_utilization(team: Team, directory: Directory) -> Report[TeamUtilization]:
    """The accounts of a team: states of the directory, which speak of no time."""
    states = directory.columns("users", "roster")["state"]
    answer = TeamUtilization.of(states[user] for user in directory.users_of_team(team.ordinal))
    return Report(answer, lambda: [answer], narrowed_by=("teamId",))
