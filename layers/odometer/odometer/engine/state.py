"""What has been decided: the head that readers see, and the folds after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from odometer.engine.format import keys
from odometer.engine.format.decisions import Fold, Plan, UsageHead
from odometer.engine.format.segments import digests_of
from odometer.engine.store import KeyRange, Store

_REMEMBERED_DATES: Final = 64


class Gap(RuntimeError):
    """A decision that must exist cannot be read."""


@dataclass(slots=True)
class Memory:
    """What a warm process knows already of items that never change.

    It is dropped when the tables turn out to be others, restored from an older copy.
    """

    heads: dict[str, UsageHead | None] = field(default_factory=dict)
    folds: dict[str, list[Fold]] = field(default_factory=dict)
    dates: dict[tuple[str, date], tuple[int, set[bytes]]] = field(default_factory=dict)

    def tail(self, organization: str, store: Store, head: UsageHead | None) -> list[Fold]:
        """The folds that are not settled, all of them."""
        known = self.heads.get(organization)
        if known != head and known and not is_settled_in(organization, store, known):
            self.forget(organization)
        self.heads[organization] = head
        self.folds[organization] = self._unsettled(organization, store, head.upto if head else 0)
        return self.folds[organization]

    def counted(self, organization: str, store: Store, day: date, plan: int) -> list[set[bytes]]:
        """The digests of a UTC date that are settled by a plan, and maybe some later ones."""
        known, digests = self.dates.pop((organization, day), (0, set()))
        pk = keys.identities(organization, day)
        (items,) = store.read([KeyRange(pk, keys.number(known + 1), keys.TOP)])
        settled, later = keys.number(plan) + keys.TOP, set[bytes]()
        for item in items:
            (digests if item["sk"] < settled else later).update(digests_of(item))
        self.dates[organization, day] = (max(known, plan), digests)
        if len(self.dates) > _REMEMBERED_DATES:
            del self.dates[next(iter(self.dates))]
        return [digests, later]

    def forget(self, organization: str) -> None:
        """Know nothing of an organization, as a new process does."""
        self.folds.pop(organization, None)
        self.dates = {key: known for key, known in self.dates.items() if key[0] != organization}

    def _unsettled(self, organization: str, store: Store, after: int) -> list[Fold]:
        """The folds after a number; the last known one is read again to see that it is there."""
        known = [fold for fold in self.folds.get(organization, ()) if fold.number > after]
        if known and known[0].number == after + 1:
            read = read_folds(organization, store, known[-1].number - 1)
            if read[:1] == known[-1:]:
                return known[:-1] + read
            self.forget(organization)
        return read_folds(organization, store, after)


def read_folds(organization: str, store: Store, after: int, upto: int | None = None) -> list[Fold]:
    """The folds after a number; their numbers have no gaps."""
    if upto == after:
        return []
    last = keys.TOP if upto is None else keys.number(upto)
    (items,) = store.read([KeyRange(keys.folds(organization), keys.number(after + 1), last)])
    folds = [Fold.from_item(item) for item in items]
    expected = len(folds) if upto is None else upto - after
    if [fold.number for fold in folds] != list(range(after + 1, after + 1 + expected)):
        raise Gap(organization)
    return folds


def read_head(organization: str, store: Store) -> UsageHead | None:
    """What readers see, as of now."""
    item = store.get(keys.head(organization), "H")
    return UsageHead.from_item(item) if item else None


def read_plan(organization: str, store: Store, number: int) -> Plan | None:
    """A plan, if it is decided."""
    item = store.get(keys.plans(organization), keys.number(number))
    return Plan.from_item(item) if item else None


def is_settled_in(organization: str, store: Store, head: UsageHead) -> bool:
    """Whether these tables are the ones whose plan a head shows; plans end at different seconds."""
    plan = read_plan(organization, store, head.plan) if head.plan else None
    return not head.plan or (plan is not None and plan.ends == (head.upto, head.sealed))
