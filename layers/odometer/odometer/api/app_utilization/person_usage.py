"""One person across all products."""

from odometer.api.app_utilization.answers import ComparedDays, LastActivity, UserRef
from odometer.api.app_utilization.parameters import Dated
from odometer.directory.people import User
from odometer.domain.kinds import KINDS
from odometer.services.usage import Usage
from odometer.web.models import Answer
from odometer.web.report import Report, columns_of


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

    period: ComparedDays
    user: UserRef
    products: list[PersonProductUsage]


def person_usage(query: PersonUsageQuery, user: User, usage: Usage) -> Report[PersonUsageAnswer]:
    """What one user has used of every product of every kind; days are those of the client."""
    period = query.days.period(usage.zone)
    names = {product.id: product.name for product in usage.directory.products}
    products = [
        PersonProductUsage(
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
    answer = PersonUsageAnswer(period=ComparedDays.of(query.days), user=who, products=products)
    return Report(
        answer,
        lambda: products,
        [period],
        usage.through_ms,
        columns=USAGE_COLUMNS,
        narrowed_by=("start_date", "end_date"),
    )
