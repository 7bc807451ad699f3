"""Views: what an organization had used at one moment.

All that a view reads are items that never change, so the same view gives the same figures however
much arrives, is settled or is rebuilt meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self
from zlib import crc32

from odometer.domain.errors import Corrupt
from odometer.domain.events import Event
from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored
from odometer.engine.format import keys, lanes
from odometer.engine.format.decisions import (
    Fold,
    Gap,
    Plan,
    UsageHead,
    fold_ranges,
    folds_by_lane,
    is_shown,
    read_folds,
    read_head,
)
from odometer.engine.format.lanes import ByLane
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.memory import NO_MEMORY, OrganizationMemory
from odometer.engine.store import KeyRange, Store


@frozen
class View:
    """What an organization had used at one moment."""

    organization: str
    store: Store
    head: UsageHead
    unsettled: Sequence[Fold]
    now: int
    memory: OrganizationMemory = NO_MEMORY
    """What the process remembers of these tables: what follows from sealed plans may be kept."""
    first_kept: int = 0
    """What is of earlier years may be removed at any time."""

    @classmethod
    def latest(cls, organization: str, store: Store, zone: str, now: int) -> Self:
        head = read_head(organization, store) or UsageHead(zone, 0)
        return cls(organization, store, head, read_folds(organization, store, head.upto), now)

    @classmethod
    def pinned(cls, organization: str, store: Store, pin: Mapping[str, Any], now: int) -> Self:
        """The view of a cursor; raises `Gap` when the tables are not those it was read from."""
        try:
            head, upto, mark = _pinned(pin)
        except Corrupt:  # of another release
            raise Gap(organization) from None
        number = keys.number(head.plan)
        asked = fold_ranges(organization, head.upto, upto)
        plan = KeyRange(keys.plans(organization), number, number)
        *by_lane, plans = store.read([*asked.values(), plan])
        folds = list(folds_by_lane(zip(asked, by_lane, strict=True), head.upto))
        is_whole = len(folds) == sum(upto) - sum(head.upto) and mark == mark_of(folds)
        if not is_whole or not is_shown(Plan.from_item(plans[0]) if plans else None, head):
            raise Gap(organization)
        return cls(organization, store, head, folds, now)

    @property
    def pin(self) -> dict[str, Any]:
        """What a cursor keeps of this view; it is of no use to another organization."""
        kept = self.head.pinned.to_item(self.organization)
        last = lanes.to_attribute(self.upto)
        return {**kept, "fold": last, "mark": mark_of(self.unsettled)}

    @property
    def upto(self) -> ByLane:
        """The last fold of each lane."""
        last = {fold.lane: fold.number for fold in self.unsettled}
        return tuple(last.get(lane, upto) for lane, upto in enumerate(self.head.upto))

    @property
    def through_ms(self) -> int:
        """The view holds every batch that was accepted before this."""
        return min(self.watermarks)

    @property
    def watermarks(self) -> ByLane:
        """The same of each lane."""
        last = {fold.lane: fold.through_ms for fold in self.unsettled}
        return tuple(last.get(lane, ms) for lane, ms in enumerate(self.head.through_ms))

    @property
    def unsettled_events(self) -> Iterator[Event[int]]:
        return (event for fold in self.unsettled for event in fold.events)

    def unsettled_of(self, product: MeteredProduct) -> Segment:
        """The events of a product that are not settled, by time.

        Folds never change, so they are sorted once; rows of projections are made for each request.
        """
        if product in PROJECTIONS:
            return Segment.of(self.unsettled_events, product)
        name = (Segment, product, self.head.upto, self.upto)
        known: Segment | None = self.memory.get(name)
        if known is None:
            known = Segment.of(self.unsettled_events, product)
            self.memory.keep(name, known, known.weight)
        return known

    def partition(self, product: MeteredProduct, year: int, shard: int) -> str:
        generation = self.head.generation(product, year)
        return keys.frames(self.organization, product.id, year, generation, shard)


def mark_of(folds: Iterable[Fold]) -> int:
    """Tells folds from others with the same numbers."""
    return crc32(b"".join(event.digest for fold in folds for event in fold.events))


@stored
def _pinned(pin: Mapping[str, Any]) -> tuple[UsageHead, ByLane, int]:
    """What a pin says: the head, the last fold of each lane, and the mark of the folds."""
    head, upto = UsageHead.from_item(pin), lanes.from_attribute(pin["fold"])
    require(len(upto) == len(head.upto) and all(map(int.__ge__, upto, head.upto)))
    return head, upto, int(pin["mark"])
