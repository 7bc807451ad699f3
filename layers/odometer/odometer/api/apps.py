"""Apps on the wire: their users, their totals, their course, and all of them ranked."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import filterfalse
from typing import Annotated

from pydantic import Field

from odometer.api.app_utilization import (
    Compared,
    Dated,
    Granular,
    LastActivity,
    MetricWithDelta,
    OfDepartments,
    Ordered,
    Paged,
    Period,
    Searched,
    UserRef,
    begin,
    columns_of,
    headers_of,
    next_page,
)
from odometer.api.cursors import Chain
from odometer.api.fields import Choice
from odometer.api.models import Answer
from odometer.api.reports import Report
from odometer.directory.people import Product
from odometer.directory.snapshot import APP, Directory
from odometer.domain import time
from odometer.readings.decisions import TOTALS
from odometer.readings.presence import Presence
from odometer.readings.projections import RowUsage
from odometer.reports.app_totals import (
    AppTotals,
    days_used,
    edges,
    every_day,
    metrics,
    stretches,
    sums,
)
from odometer.reports.app_users import AppUsers, UserOrder
from odometer.reports.days import Days
from odometer.reports.order import Key, in_order
from odometer.reports.series import USERS, tallies
from odometer.storage.usage import Usage


class AppUsersQuery(Paged, Ordered, OfDepartments, Compared, Granular):
    """The users of an app, in order."""

    sort_by: Annotated[UserOrder, Choice()] = Field(
        UserOrder.TIME, description="By what users are ranked."
    )


class AppUserUtilization(Answer):
    """How much one user used one app."""

    user: UserRef
    avg_time_ms_per_day: MetricWithDelta
    days_active: int


class AppUsersAnswer(Answer):
    """A page of the users of an app."""

    period: Period
    data: list[AppUserUtilization]
    total_count: int
    next_cursor: str | None


DATES = "start_date, end_date"


def app_users(query: AppUsersQuery, app: Product, usage: Usage, chain: Chain) -> Report:
    """The users of one app, ranked: a page as JSON, or all of them."""
    begin(chain, usage)
    days, comparison = query.days, query.comparison
    periods = periods_of(query, usage)
    used, *before = usage.of_periods(app.id, periods)
    directory = usage.directory_with([used])
    users = AppUsers.of(used, before[0] if before else None, query.members(directory))
    names = directory.columns("users", "names")
    everyone = users.ranked(query.sort_by, query.sort_order, names["id"], names["username"])
    ranked = list(filterfalse(directory.erased.__contains__, everyone))
    chain = chain.among(ranked, len(directory.erased))
    page = ranked[chain.row :][: query.page_size]
    following = next_page(chain, usage, directory, [app.id], len(page), len(ranked), ranked)

    def rows(shown: Sequence[int]) -> list[AppUserUtilization]:
        return user_rows(users, names, shown, usage.last_active(shown))

    answer = AppUsersAnswer(
        period=Period.of(days, comparison),
        data=rows(page),
        total_count=len(ranked),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: rows(ranked),
        periods,
        usage.through_ms,
        columns=columns_of(AppUserUtilization),
        narrowed_by=f"{DATES}, department_ids",
        headers=headers_of(query.deprecation, chain, following),
    )


def user_rows(
    users: AppUsers,
    names: Mapping[str, Sequence[str]],
    shown_users: Iterable[int],
    presence: Mapping[int, Presence],
) -> list[AppUserUtilization]:
    """Users with their names and figures."""
    return [
        AppUserUtilization(
            user=UserRef(
                **{name: names[name][user] for name in ("id", "username", "user_key")},
                last_activity=LastActivity.of(presence[user]),
            ),
            avg_time_ms_per_day=MetricWithDelta.of(users.time(user)),
            days_active=users.days[user],
        )
        for user in shown_users
    ]


class AppDetailQuery(OfDepartments, Compared, Granular):
    """The totals of an app."""


class AppDetailAnswer(Answer):
    """The totals of an app in a period."""

    period: Period
    unique_users: MetricWithDelta
    active_time_ms: MetricWithDelta
    avg_time_ms_per_day: MetricWithDelta
    session_count: MetricWithDelta


def app_detail(query: AppDetailQuery, app: Product, usage: Usage, directory: Directory) -> Report:
    """The totals of one app, of all users or of some departments."""
    among = query.members(directory)
    totals = totals_of(app.id, query, usage, among)
    answer = AppDetailAnswer(period=Period.of(query.days, query.comparison), **published(totals))
    return Report(
        answer,
        lambda: [answer],
        periods_of(query, usage),
        usage.through_ms,
        headers=headers_of(query.deprecation),
    )


def totals_of(
    app: str, query: Compared, usage: Usage, among: Collection[int] | None
) -> list[AppTotals]:
    """What some users of an app come to, and what in the comparison period if there is one."""
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
    return days_used(usage.course(app, edges(every_day(days), days, usage.zone)), among)


def spans(query: Compared) -> list[Days]:
    """The days that are asked about, and then those to compare with."""
    return [each for each in (query.days, query.comparison) if each]


def periods_of(query: Compared, usage: Usage) -> list[time.Period]:
    """The same as instants."""
    return [each.period(usage.zone) for each in spans(query)]


def published(totals: Sequence[AppTotals]) -> dict[str, MetricWithDelta]:
    """Totals, beside those of the comparison period if there is one."""
    found = metrics(totals[0], totals[1] if totals[1:] else None)
    return {name: MetricWithDelta.of(metric) for name, metric in found.items()}


class ActivityMetric(StrEnum):
    """What the course of an app can show."""

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
    """The course of an app."""

    metric: Annotated[ActivityMetric, Choice()] = Field(
        description="What is counted in each stretch."
    )


class Span(Answer):
    """The days that were asked about."""

    start: date
    end: date


class Point(Answer):
    """A stretch by its first day, and what it comes to."""

    date: date
    value: int


class AppActivityAnswer(Answer):
    """The course of an app over a period."""

    metric: ActivityMetric
    label: str
    period: Span
    data: list[Point]


def app_activity(
    query: AppActivityQuery, app: Product, usage: Usage, directory: Directory
) -> Report:
    """The course of one app: a value for every stretch, also where nothing was used."""
    firsts = stretches(query.days, query.granularity)
    values = course_of(app.id, query, usage, firsts, query.members(directory))
    points = [Point(date=first, value=value) for first, value in zip(firsts, values, strict=True)]
    answer = AppActivityAnswer(
        metric=query.metric,
        label=LABELS[query.metric],
        period=Span(start=query.start_date, end=query.end_date),
        data=points,
    )
    return Report(
        answer,
        lambda: points,
        [query.days.period(usage.zone)],
        usage.through_ms,
        columns=columns_of(Point),
        narrowed_by=DATES,
        headers=headers_of(query.deprecation),
    )


def course_of(
    app: str,
    query: AppActivityQuery,
    usage: Usage,
    firsts: Sequence[date],
    among: Collection[int] | None,
) -> list[int]:
    """A value for every stretch.

    Sums of everybody are a row of a projection: all its days weigh less than readings at the edges.
    """
    measure, days = MEASURES[query.metric], query.days
    if among is None and measure != USERS:
        daily = usage.totals_along(app, edges(every_day(days), days, usage.zone))
        return sums([used[measure] for used in daily], firsts, days)
    series = usage.course(app, edges(firsts, days, usage.zone))
    return [tally[APP, measure] for tally in tallies(series, among)]


class AppOrder(StrEnum):
    """By what apps can be ranked."""

    ACTIVE_TIME = "active_time"
    SESSIONS = "session_count"
    NAME = "name"


class AppsQuery(Paged, Ordered, Searched, Compared):
    """The apps of the client, in order."""

    sort_by: Annotated[AppOrder, Choice()] = Field(
        AppOrder.ACTIVE_TIME, description="By what apps are ranked."
    )


class AppRef(Answer):
    """Which app."""

    id: str
    name: str


class AppRow(Answer):
    """The totals of one app."""

    app: AppRef
    unique_users: MetricWithDelta
    active_time_ms: MetricWithDelta
    avg_time_ms_per_day: MetricWithDelta
    session_count: MetricWithDelta


class AppsAnswer(Answer):
    """A page of the apps."""

    period: Period
    data: list[AppRow]
    total_count: int
    next_cursor: str | None


def apps(query: AppsQuery, usage: Usage, chain: Chain) -> Report:
    """The apps that were used, ranked: a page as JSON, or all of them."""
    begin(chain, usage)
    directory = usage.directory
    used = usage.totals(query.days.period(usage.zone))
    ranked = ranked_apps([app for app in directory.apps if app.id in used], used, query)
    page = ranked[chain.row :][: query.page_size]
    products = [TOTALS, *(app.id for app in directory.apps)]
    following = next_page(chain, usage, directory, products, len(page), len(ranked))
    answer = AppsAnswer(
        period=Period.of(query.days, query.comparison),
        data=app_rows(page, query, usage),
        total_count=len(ranked),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: app_rows(ranked, query, usage),
        periods_of(query, usage),
        usage.through_ms,
        columns=columns_of(AppRow),
        narrowed_by=f"{DATES}, q",
        headers=headers_of({}, chain, following),
    )


def app_rows(shown: Iterable[Product], query: AppsQuery, usage: Usage) -> list[AppRow]:
    """Apps with their totals; who is distinct among their users, only their own frames tell."""
    return [
        AppRow(
            app=AppRef(id=app.id, name=app.name),
            **published(totals_of(app.id, query, usage, None)),
        )
        for app in shown
    ]


def ranked_apps(
    found: Iterable[Product], used: Mapping[str, RowUsage], query: AppsQuery
) -> list[Product]:
    """Apps whose names have the words, in order, equal ones by id."""
    keys: Mapping[AppOrder, Callable[[Product], Key]] = {
        AppOrder.ACTIVE_TIME: lambda app: used[app.id].measures["active_ms"],
        AppOrder.SESSIONS: lambda app: used[app.id].measures["sessions"],
        AppOrder.NAME: lambda app: app.name.casefold(),
    }
    words = query.q.casefold()
    named = (app for app in found if words in app.name.casefold())
    by_id = sorted(named, key=lambda app: app.id)
    return in_order(by_id, keys[query.sort_by], query.sort_order)
