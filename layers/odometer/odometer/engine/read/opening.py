"""Opens the latest view: what a process remembers of an organization, and what has come since.

All of it is asked for at once, and may be answered in any order. Folds never change and their
numbers have no gaps, so a head and the folds that follow it without a gap are a view, whichever was
read first: a head that was read later has settled some of the folds, which are left out. Either
way all is in it that had been folded before anything was read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from odometer.domain.frozen import frozen
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    Fold,
    Gap,
    Plan,
    Rebuild,
    UsageHead,
    fold_ranges,
    folds_by_lane,
    folds_in,
    is_shown,
    mark_of,
)
from odometer.engine.format.lanes import ByLane
from odometer.engine.memory import Memory, OrganizationMemory
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange, Store

Key = tuple[str, str]
Found = Mapping[Key, Item]
_FOLD_BYTES: Final = 1_000
_EVENT_BYTES: Final = 500
"""About what an event takes that is decoded, and once more among those of its product."""


class Known(NamedTuple):
    """What a process remembers of the view that it opened last."""

    head: UsageHead
    rebuild: Rebuild | None
    """The last rebuild that the head shows."""
    folds: Sequence[Fold]
    """Those that the head has not settled, lane by lane."""

    @property
    def weight(self) -> int:
        return sum(_FOLD_BYTES + _EVENT_BYTES * len(fold.events) for fold in self.folds)

    @property
    def after(self) -> ByLane:
        """By lane, the fold before the last that is known, or the last that is settled."""
        last = {fold.lane: fold.number - 1 for fold in self.folds}
        return tuple(last.get(lane, upto) for lane, upto in enumerate(self.head.upto))

    def is_before(self, head: UsageHead, plan: Plan | None, rebuild: Rebuild | None) -> bool:
        """Whether a head is of the same tables, by what these have of its plan and its rebuild."""
        of_rebuild = self.rebuild is not None and self.rebuild.is_same(rebuild)
        return (
            head.version >= self.head.version
            and (head.lanes, head.rebuilt) == (self.head.lanes, self.head.rebuilt)
            and is_shown(plan, self.head)
            and (of_rebuild or not head.rebuilt)
        )

    def continued(self, head: UsageHead, by_lane: Sequence[Sequence[Item]]) -> Iterator[Fold]:
        """The folds that a head has not settled; raises `Gap` where folds are not those known."""
        for lane, items in enumerate(by_lane):
            folds = [fold for fold in self.folds if fold.lane == lane]
            if folds and not (items and mark_of(items[0]) == folds[-1].mark):
                raise Gap(lane)
            known = folds[-1].number if folds else self.head.upto[lane]
            folds += folds_in(items[1:] if folds else items, known)
            yield from (fold for fold in folds if fold.number > head.upto[lane])


@frozen
class Opening:
    """The latest view of an organization, of which something may be remembered."""

    organization: str
    memory: OrganizationMemory
    known: Known | None

    @classmethod
    def of(cls, organization: str, memory: Memory) -> Self:
        own = memory.of(organization)
        return cls(organization, own, own.get(Known))

    @property
    def keys(self) -> list[Key]:
        """The head, and two decisions that tell whether the tables are those that are known."""
        head = self.known.head if self.known else None
        plan = [self._plan(head)] if head and head.plan else []
        return [self._head, *plan, *([self._rebuild(head)] if head and head.rebuilt else [])]

    @property
    def key_ranges(self) -> list[KeyRange]:
        """By lane, the last known fold and all that follow; none where nothing is known."""
        after = self.known.after if self.known else ()
        return list(fold_ranges(self.organization, after).values())

    def read(self, store: Store, zone: str, now: int) -> View:
        """The view, of which the parts are read in turn."""
        found = {key: item for key in self.keys if (item := store.get(*key))}
        return self.view(store, found, store.read(self.key_ranges), zone, now)

    def view(
        self, store: Store, found: Found, by_lane: Sequence[Sequence[Item]], zone: str, now: int
    ) -> View:
        """The view of what was found by the keys and the key ranges.

        Where it does not go on from what is known the tables may be others, so all is forgotten:
        also where the view itself is, and only other things are remembered.
        """
        item, memory = found.get(self._head), self.memory
        head = UsageHead.from_item(item) if item else UsageHead(zone, 0)
        known = self._continued(head, found, by_lane)
        if known is None:
            memory, known = memory.forget(), self._anew(store, head)
        memory.keep(Known, known, known.weight)
        return View(self.organization, store, head, known.folds, now, memory)

    def _continued(
        self, head: UsageHead, found: Found, by_lane: Sequence[Sequence[Item]]
    ) -> Known | None:
        if self.known is None:
            return None
        plan, rebuild = (found.get(key(self.known.head)) for key in (self._plan, self._rebuild))
        if not self.known.is_before(
            head,
            Plan.from_item(plan) if plan else None,
            Rebuild.from_item(rebuild) if rebuild else None,
        ):
            return None
        try:
            return self.known._replace(head=head, folds=list(self.known.continued(head, by_lane)))
        except Gap:
            return None

    def _anew(self, store: Store, head: UsageHead) -> Known:
        """All of it by the head; what identifies the last rebuild is read beside the folds."""
        asked = fold_ranges(self.organization, head.upto)
        pk, rebuilt = self._rebuild(head)
        rebuild = [KeyRange(pk, rebuilt, rebuilt)] if head.rebuilt else []
        answers = store.read([*asked.values(), *rebuild])
        folds = list(folds_by_lane(zip(asked, answers, strict=False), head.upto))
        rebuilds = [Rebuild.from_item(item) for items in answers[len(asked) :] for item in items]
        return Known(head, rebuilds[0] if rebuilds else None, folds)

    @property
    def _head(self) -> Key:
        return keys.head(self.organization), "H"

    def _plan(self, head: UsageHead) -> Key:
        return keys.plans(self.organization), keys.number(head.plan)

    def _rebuild(self, head: UsageHead) -> Key:
        return keys.rebuilds(self.organization), keys.number(head.rebuilt)
