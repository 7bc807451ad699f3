"""Settle: write what was folded as segments and frames, then show it to readers.

A plan says what is next, and storing it is the decision. Doing a plan only stores items that follow
from it, so several processes may do it at once, and any may die and begin again. The new head makes
all of it visible in one write; whoever comes second finds the version taken and stops.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date
from functools import partial
from itertools import accumulate
from typing import Final, NamedTuple, Self

from odometer.domain.events import DIGEST_BYTES, Event, utc_date
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    Fold,
    Plan,
    UsageHead,
    heaviest,
    read_folds,
    read_head,
    read_plan,
)
from odometer.engine.format.frames import PART_BYTES
from odometer.engine.format.products import PROJECTIONS, MeteredProduct, projected
from odometer.engine.format.segments import Segment
from odometer.engine.store import Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.latest import LatestValues

GRACE_SECONDS: Final = 3600
"""A day is sealed this long after its end, so that few events come late."""
PLAN_EVENTS: Final = 100_000
"""A plan takes folds up to about this many events."""
_FRESH_PRODUCTS: Final = 100
_DIGESTS_IN_PART: Final = PART_BYTES // DIGEST_BYTES

Catalog = Callable[[str], Sequence[MeteredProduct]]
"""All products that an organization has by now."""
Generation = Callable[[MeteredProduct, int], int | None]
"""The generation of a year of a product; a year without one is not written."""
ByProduct = Mapping[str, list[Event[int]]]


class UnknownProduct(LookupError):
    """Events of a product that the directory does not have: settling waits until it does."""


class Planned(NamedTuple):
    """A plan with the events of its folds."""

    plan: Plan
    events: ByProduct
    through_ms: int

    @property
    def all(self) -> list[Event[int]]:
        return [event for events in self.events.values() for event in events]

    def with_projections(self, catalog: Sequence[MeteredProduct]) -> ByProduct:
        projections = [product for product in catalog if product in PROJECTIONS]
        return {**self.events, **{p.id: projected(self.all, catalog, p) for p in projections}}

    @classmethod
    def of(cls, plan: Plan, folds: Sequence[Fold]) -> Self:
        events: defaultdict[str, list[Event[int]]] = defaultdict(list)
        for event in (event for fold in folds for event in fold.events):
            events[event.product].append(event)
        return cls(plan, events, folds[-1].through_ms if folds else 0)


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles the folds of any organization."""

    usage: Store
    catalog: Catalog

    def settle(self, organization: str, zone: str, now: int) -> bool:
        """Make and do the next plan; whether there was anything to do."""
        head = self._head(organization, zone, now)
        plan = read_plan(organization, self.usage, head.plan + 1)
        plan = plan or self._decide(organization, head, now)
        if plan is None:
            return False
        new_head = self._do(organization, head, self._planned(organization, plan), now)
        self.usage.put_newer(new_head.to_item(organization), "version")
        return True

    def planned(self, organization: str, number: int) -> Planned:
        plan = read_plan(organization, self.usage, number)
        if plan is None:
            raise LookupError(organization, number)
        return self._planned(organization, plan)

    def write_frames(
        self, organization: str, planned: Planned, head: UsageHead, generation: Generation
    ) -> Counter[str]:
        """Write what a plan adds to frames; by product and year, the bytes that came late."""
        late: Counter[str] = Counter()
        plan, catalog = planned.plan, self.catalog(organization)
        by_product = planned.with_projections(catalog)
        for product in catalog:
            zone = calendar.zone_of(product.kind, head.zone)
            ends = (plan.sealed_before, plan.sealed)
            before, sealed = (calendar.day_of(second, zone) for second in ends)
            of_year = partial(generation, product)
            writer = FrameWriter(organization, self.usage, product, zone, of_year, plan.number)
            events = Segment.of(by_product.get(product.id, ()), product)
            for year, weight in writer.add_to_sealed_days(events, before).items():
                late[f"{product.id}#{year}"] += weight
            writer.seal_days(before, sealed, head.shards(product))
        return late

    def _head(self, organization: str, zone: str, now: int) -> UsageHead:
        head = read_head(organization, self.usage)
        if head:
            return head
        first = UsageHead(zone, now - GRACE_SECONDS)
        self.usage.put_newer(first.to_item(organization), "version")
        return read_head(organization, self.usage) or first

    def _decide(self, organization: str, head: UsageHead, now: int) -> Plan | None:
        """Store the next plan if there is anything to do; whoever stores it first has decided."""
        folds = read_folds(organization, self.usage, head.upto)
        sizes = accumulate(len(fold.events) for fold in folds)
        taken = max(min(len(folds), 1), sum(size <= PLAN_EVENTS for size in sizes))
        sealed = max(head.sealed, now - GRACE_SECONDS) if taken == len(folds) else head.sealed
        if not folds and not _seals_anything(head, sealed):
            return None
        upto = head.upto + taken
        plan = Plan(head.plan + 1, head.upto, upto, head.sealed, sealed)
        self.usage.put_new(plan.to_item(organization))
        return read_plan(organization, self.usage, plan.number)

    def _planned(self, organization: str, plan: Plan) -> Planned:
        return Planned.of(plan, read_folds(organization, self.usage, plan.after, plan.upto))

    def _do(self, organization: str, head: UsageHead, planned: Planned, now: int) -> UsageHead:
        """Store all that follows from a plan; returns the head that will show it."""
        plan, events = planned.plan, planned.all
        products = self.catalog(organization)
        if unknown := planned.events.keys() - {product.id for product in products}:
            raise UnknownProduct(organization, unknown)
        put_identities(organization, self.usage, plan.number, events)
        by_product = planned.with_projections(products)
        for product in products:
            segment = Segment.of(by_product.get(product.id, ()), product)
            put_segments(organization, self.usage, plan.number, product, segment)
        head = replace(head, users=max((head.users, *(1 + event.who for event in events))))
        late = self.write_frames(organization, planned, head, head.generation)
        LatestValues(organization, self.usage, plan.number, now).record(events)
        return replace(
            head,
            version=head.version + 1,
            plan=plan.number,
            upto=plan.upto,
            sealed=plan.sealed,
            through_ms=max(head.through_ms, planned.through_ms),
            last=max((head.last, *(event.second for event in events))),
            fresh=head.freshened(_first_dates(plan, by_product), now),
            late_bytes=heaviest(late + Counter(head.late_bytes)),
        )


