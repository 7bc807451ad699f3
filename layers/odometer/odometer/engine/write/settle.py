"""Settle: write what was folded as segments and frames, then show it to readers.

A plan says what is next, and storing it is the decision. Doing a plan only stores items that follow
from it, so several processes may do it at once, and any may die and begin again. The new head makes
all of it visible in one write; whoever comes second finds the version taken and stops.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from functools import cached_property, partial
from typing import Final, Self

from odometer.domain.events import DIGEST_BYTES, Event, utc_date
from odometer.domain.frozen import frozen
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    Fold,
    Plan,
    UsageHead,
    each_fold,
    heaviest,
    read_folds,
    read_head,
    read_plan,
)
from odometer.engine.format.frames import PART_BYTES
from odometer.engine.format.lanes import ByLane, widened
from odometer.engine.format.products import PROJECTIONS, MeteredProduct, projected
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.store import Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.inside import advance_all
from odometer.engine.write.last_used import LastUsed
from odometer.engine.write.latest import LatestValues
from odometer.engine.write.steps import (
    BUDGET,
    Progress,
    Reached,
    Step,
    in_names,
    some_of,
    take,
)

GRACE_SECONDS: Final = 3600
"""A day is sealed this long after its end, so that few events come late."""
PLAN_EVENTS: Final = 50_000
"""A plan takes folds up to this many events, which every call decodes again."""
PLAN_CELLS: Final = 20_000
"""A plan takes folds up to this many pairs of a product and a UTC date: each is an item."""
_EVENTS_OF_A_WRITE: Final = 10
_DIGESTS_IN_PART: Final = PART_BYTES // DIGEST_BYTES

Catalog = Callable[[str], Sequence[MeteredProduct]]
"""All products that an organization has by now."""
Generation = Callable[[MeteredProduct, int], int | None]
"""The generation of a year of a product; a year without one is not written."""


def by_name(catalog: Iterable[MeteredProduct]) -> list[MeteredProduct]:
    """In the order of the names of their steps."""
    return sorted(catalog, key=lambda product: in_names(product.id))


class UnknownProduct(LookupError):
    """Events of a product that the directory does not have: settling waits until it does."""


class UnknownMeasure(UnknownProduct):
    """Events with a measure that the directory does not have of their kind."""


def is_wider(events: Iterable[Event[int]], product: MeteredProduct) -> bool:
    """Whether an event has more measures than its product; a built-in kind always has them all."""
    wide = product.measures
    return not product.kind.is_built_in and any(any(event.measures[wide:]) for event in events)


class UnknownBreakdown(UnknownProduct):
    """Events with a value of a breakdown that the directory does not have of their kind."""


def is_broken_down_further(events: Iterable[Event[int]], product: MeteredProduct) -> bool:
    """Whether an event has values of more breakdowns than its product."""
    known = len(product.kind.breakdowns)
    return any(any(event.values[known:]) for event in events if event.values)


@dataclass(frozen=True)
class Planned:
    """A plan with the events of its folds, which are decoded once in each call."""

    plan: Plan
    events: Sequence[Event[int]]
    through_ms: ByLane
    """By lane, or 0 where a plan has no fold."""
    catalog: Sequence[MeteredProduct]

    @cached_property
    def segments(self) -> Mapping[str, Segment]:
        """By product, also by those that hold the usage of others in other rows."""
        by_product: defaultdict[str, list[Event[int]]] = defaultdict(list)
        for event in self.events:
            by_product[event.product].append(event)
        known = {product.id: product for product in self.catalog}
        if unknown := by_product.keys() - known:
            raise UnknownProduct(unknown)
        if wider := [p for p, events in by_product.items() if is_wider(events, known[p])]:
            raise UnknownMeasure(wider)
        if untold := [
            p for p, events in by_product.items() if is_broken_down_further(events, known[p])
        ]:
            raise UnknownBreakdown(untold)
        projections = (product for product in self.catalog if product in PROJECTIONS)
        rows = {p.id: projected(self.events, self.catalog, p) for p in projections}
        both = {**by_product, **rows, **self._by_value(by_product)}
        return {p: Segment.of(events, known[p]) for p, events in both.items() if events}

    def _by_value(
        self, by_product: Mapping[str, Sequence[Event[int]]]
    ) -> dict[str, Sequence[Event[int]]]:
        """The events of products, some of which have a value, under the product by value."""
        several = ((each.id, each.breakdown) for each in self.catalog if each.breakdown)
        mine = ((name, of.place, by_product.get(of.product, ())) for name, of in several)
        return {
            name: events
            for name, place, events in mine
            if any(event.values and event.values[place] for event in events)
        }

    @property
    def users(self) -> int:
        return max((event.who for event in self.events), default=-1) + 1

    @classmethod
    def of(cls, plan: Plan, folds: Sequence[Fold], catalog: Sequence[MeteredProduct]) -> Self:
        events = [event for fold in folds for event in fold.events]
        last = {fold.lane: fold.through_ms for fold in folds}
        through_ms = tuple(last.get(lane, 0) for lane in range(len(plan.upto)))
        return cls(plan, events, through_ms, catalog)


@frozen
class Settling:
    """Settles the folds of any organization."""

    usage: Store
    catalog: Catalog
    done: Counter[str] = field(default_factory=Counter)
    """How many events this process has settled, of all organizations."""

    def settle(
        self, organization: str, zone: str, now: int, budget: int = BUDGET, lanes: int = 1
    ) -> bool:
        """Make the next plan and do some of its steps; whether there was anything to do."""
        head = self.head_with(organization, zone, now, lanes)
        plan = read_plan(organization, self.usage, head.plan + 1)
        plan = plan or self._decide(organization, head, now)
        if plan is None:
            return False
        planned = self.planned(organization, plan)
        steps = self._steps(organization, head, planned, now)
        save = partial(self._save, organization, head, plan)
        taken = take(steps, _reached(plan, head), budget, save)
        if taken.finished:
            new_head = _with_plan(head, planned, taken.reached.late, now)
            running = advance_all(
                organization, self.usage, plan, new_head, planned.catalog, planned.segments
            )
            new_head = replace(new_head, running=running)
            if self.usage.put_newer(new_head.to_item(organization), "version"):
                self.done["settled"] += len(planned.events)
        return True

    def progress(self, organization: str) -> Progress:
        """How far the plan is that is under way."""
        head = read_head(organization, self.usage)
        plan = read_plan(organization, self.usage, head.plan + 1) if head else None
        if head is None or plan is None:
            return Progress(0, 0)
        steps = self._steps(organization, head, self.planned(organization, plan), 0)
        return Progress.along(steps, _reached(plan, head).done)

    def planned(self, organization: str, plan: Plan) -> Planned:
        folds = read_folds(organization, self.usage, plan.after, plan.upto)
        return Planned.of(plan, folds, self.catalog(organization))

    def steps_of_frames(
        self, organization: str, planned: Planned, head: UsageHead, generation: Generation, now: int
    ) -> Iterator[Step]:
        """Write what a plan adds to frames."""
        plan = planned.plan
        shown = replace(head, users=max(head.users, planned.users))
        writers = [
            FrameWriter(
                organization,
                self.usage,
                product,
                calendar.zone_of(product.kind, head.zone),
                partial(generation, product),
                plan.number,
                len(planned.catalog),
                product.id in head.running,
                now,
            )
            for product in by_name(planned.catalog)
        ]
        for writer in writers:
            if events := planned.segments.get(writer.product.id):
                before = calendar.day_of(plan.sealed_before, writer.zone)
                for step in writer.steps_of_adding(events, before):
                    yield step.of(f"3#{in_names(writer.product.id)}")
        for writer in writers:
            ends = (plan.sealed_before, plan.sealed)
            before, sealed = (calendar.day_of(second, writer.zone) for second in ends)
            for step in writer.steps_of_sealing(before, sealed, shown.shards(writer.product)):
                yield step.of(f"4#{in_names(writer.product.id)}")

    def head_with(self, organization: str, zone: str, now: int, lanes: int) -> UsageHead:
        """The head, after it was made or has learned of more lanes where that was due."""
        head = read_head(organization, self.usage)
        if head and head.lanes >= lanes:
            return head
        first = head or UsageHead(zone, now - GRACE_SECONDS, version=0)
        self.usage.put_newer(first.with_lanes(lanes).to_item(organization), "version")
        return read_head(organization, self.usage) or first

    def _decide(self, organization: str, head: UsageHead, now: int) -> Plan | None:
        """Store the next plan if there is anything to do; whoever stores it first has decided."""
        by_lane = [
            each_fold(organization, self.usage, upto, lane=lane)
            for lane, upto in enumerate(head.upto)
        ]
        upto, all_of_them = _bound(in_turn(by_lane), head.upto)
        sealed = max(head.sealed, now - GRACE_SECONDS) if all_of_them else head.sealed
        if upto == head.upto and not _seals_anything(head, sealed):
            return None
        plan = Plan(head.plan + 1, head.upto, upto, head.sealed, sealed)
        self.usage.put_new(plan.to_item(organization))
        return read_plan(organization, self.usage, plan.number)

    def _steps(
        self, organization: str, head: UsageHead, planned: Planned, now: int
    ) -> Iterator[Step]:
        """All that follows from a plan, in this order: frames are sealed from segments."""
        usage, plan, events = self.usage, planned.plan.number, planned.events
        if events:
            put: Callable[[], None] = partial(put_identities, organization, usage, plan, events)
            yield Step("1", _dates(event.second for event in events), put)
        for product in by_name(planned.catalog):
            if segment := planned.segments.get(product.id):
                put = partial(put_segments, organization, usage, plan, product, segment)
                yield Step(f"2#{in_names(product.id)}", _dates(segment.seconds), put)
        yield from self.steps_of_frames(organization, planned, head, head.generation, now)
        if events:
            latest = LatestValues(organization, usage, plan, now)
            put = partial(latest.record, events)
            yield Step("5", len(events) // _EVENTS_OF_A_WRITE + 1, put)
            last_used = LastUsed(organization, usage, plan, now, planned.catalog)
            put = partial(last_used.record, events)
            yield Step("6", len(events) // _EVENTS_OF_A_WRITE + 1, put)

    def _save(self, organization: str, head: UsageHead, plan: Plan, reached: Reached) -> None:
        """Steps that were done for another head may have written other generations."""
        done = f"{keys.number(head.version)}#{reached.done}"
        further = replace(plan, done=done, late=heaviest(reached.late))
        self.usage.put_newer(further.to_item(organization), "done")


def _dates(seconds: Iterable[int]) -> int:
    return len({second // 86_400 for second in seconds})


def _reached(plan: Plan, head: UsageHead) -> Reached:
    version, _, done = plan.done.partition("#")
    return Reached(done, plan.late) if version == keys.number(head.version) else Reached()


def _with_plan(head: UsageHead, planned: Planned, late: Mapping[str, int], now: int) -> UsageHead:
    """The head that shows a plan."""
    plan = planned.plan
    through_ms = widened(planned.through_ms, head.lanes)
    return replace(
        head,
        version=head.version + 1,
        plan=plan.number,
        upto=widened(plan.upto, head.lanes),
        sealed=plan.sealed,
        through_ms=tuple(map(max, head.through_ms, through_ms)),
        last=max((head.last, *(event.second for event in planned.events))),
        users=max(head.users, planned.users),
        fresh=head.freshened(_first_dates(plan, planned.segments), now),
        late_bytes=heaviest(Counter(late) + Counter(head.late_bytes)),
    )


def in_turn(by_lane: Iterable[Iterator[Fold]]) -> Iterator[Fold]:
    """A fold of each lane, and again, so that no lane waits for another."""
    left = deque(by_lane)
    while left:
        if fold := next(left[0], None):
            yield fold
            left.rotate(-1)
        else:
            left.popleft()


def _bound(folds: Iterable[Fold], after: ByLane) -> tuple[ByLane, bool]:
    """Up to which folds a plan goes, and whether these are all; one fold always fits."""
    upto, count, cells = list(after), 0, set[tuple[str, int]]()
    for fold in folds:
        count += len(fold.events)
        cells.update((event.product, event.second // 86_400) for event in fold.events)
        if tuple(upto) != after and (count > PLAN_EVENTS or len(cells) > PLAN_CELLS):
            return tuple(upto), False
        upto[fold.lane] = fold.number
    return tuple(upto), True


def _seals_anything(head: UsageHead, sealed: int) -> bool:
    zones = (calendar.zone_of(kind, head.zone) for kind in KINDS.values())
    return any(
        calendar.day_of(head.sealed, zone) <= calendar.day_of(head.last, zone)
        and calendar.day_of(head.sealed, zone) < calendar.day_of(sealed, zone)
        for zone in zones
    )


def _first_dates(plan: Plan, written: Mapping[str, Segment]) -> dict[str, str]:
    """By product, the first UTC date of which a plan writes items."""
    firsts = {product: segment.seconds[0] for product, segment in written.items()}
    if plan.sealed > plan.sealed_before:
        firsts[ALL] = min(plan.sealed_before, firsts.get(ALL, plan.sealed_before))
    return {product: str(utc_date(second)) for product, second in firsts.items()}


def put_segments(
    organization: str, store: Store, plan: int, product: MeteredProduct, whole: Segment
) -> None:
    pk = keys.segments(organization, product.id)
    store.put_all(
        {"pk": pk, "sk": keys.segment(day, plan, part), **attributes}
        for day, (segment,) in by_day([whole], range(2**63), UTC)
        for part, attributes in enumerate(_parts(segment, calendar.first_second(day, UTC)))
    )


def put_identities(
    organization: str, store: Store, plan: int, events: Iterable[Event[int]]
) -> None:
    digests: defaultdict[date, list[bytes]] = defaultdict(list)
    for event in events:
        digests[utc_date(event.second)].append(event.digest)
    store.put_all(
        {"pk": keys.identities(organization, day), "sk": f"{keys.number(plan)}#{part}"}
        | {"digests": b"".join(some)}
        for day, counted in digests.items()
        for part, some in enumerate(some_of(sorted(counted), _DIGESTS_IN_PART))
    )


def _parts(segment: Segment, midnight: int) -> Iterator[dict[str, bytes]]:
    attributes = segment.to_attributes(midnight)
    if sum(map(len, attributes.values())) <= PART_BYTES:
        yield attributes
        return
    for half in segment.halves():
        yield from _parts(half, midnight)
