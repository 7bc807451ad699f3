"""The users of a client on the wire: all of them, one, and what one has used of every product."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from odometer.api.app_utilization import (
    CURSOR,
    LONGEST_CURSOR,
    Dated,
    LastActivity,
    OfDepartments,
    Period,
    Searched,
    Strict,
    UserRef,
    begin,
    columns_of,
    headers_of,
    next_page,
)
from odometer.api.cursors import Chain
from odometer.api.fields import Choice, Text, Whole
from odometer.api.models import Answer, Timestamp
from odometer.api.reports import Report
from odometer.directory.people import User
from odometer.directory.snapshot import Directory
from odometer.domain.kinds import KINDS
from odometer.domain.time import format_millis, instant_of_ms
from odometer.readings.presence import Presence
from odometer.reports.order import Direction
from odometer.reports.people import PersonOrder, finder, listed
from odometer.storage.usage import Usage

LARGEST_PAGE = 500


class UsersQuery(OfDepartments, Searched):
    """The users of the client, in order."""

    sort_by: Annotated[PersonOrder, Choice()] = Field(
        PersonOrder.USERNAME, description="By what users are sorted."
    )
    sort_order: Annotated[Direction, Choice()] = Field(
        Direction.ASCENDING, description="Smallest first, or largest first."
    )
    page_size: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(100, description="Users on a page.")
    cursor: Annotated[str, Text(LONGEST_CURSOR)] | None = Field(None, description=CURSOR)


class DepartmentRef(Answer):
    """Which department."""

    id: str
    name: str


class UserAnswer(Answer):
    """A user as the directory knows them."""

    id: str
    username: str
    user_key: str
    last_activity: LastActivity
    departments: list[DepartmentRef]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, user: User, presence: Presence, directory: Directory) -> "UserAnswer":
        """The published part of a user."""
        departments = [directory.departments[number] for number in user.departments]
        return cls(
            id=user.id,
            username=user.username,
            user_key=user.user_key,
            last_activity=LastActivity.of(presence),
            departments=[DepartmentRef(id=each.id, name=each.name) for each in departments],
            created_at=format_millis(instant_of_ms(user.created_at)),
            updated_at=format_millis(instant_of_ms(user.updated_at)),
        )


class UsersAnswer(Answer):
    """A page of the users."""

    data: list[UserAnswer]
    total_count: int
    next_cursor: str | None


def users(query: UsersQuery, usage: Usage, chain: Chain) -> Report:
    """The users of the client: a page as JSON, or all of them."""
    begin(chain, usage)
    directory = usage.directory
    everyone = range(directory.head.sizes["users"])
    seen = usage.was_active(everyone) if query.sort_by is PersonOrder.LAST_ACTIVITY else {}
    found = finder(query.q, query.members(directory))
    ranked = listed(directory.users, found, seen, query.sort_by, query.sort_order)
    ordinals = [user.ordinal for user in ranked]
    chain = chain.among(ordinals, len(directory.erased))
    page = ranked[chain.row :][: query.page_size]
    following = next_page(chain, usage, directory, [], len(page), len(ranked), ordinals)

    def rows(shown: Sequence[User]) -> list[UserAnswer]:
        presence = usage.last_active([user.ordinal for user in shown])
        return [UserAnswer.of(user, presence[user.ordinal], directory) for user in shown]

    answer = UsersAnswer(data=rows(page), total_count=len(ranked), next_cursor=following)
    return Report(
        answer,
        lambda: rows(ranked),
        columns=columns_of(UserAnswer),
        narrowed_by="q, department_ids",
        headers=headers_of(query.deprecation, chain, following),
    )


class NothingAsked(Strict):
    """No parameters."""


def one_user(user: User, usage: Usage) -> Report:
    """One user of the client."""
    presence = usage.last_active([user.ordinal])
    answer = UserAnswer.of(user, presence[user.ordinal], usage.directory)
    return Report(answer, lambda: [answer])


class PersonUsageQuery(Dated):
    """What one user has used."""


class ProductRef(Answer):
    """Which product, and of which kind."""

    id: str
    name: str
    kind: str


class ProductUsage(Answer):
    """What a user has used of a product."""

    product: ProductRef
    measures: dict[str, int]
    days_active: int


MEASURES = dict.fromkeys(measure for kind in KINDS.values() for measure in kind.measures)
USAGE_COLUMNS = [
    *columns_of(ProductRef, "product."),
    *(f"measures.{measure}" for measure in MEASURES),
    "days_active",
]
"""The same for everybody, whatever they have used."""


class PersonUsageAnswer(Answer):
    """One user across all products."""

    period: Period
    user: UserRef
    products: list[ProductUsage]


def person_usage(query: PersonUsageQuery, user: User, usage: Usage) -> Report:
    """What one user has used of every product of every kind; days are those of the client."""
    period = query.days.period(usage.zone)
    names = {product.id: product.name for product in usage.directory.products}
    products = [
        ProductUsage(
            product=ProductRef(
                id=used.product.id,
                name=names.get(used.product.id, used.product.id),
                kind=used.product.kind.name,
            ),
            measures=dict(used.measures),
            days_active=used.days,
        )
        for used in usage.of_person(user.ordinal, period)
    ]
    presence = usage.last_active([user.ordinal])[user.ordinal]
    who = UserRef(
        id=user.id,
        username=user.username,
        user_key=user.user_key,
        last_activity=LastActivity.of(presence),
    )
    answer = PersonUsageAnswer(period=Period.of(query.days), user=who, products=products)
    return Report(
        answer,
        lambda: products,
        [period],
        usage.through_ms,
        columns=USAGE_COLUMNS,
        narrowed_by="start_date, end_date",
    )
