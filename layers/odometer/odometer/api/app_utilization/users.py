"""The users of a client: a list, one of them, and what one of them has used."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from odometer.api.app_utilization.family import (
    ComparedDays,
    Dated,
    LastActivity,
    OfDepartments,
    Searched,
    UserRef,
)
from odometer.directory.people import User
from odometer.directory.snapshot import Directory
from odometer.domain.kinds import KINDS, Kind
from odometer.domain.time import format_millis, instant_of_ms
from odometer.engine.read.latest import LastActive
from odometer.engine.read.projections import RowUsage
from odometer.reports.ranking import Direction, PersonOrder, is_called, list_users
from odometer.services.usage import Usage
from odometer.web.cursors import Chain, CursorParameter, link_headers, next_cursor, restore_view
from odometer.web.exact import Figure, as_exact_json, number
from odometer.web.fields import Choice, Whole
from odometer.web.models import Answer, Strict, Timestamp
from odometer.web.report import Report, columns_of

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
    cursor: CursorParameter = None


class DepartmentRef(Answer):
    """Which department."""

    id: str
    name: str


class ClientUser(Answer):
    """A user as the directory knows them."""

    id: str
    username: str
    user_key: str
    last_activity: LastActivity
    departments: list[DepartmentRef]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, user: User, presence: LastActive, directory: Directory) -> "ClientUser":
        departments = [directory.departments[number] for number in user.departments]
        return cls.showing(
            user,
            last_activity=LastActivity.of(presence),
            departments=[DepartmentRef.showing(each) for each in departments],
            created_at=format_millis(instant_of_ms(user.created_at)),
            updated_at=format_millis(instant_of_ms(user.updated_at)),
        )


class UsersAnswer(Answer):
    """A page of the users."""

    data: list[ClientUser]
    total_count: int
    next_cursor: str | None


def users(query: UsersQuery, usage: Usage, chain: Chain) -> Report[UsersAnswer]:
    restore_view(chain, usage)
    usage.expect_last_active()
    directory = usage.directory
    everyone = range(directory.head.sizes["users"])
    found = usage.tasks.begin(partial(asked_users, query, directory))
    seen = usage.was_active(everyone) if query.sort_by is PersonOrder.LAST_ACTIVITY else {}
    ranked = list_users(found.result(), seen, query.sort_by, query.sort_order)
    ordinals = [user.ordinal for user in ranked]
    chain = chain.after_erasures(ordinals, len(directory.erased))
    page = ranked[chain.row :][: query.page_size]
    ahead = ordinals[chain.row + len(page) :]
    following = next_cursor(chain, usage, directory, [], len(page), len(ranked), ahead)

    def rows(shown: Sequence[User]) -> list[ClientUser]:
        presence = usage.last_active([user.ordinal for user in shown])
        return [ClientUser.of(user, presence[user.ordinal], directory) for user in shown]

    answer = UsersAnswer(data=rows(page), total_count=len(ranked), next_cursor=following)
    return Report(
        answer,
        lambda: rows(ranked),
        columns=columns_of(ClientUser),
        narrowed_by=("q", "department_ids"),
        headers=link_headers(query.deprecation, chain, following),
    )


def asked_users(query: UsersQuery, directory: Directory) -> list[User]:
    """The users who are asked about, with the departments that will be shown of them."""
    directory.load("departments")
    among = query.members(directory)
    asked = (user for user in directory.users if among is None or user.ordinal in among)
    return [user for user in asked if is_called(user, query.q)]


class NothingAsked(Strict):
    """No parameters."""


class PersonUsageQuery(Dated):
    """What one user has used."""


class ProductRef(Answer):
    """Which product, and of which kind."""

    id: str
    name: str
    kind: str


class PersonProductUsage(Answer):
    """What a user has used of a product."""

    product: ProductRef
    measures: dict[str, Figure]
    days_active: int
    _kind: Kind = PrivateAttr()

    @classmethod
    def of(cls, used: RowUsage, name: str) -> Self:
        product = ProductRef(id=used.product.id, name=name, kind=used.product.kind.name)
        shown = cls(product=product, measures=dict(used.measures), days_active=used.days)
        shown._kind = used.product.kind
        return shown

    @property
    def content(self) -> dict[str, Any]:
        """As it is shown: measures in their decimals."""
        measures = {
            each.name: number(self.measures[each.name], each.decimals)
            for each in self._kind.described
            if each.name in self.measures
        }
        return {**self.model_dump(mode="json"), "measures": measures}


MEASURES = dict.fromkeys(measure for kind in KINDS.values() for measure in kind.measures)
USAGE_COLUMNS = [
    *columns_of(ProductRef, "product."),
    *(f"measures.{measure}" for measure in MEASURES),
    "days_active",
]
"""The same for everybody, whatever they have used."""


class PersonUsageAnswer(Answer):
    """One user across all products."""

    period: ComparedDays
    user: UserRef
    products: list[PersonProductUsage]

    def model_dump_json(self, **_: Any) -> str:
        """The JSON, in which decimals are exact."""
        products = [each.content for each in self.products]
        return as_exact_json({**self.model_dump(mode="json"), "products": products})


def person_usage(query: PersonUsageQuery, user: User, usage: Usage) -> Report[PersonUsageAnswer]:
    usage.expect_last_active([user.ordinal])
    period = query.days.period(usage.zone)
    names = {product.id: product.name for product in usage.directory.products}
    products = [
        PersonProductUsage.of(used, names.get(used.product.id, used.product.id))
        for used in usage.of_person(user.ordinal, period)
    ]
    presence = usage.last_active([user.ordinal])[user.ordinal]
    who = UserRef.showing(user, last_activity=LastActivity.of(presence))
    answer = PersonUsageAnswer(period=ComparedDays.of(query.days), user=who, products=products)
    return Report(
        answer,
        lambda: [each.content for each in products],
        [period],
        usage.through_ms,
        columns=USAGE_COLUMNS,
        narrowed_by=("start_date", "end_date"),
    )
