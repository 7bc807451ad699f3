"""The users of one app, ranked."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import filterfalse
from typing import Annotated

from pydantic import Field

from odometer.api.app_utilization.answers import (
    ComparedDays,
    LastActivity,
    MetricWithDelta,
    UserRef,
)
from odometer.api.app_utilization.app_detail import periods_of
from odometer.api.app_utilization.parameters import (
    Compared,
    Granular,
    OfDepartments,
    Ordered,
    Paged,
)
from odometer.directory.people import Product
from odometer.engine.read.activity import LastActive
from odometer.reports.app_users import AppUsers, UserOrder
from odometer.services.usage import Usage
from odometer.web.cursors import Chain, link_headers, next_cursor, restore_view
from odometer.web.fields import Choice
from odometer.web.models import Answer
from odometer.web.report import Report, columns_of


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


DATES = ("start_date", "end_date")


def app_users(
    query: AppUsersQuery, app: Product, usage: Usage, chain: Chain
) -> Report[AppUsersAnswer]:
    restore_view(chain, usage)
    days, comparison = query.days, query.comparison
    periods = periods_of(query, usage)
    used, *before = usage.of_periods(app.id, periods)
    directory = usage.directory_with([used])
    users = AppUsers.of(used, before[0] if before else None, query.members(directory))
    names = directory.columns("users", "names")
    everyone = users.ranked(query.sort_by, query.sort_order, names["id"], names["username"])
    ranked = list(filterfalse(directory.erased.__contains__, everyone))
    chain = chain.after_erasures(ranked, len(directory.erased))
    page = ranked[chain.row :][: query.page_size]
    following = next_cursor(chain, usage, directory, [app.id], len(page), len(ranked), ranked)

    def rows(shown: Sequence[int]) -> list[AppUserUtilization]:
        return user_rows(users, names, shown, usage.last_active(shown))

    answer = AppUsersAnswer(
        period=ComparedDays.of(days, comparison),
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
        narrowed_by=(*DATES, "department_ids"),
        headers=link_headers(query.deprecation, chain, following),
    )


def user_rows(
    users: AppUsers,
    names: Mapping[str, Sequence[str]],
    shown_users: Iterable[int],
    presence: Mapping[int, LastActive],
) -> list[AppUserUtilization]:
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