def _seals_anything(head: UsageHead, sealed: int) -> bool:
    zones = (calendar.zone_of(kind, head.zone) for kind in KINDS.values())
    return any(
        calendar.day_of(head.sealed, zone) <= calendar.day_of(head.last, zone)
        and calendar.day_of(head.sealed, zone) < calendar.day_of(sealed, zone)
        for zone in zones
    )


def _first_dates(plan: Plan, by_product: ByProduct) -> dict[str, str]:
    """By product, the first UTC date of which a plan writes items."""
    firsts = {p: min(event.second for event in each) for p, each in by_product.items() if each}
    if len(firsts) > _FRESH_PRODUCTS:
        firsts = {ALL: min(firsts.values())}
    if plan.sealed > plan.sealed_before:
        firsts[ALL] = min(plan.sealed_before, firsts.get(ALL, plan.sealed_before))
    return {product: str(utc_date(second)) for product, second in firsts.items()}


def put_segments(
    organization: str, store: Store, plan: int, product: MeteredProduct, whole: Segment
) -> None:
    if not whole.who:
        return
    for day in calendar.days(utc_date(whole.seconds[0]), utc_date(whole.seconds[-1] + 86_400)):
        midnight = calendar.first_second(day, UTC)
        segment = whole.cut(midnight, midnight + 86_400)
        for part, attributes in enumerate(_parts(segment, midnight) if segment.who else ()):
            pk, sk = keys.segments(organization, product.id), keys.segment(day, plan, part)
            store.put({"pk": pk, "sk": sk, **attributes})


def put_identities(
    organization: str, store: Store, plan: int, events: Iterable[Event[int]]
) -> None:
    digests: defaultdict[date, list[bytes]] = defaultdict(list)
    for event in events:
        digests[utc_date(event.second)].append(event.digest)
    for day, counted in digests.items():
        counted.sort()
        for part, first in enumerate(range(0, len(counted), _DIGESTS_IN_PART)):
            pk, sk = keys.identities(organization, day), f"{keys.number(plan)}#{part}"
            some = b"".join(counted[first : first + _DIGESTS_IN_PART])
            store.put({"pk": pk, "sk": sk, "digests": some})


def _parts(segment: Segment, midnight: int) -> Iterator[dict[str, bytes]]:
    attributes = segment.to_attributes(midnight)
    if sum(map(len, attributes.values())) <= PART_BYTES:
        yield attributes
        return
    for half in segment.halves():
        yield from _parts(half, midnight)
