"""The apps of a client, ranked, and one of them: its totals, its users, its course over time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from odometer.api.app_utilization.family import (
    Compared,
    ComparedDays,
    Dated,
    Granular,
    LastActivity,
    MetricWithDelta,
    OfDepartments,
    Ordered,
    Paged,
    Searched,
    UserRef,
)
from odometer.directory.people import Product
from odometer.directory.snapshot import APP, Directory
from odometer.domain import time
from odometer.engine.format.products import TOTALS
from odometer.engine.read.latest import LastActive
from odometer.engine.read.projections import RowUsage
from odometer.reports.apps import (
    AppTotals,
    AppUsers,
    Days,
    UserOrder,
    edges,
    edges_of_days,
    first_days,
    metrics,
    sums_of_days,
)
from odometer.reports.blocks import USERS, tally_blocks
from odometer.reports.ranking import Key, in_order
from odometer.services.usage import Usage
from odometer.web.cursors import USERS_NAMED, Chain, link_headers, next_cursor, restore_view
from odometer.web.fields import Choice
from odometer.web.models import Answer
from odometer.web.report import Report, columns_of

DATES = ("start_date", "end_date")
AT_ONCE = 8
"""Of so many apps what everybody has used may be in memory together."""
TotalsAhead = Mapping[str, Future[list[AppTotals]]]
"""By app, totals that are being read."""


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
    among, periods = query.members(directory), periods_of(query, usage)
    usage.expect_totals(periods if among is None else ())
    days = [
        usage.tasks.begin(partial(days_of, app.id, each, usage, among)).result
        for each in spans(query)
    ]
    totals = totals_of(app.id, periods, usage, among, days)
    answer = AppDetailAnswer(
        period=ComparedDays.of(query.days, query.comparison), **published(totals)
    )
    return Report(
        answer,
        lambda: [answer],
        periods,
        usage.through_ms,
        headers=link_headers(query.deprecation),
    )


def totals_of(
    app: str,
    periods: Sequence[time.Period],
    usage: Usage,
    among: Collection[int] | None,
    days: Iterable[Callable[[], int]],
) -> list[AppTotals]:
    found = usage.of_periods(app, periods)
    return [AppTotals.of(used, among, of()) for used, of in zip(found, days, strict=True)]


def days_of(app: str, days: Days, usage: Usage, among: Collection[int] | None) -> int:
    """On how many days any of some users used an app.

    Strips tell, since the days of several users are no sum; of all, a projection.
    """
    if among is None:
        used = usage.totals(days.period(usage.zone)).get(app)
        return used.days if used else 0
    daily = usage.series_of(app, edges_of_days(days, usage.zone))
    return len(daily.blocks_used_by(among))


def spans(query: Compared) -> list[Days]:
    return [each for each in (query.days, query.comparison) if each]


def periods_of(query: Compared, usage: Usage) -> list[time.Period]:
    return [each.period(usage.zone) for each in spans(query)]


def published(totals: Sequence[AppTotals]) -> dict[str, MetricWithDelta]:
    return {name: MetricWithDelta.of(metric) for name, metric in metrics(*totals).items()}


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


class RankedApp(Answer):
    """The totals of one app."""

    app: AppRef
    unique_users: MetricWithDelta
    active_time_ms: MetricWithDelta
    avg_time_ms_per_day: MetricWithDelta
    session_count: MetricWithDelta


class AppsAnswer(Answer):
    """A page of the apps."""

    period: ComparedDays
    data: list[RankedApp]
    total_count: int
    next_cursor: str | None


def apps(query: AppsQuery, usage: Usage, chain: Chain) -> Report[AppsAnswer]:
    restore_view(chain, usage)
    directory, periods = usage.directory, periods_of(query, usage)
    usage.expect_totals(periods)
    named = [app for app in directory.apps if query.q.casefold() in app.name.casefold()]
    are_few = len(named) <= min(query.page_size, AT_ONCE)
    ahead = begin_totals(named, query, usage) if are_few else {}
    used = usage.totals(periods[0])
    ranked = ranked_apps([app for app in named if app.id in used], used, query)
    page = ranked[chain.row :][: query.page_size]
    products = [TOTALS.id, *(app.id for app in directory.apps)]
    following = next_cursor(chain, usage, directory, products, len(page), len(ranked))
    answer = AppsAnswer(
        period=ComparedDays.of(query.days, query.comparison),
        data=list(app_rows(page, query, usage, ahead)),
        total_count=len(ranked),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: app_rows(ranked, query, usage, ahead),
        periods,
        usage.through_ms,
        columns=columns_of(RankedApp),
        narrowed_by=(*DATES, "q"),
        headers=link_headers({}, chain, following),
    )


def app_rows(
    shown: Sequence[Product], query: AppsQuery, usage: Usage, ahead: TotalsAhead
) -> Iterator[RankedApp]:
    """Apps with their totals; who is distinct among their users, only their own frames tell."""
    for some in (shown[first:][:AT_ONCE] for first in range(0, len(shown), AT_ONCE)):
        begun = ahead or begin_totals(some, query, usage)
        for app in some:
            totals = begun[app.id].result()
            yield RankedApp(app=AppRef.showing(app), **published(totals))


def begin_totals(apps: Iterable[Product], query: AppsQuery, usage: Usage) -> TotalsAhead:
    """The totals of some apps are read at once; those by day have been asked for before."""
    periods = periods_of(query, usage)

    def totals(app: str) -> list[AppTotals]:
        days = [partial(days_of, app, each, usage, None) for each in spans(query)]
        return totals_of(app, periods, usage, None, days)

    return {app.id: usage.tasks.begin(partial(totals, app.id)) for app in apps}


def ranked_apps(
    found: Iterable[Product], used: Mapping[str, RowUsage], query: AppsQuery
) -> list[Product]:
    keys: Mapping[AppOrder, Callable[[Product], Key]] = {
        AppOrder.ACTIVE_TIME: lambda app: used[app.id].measures["active_ms"],
        AppOrder.SESSIONS: lambda app: used[app.id].measures["sessions"],
        AppOrder.NAME: lambda app: app.name.casefold(),
    }
    by_id = sorted(found, key=lambda app: app.id)
    return in_order(by_id, keys[query.sort_by], query.sort_order)


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

    period: ComparedDays
    data: list[AppUserUtilization]
    total_count: int
    next_cursor: str | None


def app_users(
    query: AppUsersQuery, app: Product, usage: Usage, chain: Chain
) -> Report[AppUsersAnswer]:
    restore_view(chain, usage)
    usage.expect_last_active()
    days, comparison = query.days, query.comparison
    periods = periods_of(query, usage)
    used, *before = usage.of_periods(app.id, periods)
    directory = usage.directory_with([used])
    asked = used.among(query.members(directory), directory.erased)
    users = AppUsers(used, before[0] if before else None, asked)
    ranked = users.ranked(query.sort_by, query.sort_order, directory)
    chain = chain.after_erasures(ranked, len(directory.erased))
    ahead = ranked.part(slice(chain.row, chain.row + query.page_size + USERS_NAMED))
    page, ahead = ahead[: query.page_size], ahead[query.page_size :]
    following = next_cursor(chain, usage, directory, [app.id], len(page), len(ranked), ahead)

    def rows(shown: Sequence[int]) -> list[dict[str, Any]]:
        return user_rows(users, directory, shown, usage.last_active(shown))

    content = {
        "period": ComparedDays.of(days, comparison),
        "data": rows(page),
        "total_count": len(ranked),
        "next_cursor": following,
    }
    return Report(
        AppUsersAnswer.model_validate(content),
        lambda: map(AppUserUtilization.model_validate, rows(list(ranked))),
        periods,
        usage.through_ms,
        columns=columns_of(AppUserUtilization),
        narrowed_by=(*DATES, "department_ids"),
        headers=link_headers(query.deprecation, chain, following),
    )


def user_rows(
    users: AppUsers,
    directory: Directory,
    shown_users: Sequence[int],
    presence: Mapping[int, LastActive],
) -> list[dict[str, Any]]:
    """The rows of some users, of which models are made all at once: that takes half of the time."""
    times, days = users.times(shown_users), users.used.days_active
    return [
        {
            "user": {**names, "last_activity": LastActivity.content(presence[user])},
            "avg_time_ms_per_day": MetricWithDelta.content(times[user]),
            "days_active": days[user],
        }
        for user, names in zip(shown_users, directory.names_at(shown_users), strict=True)
    ]


class ActivityMetric(StrEnum):
    """What can be shown of an app over time."""

    ACTIVE_TIME = "active-time"
    SESSIONS = "session-count"
    USERS = "user-count"


LABELS_AND_MEASURES = {
    ActivityMetric.ACTIVE_TIME: ("Active time (ms)", "active_ms"),
    ActivityMetric.SESSIONS: ("Sessions", "sessions"),
    ActivityMetric.USERS: ("Users", USERS),
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
    label, _ = LABELS_AND_MEASURES[query.metric]
    values = series_of_users(app.id, query, usage, firsts, directory)
    points = [
        ActivityPoint(date=first, value=value) for first, value in zip(firsts, values, strict=True)
    ]
    answer = AppActivityAnswer(
        metric=query.metric,
        label=label,
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
    directory: Directory,
) -> list[int]:
    """A value for every block.

    Sums of everybody are a row of a projection, and how many users there were is in strips.
    """
    among = query.members(directory)
    days, (_, measure) = query.days, LABELS_AND_MEASURES[query.metric]
    if among is None and measure != USERS:
        daily = usage.totals_in_blocks(app, edges_of_days(days, usage.zone))
        return sums_of_days([used[measure] for used in daily], firsts, days)
    ends = edges(firsts, days, usage.zone)
    series = usage.series_of(app, ends, query.groups(directory))
    if among is not None and measure == USERS:
        return series.users_in_blocks(among)
    return [tally[APP, measure] for tally in tally_blocks(series, among)]
