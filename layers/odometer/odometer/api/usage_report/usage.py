"""The summary of all products, and the drilldown into one; field names are the published ones."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self, TypeVar

from pydantic import MISSING, Field

from odometer.api.usage_report.family import (
    DrilldownQuery,
    ReportedProduct,
    SummaryQuery,
    WallClockRange,
)
from odometer.directory.snapshot import Directory
from odometer.domain.kinds import Kind
from odometer.domain.people import UserType
from odometer.engine.read.measuring import Used, distinct_users
from odometer.reports.ranking import most_used_first, totals_among
from odometer.services.usage import Usage
from odometer.web.models import Answer
from odometer.web.report import Page, Report


class OrganizationName(Answer):
    """Whose report it is."""

    id: str
    name: str


class Pagination(Answer):
    """Where a page stands among all."""

    limit: int
    page: int
    total: int
    total_pages: int = Field(alias="totalPages")

    @classmethod
    def of(cls, query: DrilldownQuery, total: int) -> Self:
        pages = -(-total // query.limit)
        return cls(limit=query.limit, page=query.page, total=total, total_pages=pages)


class ProductTotals(Answer):
    """The measures of a product, by the names that its kind has here."""

    tests: int | MISSING = Field(MISSING, alias="totalTests")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class EchoedRange(Answer):
    """What was asked, of whom, and whether there was no full answer."""

    start: str = Field(alias="from")
    last: str = Field(alias="to")
    timezone: str
    organization: OrganizationName
    partial: bool | MISSING = MISSING


class OfType(Answer):
    """Whom the answer is about."""

    type: UserType
    total_users: int = Field(alias="totalUsers")


class SummaryMetadata(EchoedRange, OfType):
    """Of all products."""


class SummaryData(Answer):
    """The totals of every product."""

    metadata: SummaryMetadata
    products: dict[ReportedProduct, ProductTotals] = Field(
        json_schema_extra={"required": [*ReportedProduct]}
    )


class SummaryAnswer(Answer):
    """All products."""

    status: Literal["success"]
    data: SummaryData


class OfProduct(Answer):
    """Whom the answer is about, and which product."""

    type: UserType
    product: ReportedProduct
    total_users: int = Field(alias="totalUsers")


class DrilldownMetadata(EchoedRange, ProductTotals, OfProduct):
    """Of one product: the totals of the organization, and where the page stands."""

    pagination: Pagination


class DrilldownUser(Answer):
    """What one user has used."""

    id: str
    username: str
    email: str
    tests: int | MISSING = Field(MISSING, alias="totalTestsRun")
    duration: int | MISSING = Field(MISSING, alias="totalDuration")
    screenshots: int | MISSING = Field(MISSING, alias="totalScreenshots")


class ProductName(Answer):
    """One product."""

    product: ReportedProduct


class SummaryProduct(ProductTotals, ProductName):
    """The totals of one product, as a line."""


class DrilldownData(Answer):
    """One product, user by user."""

    metadata: DrilldownMetadata
    users: list[DrilldownUser]


class DrilldownAnswer(Answer):
    """One product."""

    status: Literal["success"]
    data: DrilldownData


Figure = TypeVar("Figure")

NAMES = {"tests": "tests", "duration_ms": "duration", "screenshots": "screenshots"}
"""The published names of measures; a measure without one is not in the report."""


def summary(query: SummaryQuery, usage: Usage) -> Report[SummaryAnswer]:
    """All products, of the users of one type; one that cannot be read is 0, and it is said so."""
    population_in = population_ahead(query.type, usage)
    found = usage.of_each(list(ReportedProduct), query.period)
    readable = [used for used in found.values() if used]
    directory = usage.directory_with(readable)
    population = population_in(directory)
    metadata = SummaryMetadata(
        type=query.type,
        total_users=len(population.intersection(distinct_users(readable))),
        **echo(query, directory, found.values()),
    )
    products = {
        product: totals_of(usage.kind(product), found[product], population)
        for product in ReportedProduct
    }
    page = SummaryAnswer(status="success", data=SummaryData(metadata=metadata, products=products))
    rows = [SummaryProduct(product=each, **products[each].model_dump()) for each in ReportedProduct]
    return report(page, lambda: rows, query, usage, found.values())


def population_ahead(of: UserType, usage: Usage) -> Callable[[Directory], set[int]]:
    """The users of a type, read beside figures, in the version that these turn out to need."""
    expected = usage.directory
    ahead = usage.tasks.begin(partial(expected.users_of_type, of))
    return lambda needed: ahead.result() if needed is expected else needed.users_of_type(of)


def drilldown(query: DrilldownQuery, usage: Usage) -> Report[DrilldownAnswer]:
    population_in = population_ahead(query.type, usage)
    found = usage.of_each([query.product], query.period)[query.product]
    directory = usage.directory_with([found] if found else [])
    used = found or Used(usage.measured(query.product), [])
    population = population_in(directory)
    users = used.among(population)
    erased = directory.erased
    named = [user for user in users if user not in erased] if erased else users
    ranked = most_used_first(used, named, directory.ids_at)
    metadata = DrilldownMetadata(
        type=query.type,
        product=query.product,
        total_users=len(users),
        **totals_of(used.product.kind, used, None).model_dump(),
        **echo(query, directory, [found]),
        pagination=Pagination.of(query, len(ranked)),
    )
    rows = partial(user_rows, directory, used)
    shown = rows(ranked.part(query.places))
    page = DrilldownAnswer(status="success", data=DrilldownData(metadata=metadata, users=shown))
    return report(
        page, lambda: rows(list(ranked)), query, usage, [found], columns_of(used.product.kind)
    )


def report(
    page: Page,
    rows: Callable[[], Iterable[Answer]],
    query: WallClockRange,
    usage: Usage,
    found: Collection[Used | None],
    columns: Sequence[str] = (),
) -> Report[Page]:
    incomplete = None in found
    through_ms = None if incomplete else usage.through_ms
    return Report(page, rows, [query.period], through_ms, incomplete, columns)


def echo(
    query: WallClockRange, directory: Directory, found: Collection[Used | None]
) -> dict[str, Any]:
    organization = OrganizationName.showing(directory.organization)
    partial = {"partial": True} if None in found else {}
    return {**query.echo, "organization": organization, **partial}


def columns_of(kind: Kind) -> list[str]:
    names = ("id", "username", "email", *(NAMES[name] for name in kind.measures if name in NAMES))
    return [DrilldownUser.model_fields[name].alias or name for name in names]


def totals_of(kind: Kind, used: Used | None, population: Collection[int] | None) -> ProductTotals:
    """The measures of a product, of some users or of all; 0 where nothing could be read."""
    totals = totals_among(used, population) if used else dict.fromkeys(kind.measures, 0)
    return ProductTotals(**published(totals))


def published(measures: Mapping[str, Figure]) -> dict[str, Figure]:
    return {NAMES[name]: value for name, value in measures.items() if name in NAMES}


def user_rows(directory: Directory, used: Used, shown: Sequence[int]) -> list[DrilldownUser]:
    columns = published(used.columns)
    return [
        DrilldownUser(
            id=user.id,
            username=user.username,
            email=user.email,
            **{name: column[user.ordinal] for name, column in columns.items()},
        )
        for user in directory.users_at(shown)
    ]
