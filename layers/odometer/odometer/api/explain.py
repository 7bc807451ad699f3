"""Explain on the wire: the terms of a figure, so that a sum can be checked by hand."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from odometer.api.app_utilization import LONGEST_CURSOR, begin, headers_of, next_page
from odometer.api.cursors import Chain
from odometer.api.fields import Instant, Text, Whole, refuse
from odometer.api.models import Answer, Query
from odometer.api.reports import Report
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid, NotFound
from odometer.domain.time import Period, format_seconds, instant_at
from odometer.readings.explain import DAYS_ACTIVE, Explained, TermKind, explained
from odometer.storage.usage import Usage

LONGEST = timedelta(days=732)


class ExplainQuery(Query):
    """Which figure: a measure of a product, or the days active, from an instant to another."""

    product: Annotated[str, Text(128)]
    measure: Annotated[str, Text(64)]
    start: Annotated[datetime, Instant()] = Field(alias="from")
    end: Annotated[datetime, Instant()] = Field(alias="to")
    user: Annotated[str, Text(128)] | None = None
    page_size: Annotated[int, Whole(1, 1000)] = 100
    cursor: Annotated[str, Text(LONGEST_CURSOR)] | None = None

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime, earlier: ValidationInfo) -> datetime:
        start = earlier.data.get("start")
        if start is not None and not start < end <= start + LONGEST:
            raise refuse("order", f"expected an instant after from, within {LONGEST.days} days")
        return end

    @property
    def period(self) -> Period:
        """From the first instant up to the other, as `X-Query-Range` shows it."""
        return Period.until(self.start, self.end)


class TermAnswer(Answer):
    """What is added, or taken away where the sign is negative."""

    term: TermKind
    key: str
    sign: int
    value: int


class EventAnswer(Answer):
    """An event that is told apart from the others of its day."""

    at: str
    user: str
    value: int


class Excluded(Answer):
    """What was read and is not in the figure."""

    later_items: int
    outside_range: int


class ExplainAnswer(Answer):
    """A figure with all its terms, and a page of its events."""

    range: str
    value: int
    terms: list[TermAnswer]
    events: list[EventAnswer]
    excluded: Excluded
    next_cursor: str | None


def explain(query: ExplainQuery, usage: Usage, chain: Chain) -> Report:
    """The readings, frames and events behind one figure."""
    begin(chain, usage)
    user = ordinal_of(usage.directory, query)
    found = explained(usage.view, usage.measured(query.product), query.measure, query.period, user)
    events = found.events[chain.row :][: query.page_size]
    directory = usage.directory_of([event.who for event in events])
    total = len(found.events)
    following = next_page(chain, usage, directory, [query.product], len(events), total)
    ids = directory.columns("users", "names")["id"] if events else []
    answer = ExplainAnswer(
        range=str(query.period),
        value=found.value,
        terms=terms_of(found),
        events=[
            EventAnswer(
                at=format_seconds(instant_at(each.second)), user=ids[each.who], value=each.value
            )
            for each in events
        ],
        excluded=Excluded(later_items=found.later_items, outside_range=found.outside),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: answer.terms,
        [query.period],
        usage.through_ms,
        headers=headers_of({}, chain, following),
    )


def terms_of(found: Explained) -> list[TermAnswer]:
    """The terms by their published names."""
    return [
        TermAnswer(term=part.kind, key=part.key, sign=part.sign, value=part.value)
        for part in found.parts
    ]


def ordinal_of(directory: Directory, query: ExplainQuery) -> int | None:
    """Who is asked about, once product, measure and user are known; None is everybody."""
    if query.product not in directory.kinds:
        raise NotFound(query.product)
    measures = [*directory.kinds[query.product].measures, DAYS_ACTIVE]
    if query.measure not in measures:
        words = f"expected one of {', '.join(measures)}"
        raise Invalid.parameter("measure", words, query.measure)
    if query.user is None:
        return None
    ids = directory.columns("users", "names")["id"]
    if query.user not in ids:
        raise NotFound(query.user)
    return ids.index(query.user)
