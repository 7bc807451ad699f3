"""Settle: write what was folded where readings find it, then show it to the readers.

A plan says what is next, and storing it is the decision. Doing a plan only stores items that follow
from it, so it may be done by several at once, or begun again after any death. The new head makes
all of it visible in one write; whoever comes second finds the version taken and stops.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Final, NamedTuple

from odometer.domain.events import Event, utc_date
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format.decisions import (
    ALL,
    Fold,
    MeteredProduct,
    Plan,
    Touched,
    UsageHead,
    heaviest,
    still_fresh,
)
from odometer.engine.format.projections import ROWS, projected
from odometer.engine.format.segments import Segment
from odometer.engine.state import read_folds, read_head, read_plan
from odometer.engine.store import Store
from odometer.engine.write.latest import LatestValues
from odometer.engine.write.seal import Ledger
from odometer.engine.write.segments import put_identities, put_segments

GRACE_SECONDS: Final = 3600
"""A day is sealed this long after its end, so that few events come late."""
PLAN_EVENTS: Final = 100_000
"""A plan takes folds up to about this many events."""
_FRESH_PRODUCTS: Final = 100

Catalog = Callable[[str], Sequence[MeteredProduct]]
"""All products that an organization has by now."""
ByProduct = Mapping[str, list[Event[int]]]


class UnknownProduct(LookupError):
    """Events of a product that the directory does not have: settling waits until it does."""


class Layout(NamedTuple):
    """Where frames are written: the zone of local days, the shards, and the generation."""

    zone: str
    shards: Callable[[str], int]
    """Of a product."""
    generation: Callable[[MeteredProduct, int], int | None]
    """Of a year of a product; a year without one is left alone."""


class Work(NamedTuple):
    """A plan with what it takes."""

    plan: Plan
    events: ByProduct
    through_ms: int
    """The watermark of its last fold."""

    @property
    def all(self) -> list[Event[int]]:
        """Its events, one product after the other."""
        return [event for events in self.events.values() for event in events]

    @property
    def users(self) -> int:
        """The ordinals of all its users are below this."""
        return max((1 + event.who for event in self.all), default=0)

    def with_projections(self, catalog: Sequence[MeteredProduct]) -> ByProduct:
        """Its events, and what they come to in other rows."""
        wanted = [product for product in catalog if product in ROWS]
        return {**self.events, **{p.id: projected(self.all, catalog, p) for p in wanted}}

    @classmethod
    def of(cls, plan: Plan, folds: Sequence[Fold]) -> Work:
        """The folds of a plan, by product."""
        events: defaultdict[str, list[Event[int]]] = defaultdict(list)
        for fold in folds:
            for event in fold.events:
                events[event.product].append(event)
        return cls(plan, events, folds[-1].through_ms if folds else 0)


@dataclass(frozen=True, slots=True)
class Settling:
    """Everything that settling needs."""

    usage: Store
    catalog: Catalog

    def settle(self, organization: str, zone: str, now: int) -> bool:
        """Make and do the next plan; whether there was anything to do."""
        head = self._head(organization, zone, now)
        plan = read_plan(organization, self.usage, head.plan + 1) or self._decide(
            organization, head, now
        )
        if plan is None:
            return False
        shown = self._do(organization, head, self._work(organization, plan), now)
        self.usage.put_newer(shown.to_item(organization), "version")
        return True

    def work(self, organization: str, number: int) -> Work:
        """A plan that is settled, to be done again elsewhere."""
        plan = read_plan(organization, self.usage, number)
        if plan is None:
            raise LookupError(organization, number)
        return self._work(organization, plan)

    def lay(self, organization: str, work: Work, where: Layout) -> Counter[str]:
        """Write what a plan brings to frames; by product and year, the bytes that came late."""
        late: Counter[str] = Counter()
        catalog = self.catalog(organization)
        brought = work.with_projections(catalog)
        for product in catalog:
            zone = calendar.zone_of(product.kind, where.zone)
            ends = (work.plan.sealed_before, work.plan.sealed)
            before, sealed = (calendar.day_of(second, zone) for second in ends)
            generation = partial(where.generation, product)
            ledger = Ledger(organization, self.usage, product, zone, generation, work.plan.number)
            events = Segment.of(brought.get(product.id, ()), product)
            for year, weight in ledger.bring(events, before).items():
                late[f"{product.id}#{year}"] += weight
            ledger.seal(before, sealed, where.shards(product.id))
        return late

    def _head(self, organization: str, zone: str, now: int) -> UsageHead:
        """The head, which is born when an organization settles for the first time."""
        head = read_head(organization, self.usage)
        if head:
            return head
        born = UsageHead(zone, now - GRACE_SECONDS)
        self.usage.put_newer(born.to_item(organization), "version")
        return read_head(organization, self.usage) or born

    def _decide(self, organization: str, head: UsageHead, now: int) -> Plan | None:
        """Store the next plan if there is anything to do; whoever was first has decided."""
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

    def _work(self, organization: str, plan: Plan) -> Work:
        return Work.of(plan, read_folds(organization, self.usage, plan.after, plan.upto))

    def _do(self, organization: str, head: UsageHead, work: Work, now: int) -> UsageHead:
        """Store all that follows from a plan; the head that will show it."""
        number, events = work.plan.number, work.all
        products = self.catalog(organization)
        if unknown := work.events.keys() - {product.id for product in products}:
            raise UnknownProduct(organization, unknown)
        put_identities(organization, self.usage, number, events)
        brought = work.with_projections(products)
        for product in products:
            segment = Segment.of(brought.get(product.id, ()), product)
            put_segments(organization, self.usage, number, product, segment)
        head = replace(head, users=max(head.users, work.users))
        late = self.lay(organization, work, Layout(head.zone, head.shards, head.generation))
        LatestValues(organization, self.usage, number, now).record(events)
        return replace(
            head,
            version=head.version + 1,
            plan=number,
            upto=work.plan.upto,
            sealed=work.plan.sealed,
            through_ms=max(head.through_ms, work.through_ms),
            last=max((head.last, *(event.second for event in events))),
            fresh=_freshened(head, work, brought, now),
            late_bytes=heaviest(late + Counter(head.late_bytes)),
        )


def _seals_anything(head: UsageHead, sealed: int) -> bool:
    """Whether a day with events that is not sealed by now would be."""
    zones = (calendar.zone_of(kind, head.zone) for kind in KINDS.values())
    return any(
        calendar.day_of(head.sealed, zone) <= calendar.day_of(head.last, zone)
        and calendar.day_of(head.sealed, zone) < calendar.day_of(sealed, zone)
        for zone in zones
    )


def _freshened(
    head: UsageHead, work: Work, brought: ByProduct, now: int
) -> dict[str, list[Touched]]:
    """What an eventually consistent read may not see yet."""
    fresh = still_fresh(head.fresh, now)
    firsts = {p: min(event.second for event in each) for p, each in brought.items() if each}
    if len(firsts) > _FRESH_PRODUCTS:
        firsts = {ALL: min(firsts.values())}
    if work.plan.sealed > work.plan.sealed_before:
        firsts[ALL] = min(work.plan.sealed_before, firsts.get(ALL, work.plan.sealed_before))
    for product, second in firsts.items():
        fresh.setdefault(product, []).append(Touched.of(now, utc_date(second)))
    return fresh
