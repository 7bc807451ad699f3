"""One app over time."""

from collections.abc import Collection, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from odometer.api.app_utilization.app_users import DATES
from odometer.api.app_utilization.parameters import Dated, Granular, OfDepartments
from odometer.directory.people import Product
from odometer.directory.snapshot import APP, Directory
from odometer.reports.app_totals import edges, edges_of_days, first_days, sums_of_days
from odometer.reports.blocks import USERS, tally_blocks
from odometer.services.usage import Usage
from odometer.web.cursors import link_headers
from odometer.web.fields import Choice
from odometer.web.models import Answer
from odometer.web.report import Report, columns_of


class ActivityMetric(StrEnum):
    """What can be shown of an app over time."""

    ACTIVE_TIME = "active-time"
    SESSIONS = "session-count"
    USERS = "user-count"


LABELS = {
    ActivityMetric.ACTIVE_TIME: "Active time (ms)",
    ActivityMetric.SESSIONS: "Sessions",
    ActivityMetric.USERS: "Users",
}


MEASURES = {
    ActivityMetric.ACTIVE_TIME: "active_ms",
    ActivityMetric.SESSIONS: "sessions",
    ActivityMetric.USERS: USERS,
}


class AppActivityQuery(OfDepartments, Dated, Granular):
    """One app over time."""

    metric: Annotated[ActivityMetric, Choice()] = Field(
        description="What is counted in each block."
    )


class ActivityDays(Answer):
    """The days that were asked about."""

    start: date
    end: date


class ActivityPoint(Answer):
    """A block by its first day, and its value."""

    date: date
    value: int


class AppActivityAnswer(Answer):
    """One app over a period."""

    metric: ActivityMetric
    label: str
    period: ActivityDays
    data: list[ActivityPoint]


def app_activity(
    query: AppActivityQuery, app: Product, usage: Usage, directory: Directory
) -> Report[AppActivityAnswer]:
    """One app over time: a value for every block, also where nothing was used."""
    firsts = first_days(query.days, query.granularity)
    values = series_of_users(app.id, query, usage, firsts, query.members(directory))
    points = [
        ActivityPoint(date=first, value=value) for first, value in zip(firsts, values, strict=True)
    ]
    answer = AppActivityAnswer(
        metric=query.metric,
        label=LABELS[query.metric],
        period=ActivityDays(start=query.start_date, end=query.end_date),
        data=points,
    )
    return Report(
        answer,
        lambda: points,
        [query.days.period(usage.zone)],
        usage.through_ms,
        columns=columns_of(ActivityPoint),
        narrowed_by=DATES,
        headers=link_headers(query.deprecation),
    )


def series_of_users(
    app: str,
    query: AppActivityQuery,
    usage: Usage,
    firsts: Sequence[date],
    among: Collection[int] | None,
) -> list[int]:
    """A value for every block.

    Sums of everybody are a row of a projection: all its days weigh less than readings at the edges.
    """
    measure, days = MEASURES[query.metric], query.days
    if among is None and measure != USERS:
        daily = usage.totals_in_blocks(app, edges_of_days(days, usage.zone))
        return sums_of_days([used[measure] for used in daily], firsts, days)
    series = usage.series_of(app, edges(firsts, days, usage.zone))
    return [tally[APP, measure] for tally in tally_blocks(series, among)]
