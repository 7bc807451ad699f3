"""The totals of one app."""

from collections.abc import Collection, Sequence

from odometer.api.app_utilization.answers import ComparedDays, MetricWithDelta
from odometer.api.app_utilization.parameters import Compared, Granular, OfDepartments
from odometer.directory.people import Product
from odometer.directory.snapshot import Directory
from odometer.domain import time
from odometer.reports.app_totals import AppTotals, edges_of_days, metrics
from odometer.reports.days import Days
from odometer.services.usage import Usage
from odometer.web.cursors import link_headers
from odometer.web.models import Answer
from odometer.web.report import Report


class AppDetailQuery(OfDepartments, Compared, Granular):
    """The totals of an app."""


class AppDetailAnswer(Answer):
    """The totals of an app in a period."""

    period: ComparedDays
    unique_users: MetricWithDelta
    active_time_ms: MetricWithDelta
    avg_time_ms_per_day: MetricWithDelta
    session_count: MetricWithDelta


def app_detail(
    query: AppDetailQuery, app: Product, usage: Usage, directory: Directory
) -> Report[AppDetailAnswer]:
    among = query.members(directory)
    totals = totals_of(app.id, query, usage, among)
    answer = AppDetailAnswer(
        period=ComparedDays.of(query.days, query.comparison), **published(totals)
    )
    return Report(
        answer,
        lambda: [answer],
        periods_of(query, usage),
        usage.through_ms,
        headers=link_headers(query.deprecation),
    )


def totals_of(
    app: str, query: Compared, usage: Usage, among: Collection[int] | None
) -> list[AppTotals]:
    found = usage.of_periods(app, periods_of(query, usage))
    days = [days_of(app, each, usage, among) for each in spans(query)]
    return [AppTotals.of(used, among, of) for used, of in zip(found, days, strict=True)]


def days_of(app: str, days: Days, usage: Usage, among: Collection[int] | None) -> int:
    """On how many days any of some users used an app.

    Only the days themselves tell, since those of several users are no sum; of all, a projection.
    """
    if among is None:
        used = usage.totals(days.period(usage.zone)).get(app)
        return used.days if used else 0
    daily = usage.series_of(app, edges_of_days(days, usage.zone))
    return len(daily.blocks_used_by(among))


def spans(query: Compared) -> list[Days]:
    """The days that are asked about, and then those to compare with."""
    return [each for each in (query.days, query.comparison) if each]


def periods_of(query: Compared, usage: Usage) -> list[time.Period]:
    return [each.period(usage.zone) for each in spans(query)]


def published(totals: Sequence[AppTotals]) -> dict[str, MetricWithDelta]:
    found = metrics(totals[0], totals[1] if totals[1:] else None)
    return {name: MetricWithDelta.of(metric) for name, metric in found.items()}
