"""Writes the running frames of open days.

They follow from a plan and from what earlier plans wrote, and build on each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial
from heapq import nlargest
from itertools import chain
from typing import Any, Final

from odometer.domain.frozen import frozen
from odometer.engine import calendar
from odometer.engine.format import inside, keys
from odometer.engine.format.decisions import Plan, Rebuild, UsageHead
from odometer.engine.format.frames import (
    Frame,
    from_attributes,
    parts,
    total,
    with_days,
)
from odometer.engine.format.inside import DaySums, ProductDay, Running, weight_of
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.store import Item, Store
from odometer.engine.write.steps import some_of

PLANS_BETWEEN: Final = 16
"""A plan that brings few events looks only this often how much has come."""
MOST_LOOKS: Final = 256
"""Days of products that a plan looks at, which is some seconds of reading: those that it brings
most to."""
_EVENT_BYTES: Final = 8
"""About what an event takes in a segment."""
_SHARDS_AT_ONCE: Final = 16


def advance_all(
    organization: str,
    store: Store,
    plan: Plan,
    head: UsageHead,
    catalog: Iterable[MeteredProduct],
    written: Mapping[str, Segment],
) -> dict[str, list[Running]]:
    """Write the running frames of a plan; the newest by product with frames inside its days.

    The head is the one that will show them.
    """
    running = dict[str, list[Running]]()
    catalog = sorted(catalog, key=lambda each: (each.breakdown is not None, each))
    looks = looks_of(plan, head, catalog, written)
    for product in catalog:
        known = head.running.get(product.id)
        zone = calendar.zone_of(product.kind, head.zone)
        newest = list(known or ())
        has_place = known is not None or len(running) < inside.MOST_PRODUCTS
        if has_place and (days := looks.get(product.id)):
            partition = partial(partition_of, organization, head, product)
            writer = InsideWriter(organization, store, product, zone, partition, plan.number)
            newest = writer.advance(newest, days, head.shards(product))
        sealed = calendar.day_of(plan.sealed, zone)
        if known is not None or newest:
            running[product.id] = [each for each in newest if each.day >= str(sealed)]
    return running


def looks_of(
    plan: Plan,
    head: UsageHead,
    catalog: Iterable[MeteredProduct],
    written: Mapping[str, Segment],
) -> dict[str, list[date]]:
    """By product, the days open after a plan of which it looks how much has come."""
    looks = (
        (len(within.who), product.id, day)
        for product in catalog
        if product.id in written and head.shards(product) <= inside.MOST_SHARDS
        for day, within in open_days(written[product.id], plan, product, head.zone)
        if is_time(plan.number, len(within.who))
    )
    by_product: defaultdict[str, list[date]] = defaultdict(list)
    for _, name, day in nlargest(MOST_LOOKS, looks):
        by_product[name].append(day)
    return {name: sorted(days) for name, days in by_product.items()}


def open_days(
    events: Segment, plan: Plan, product: MeteredProduct, head_zone: str
) -> Iterator[tuple[date, Segment]]:
    zone = calendar.zone_of(product.kind, head_zone)
    first = calendar.first_second(calendar.day_of(plan.sealed, zone), zone)
    return ((day, one) for day, (one,) in by_day([events], range(first, calendar.NEVER), zone))


def is_time(plan: int, events: int) -> bool:
    """Whether to look how much has come: at every 16th plan, or if this one brings much."""
    return events * _EVENT_BYTES * PLANS_BETWEEN >= inside.EVENT_BYTES or plan % PLANS_BETWEEN == 0


def partition_of(
    organization: str, head: UsageHead, product: MeteredProduct, year: int, shard: int
) -> str:
    generation = head.generation(product, year)
    return keys.frames(organization, product.id, year, generation, shard)


def without_replaced(
    running: Mapping[str, Sequence[Running]], catalog: Iterable[MeteredProduct], rebuild: Rebuild
) -> dict[str, list[Running]]:
    """Without the running frames of generations that a rebuild replaces."""
    products = {product.id: product for product in catalog}
    return {
        name: [
            each
            for each in several
            if name in products and not rebuild.covers(products[name], int(each.day[:4]))
        ]
        for name, several in running.items()
    }


@frozen
class InsideWriter:
    """Writes what one plan adds inside the days of one product."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    partition: Callable[[int, int], str]
    """Of a year and a shard."""
    plan: int

    def advance(self, known: Iterable[Running], days: Iterable[date], shards: int) -> list[Running]:
        """The newest running frames of open days, given those before the plan."""
        newest = {date.fromisoformat(each.day): each for each in known}
        for day in days:
            newer = self._put_running(day, newest.get(day), shards)
            newest |= {day: newer} if newer else {}
        return [newest[day] for day in sorted(newest)]

    def _put_running(self, day: date, former: Running | None, shards: int) -> Running | None:
        """Write another running frame of a day if enough has come since the former one."""
        since = Since(self.product, former.last if former else 0)
        of_day = ProductDay(self.organization, self.product, self.zone, day)
        for item in items_of(self.store, of_day, former.plan if former else 0, self.plan):
            since.add(weight_of(item), of_day.cut(item))
        added = since.sums.frames()
        frames = former.weight if former else inside.SMALLEST_ITEM * len(added)
        if not added or not inside.is_due(since.weight, frames):
            return None
        weights: list[int] = []
        frames_of_day = self._running_frames(day, former, added, range(shards))
        self.store.put_all(self._running_items(day, since.last, frames_of_day, weights))
        return Running(str(day), since.last, self.plan, sum(weights))

    def _running_items(
        self, day: date, last: int, frames: Iterable[tuple[int, Frame]], weights: list[int]
    ) -> Iterator[dict[str, Any]]:
        """All shards that have used anything of the day; the first one stands for all of them."""
        for shard, frame in frames:
            for part, piece in enumerate(parts(frame) if frame or shard == 0 else ()):
                sk = keys.running(day, last, self.plan, part)
                item = {"pk": self.partition(day.year, shard), "sk": sk, **piece}
                weights.append(max(weight_of(item), inside.SMALLEST_ITEM))
                yield item

    def _running_frames(
        self, day: date, former: Running | None, added: Mapping[int, Frame], shards: range
    ) -> Iterator[tuple[int, Frame]]:
        measures = self.product.measures
        for some in some_of(shards, _SHARDS_AT_ONCE):
            pks = [self.partition(day.year, shard) for shard in some]
            ranges = [former.key_range(pk) for pk in pks] if former else []
            known = dict(zip(some, self.store.read(ranges), strict=False))
            for shard in some:
                frames = [from_attributes(item, measures) for item in known.get(shard, ())]
                frames += [added[shard]] if shard in added else []
                yield shard, with_days(total(frames, measures).measures)


@dataclass(slots=True)
class Since:
    """What has come of an open day since its last running frame."""

    product: MeteredProduct
    last: int
    weight: int = 0
    sums: DaySums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = DaySums(self.product)

    def add(self, weight: int, events: Segment) -> None:
        self.weight += weight
        self.last = max((self.last, *events.seconds[-1:]))
        self.sums.add(events)


def items_of(store: Store, of_day: ProductDay, after: int, upto: int) -> Iterator[Item]:
    """The segments of a day that plans after one and up to another wrote, page by page."""
    for key_range in of_day.segments(after, upto):
        yield from chain.from_iterable(store.pages(key_range))
