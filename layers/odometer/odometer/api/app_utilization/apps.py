"""The apps of a client, ranked."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from odometer.api.app_utilization.answers import ComparedDays, MetricWithDelta
from odometer.api.app_utilization.app_detail import periods_of, published, totals_of
from odometer.api.app_utilization.app_users import DATES
from odometer.api.app_utilization.parameters import Compared, Ordered, Paged, Searched
from odometer.directory.people import Product
from odometer.engine.format.products import TOTALS
from odometer.engine.read.projections import RowUsage
from odometer.reports.ranking import Key, in_order
from odometer.services.usage import Usage
from odometer.web.cursors import Chain, link_headers, next_cursor, restore_view
from odometer.web.fields import Choice
from odometer.web.models import Answer
from odometer.web.report import Report, columns_of


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
    directory = usage.directory
    used = usage.totals(query.days.period(usage.zone))
    ranked = ranked_apps([app for app in directory.apps if app.id in used], used, query)
    page = ranked[chain.row :][: query.page_size]
    products = [TOTALS.id, *(app.id for app in directory.apps)]
    following = next_cursor(chain, usage, directory, products, len(page), len(ranked))
    answer = AppsAnswer(
        period=ComparedDays.of(query.days, query.comparison),
        data=app_rows(page, query, usage),
        total_count=len(ranked),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: app_rows(ranked, query, usage),
        periods_of(query, usage),
        usage.through_ms,
        columns=columns_of(RankedApp),
        narrowed_by=(*DATES, "q"),
        headers=link_headers({}, chain, following),
    )


def app_rows(shown: Iterable[Product], query: AppsQuery, usage: Usage) -> list[RankedApp]:
    """Apps with their totals; who is distinct among their users, only their own frames tell."""
    return [
        RankedApp(
            app=AppRef(id=app.id, name=app.name), **published(totals_of(app.id, query, usage, None))
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
