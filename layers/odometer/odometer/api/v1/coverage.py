"""Coverage on the wire: what has arrived from where, and how far reports are complete."""

from collections.abc import Mapping
from datetime import UTC, date
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound
from odometer.domain.kinds import Kind
from odometer.domain.text import as_kept
from odometer.domain.time import Period, format_seconds, instant_at, instant_of_ms
from odometer.engine.format.latest import OTHERS, Coverage
from odometer.engine.read.latest import Received, events_between, received
from odometer.services.usage import Usage
from odometer.web.fields import Day, Text, refuse
from odometer.web.models import Answer, Strict, Timestamp
from odometer.web.report import Report


class CoverageQuery(Strict):
    """Of which product, and on which days: UTC dates, both included."""

    product: Annotated[str, Text(128)] | None = Field(
        None, description="A product, by its id; all products without it."
    )
    first: Annotated[date, Day()] | None = Field(
        None,
        alias="from",
        description="The first day, in UTC; without it, the day of the first event.",
    )
    last: Annotated[date, Day()] | None = Field(
        None,
        alias="to",
        description="The last day, in UTC. It is included, unlike the `to` of `/v1/explain`; "
        "without it, today.",
    )

    @field_validator("last", mode="after")
    @classmethod
    def _in_order(cls, last: date | None, fields: ValidationInfo) -> date | None:
        first = fields.data.get("first")
        if first and last and last < first:
            raise refuse("order", "to must not be before from")
        return last


class FirstAndLast(Answer):
    """The first and the last event of all, whatever days were asked for, and how many of those."""

    first_event_at: Timestamp | None
    last_event_at: Timestamp | None
    events: int


class SourceCoverage(FirstAndLast):
    """What has come from one source."""

    source: str


class CoverageRow(SourceCoverage):
    """The same as a line: which product it is of comes with it.

    The line without a source is the sum of those that are not listed.
    """

    product: str
    kind: str


class ProductCoverage(FirstAndLast):
    """What has arrived of one product; without `from`, days count from its first use."""

    product: str
    kind: str
    days_without: int
    sources: list[SourceCoverage]
    other_sources: FirstAndLast | None = Field(
        description="The sum of sources that are not listed, or not with all that they sent: "
        "beyond about a thousand sources, those that were not used for longest are added up here."
    )

    @property
    def all_sources(self) -> list[SourceCoverage]:
        others = [self.other_sources] if self.other_sources else []
        return [
            *self.sources,
            *(SourceCoverage(source=OTHERS, **each.model_dump()) for each in others),
        ]


class CoverageAnswer(Answer):
    """Every product, and the instant up to which accepted batches are in all reports."""

    through: Timestamp
    unsettled_events: int = Field(
        description="Events of all products that reports count and that are not settled yet; "
        "many of them make reports dearer, and none of them less exact."
    )
    products: list[ProductCoverage]


def coverage(query: CoverageQuery, directory: Directory, usage: Usage) -> Report[CoverageAnswer]:
    kinds = directory.kinds
    product = None if query.product is None else as_kept(query.product)
    if product is not None and product not in kinds:
        raise NotFound(product, "product")
    wanted = list(kinds) if product is None else [product]
    found = received(usage.view, wanted)
    through = instant_of_ms(usage.through_ms)
    products = [product_coverage(each, kinds, query, through.date()) for each in found]
    return Report(
        CoverageAnswer(
            through=format_seconds(through),
            unsettled_events=sum(len(fold.events) for fold in usage.view.unsettled),
            products=products,
        ),
        lambda: [
            CoverageRow(product=each.product, kind=each.kind, **source.model_dump())
            for each in products
            for source in each.all_sources
        ],
        [Period.of_days(query.first, query.last, UTC)] if query.first and query.last else [],
        usage.through_ms,
        columns=["product", "kind", "source", *FirstAndLast.model_fields],
        narrowed_by=("product",),
    )


def product_coverage(
    found: Received, kinds: Mapping[str, Kind], query: CoverageQuery, today: date
) -> ProductCoverage:
    return ProductCoverage(
        product=found.product,
        kind=kinds[found.product].name,
        days_without=found.days_without(query.first, min(query.last or today, today)),
        sources=[
            SourceCoverage(source=source, **outer(each, query))
            for source, each in found.by_source.items()
        ],
        other_sources=FirstAndLast(**outer(found.others, query)) if found.others else None,
        **outer(found.whole, query),
    )


def outer(found: Coverage | None, query: CoverageQuery) -> dict[str, Any]:
    return {
        "first_event_at": format_seconds(instant_at(found.first)) if found else None,
        "last_event_at": format_seconds(instant_at(found.last)) if found else None,
        "events": events_between(found, query.first, query.last) if found else 0,
    }
