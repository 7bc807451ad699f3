"""Arrivals: what has come of a product from every source, settled or not.

The items of coverage are overwritten, so they may contain plans that a view does not see. Events of
those plans are not added again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from operator import add
from typing import Final

from odometer.engine.format import keys
from odometer.engine.format.decisions import Plan
from odometer.engine.format.latest import Coverage
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange

_LAST_SOURCE: Final = "\U0010ffff" * 32


@dataclass(frozen=True)
class Received:
    """All that has come of one product."""

    product: str
    by_source: Mapping[str, Coverage]

    @cached_property
    def whole(self) -> Coverage | None:
        return reduce(add, self.by_source.values()) if self.by_source else None

    def days_without(self, first: date | None, last: date) -> int:
        """The number of UTC dates without usage, from the first use if no date is given."""
        if self.whole is None and first is None:
            return 0
        dates = self.whole.by_date if self.whole else {}
        begin = first or min(dates)
        with_events = sum(begin <= day <= last for day in dates)
        return max(0, (last - begin).days + 1 - with_events)


def events_between(coverage: Coverage, first: date | None, last: date | None) -> int:
    begin, end = first or date.min, last or date.max
    return sum(count for day, count in coverage.by_date.items() if begin <= day <= end)


def received(view: View, products: Sequence[str]) -> list[Received]:
    key_ranges = [
        KeyRange(keys.coverage(view.organization, product), keys.BOTTOM, _LAST_SOURCE)
        for product in products
    ]
    unsettled = _unsettled(view)
    return [
        Received(product, _by_source(view, items, unsettled.get(product, {})))
        for product, items in zip(products, view.store.read(key_ranges), strict=True)
    ]


UnsettledSeconds = Mapping[str, Sequence[tuple[int, int]]]
"""By source, the number of the fold and the second of every event that is not settled."""


def _unsettled(view: View) -> Mapping[str, UnsettledSeconds]:
    by_product: defaultdict[str, defaultdict[str, list[tuple[int, int]]]]
    by_product = defaultdict(lambda: defaultdict(list))
    for fold in view.unsettled:
        for event in fold.events:
            by_product[event.product][event.source].append((fold.number, event.second))
    return by_product


def _by_source(
    view: View, items: Iterable[Item], unsettled: UnsettledSeconds
) -> dict[str, Coverage]:
    settled = {str(item["sk"]): item for item in items}
    by_source = {}
    for source in sorted({*settled, *unsettled}):
        item = settled.get(source)
        upto = _settled_upto(view, item) if item else 0
        new = [second for fold, second in unsettled.get(source, ()) if fold > upto]
        parts = [Coverage.from_item(item)] if item else []
        parts += [Coverage.of(new)] if new else []
        by_source[source] = reduce(add, parts)
    return by_source


def _settled_upto(view: View, item: Item) -> int:
    if item["k"] <= view.head.plan:
        return view.head.upto
    plan = view.store.get(keys.plans(view.organization), keys.number(item["k"]))
    return Plan.from_item(plan).upto if plan else view.head.upto
