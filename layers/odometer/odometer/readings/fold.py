"""Fold: decide once, in order, which of the accepted events count.

Rung by the stream with the entries themselves, or by the schedule, which reads the log from where
nothing is outstanding. Both may run at once and die anywhere: a fold is decided by the one put of
its number, and an event that is in an earlier fold brings nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, pairwise
from typing import Final, NamedTuple

from odometer.domain.events import Event
from odometer.readings import keys, log
from odometer.readings.decisions import Fold, Head, Plan
from odometer.readings.rows import Undecodable
from odometer.readings.segments import digests_of
from odometer.readings.shelf import Item, Registrar, Shelf, Span

SETTLING_MS: Final = 120_000
"""An entry stamped longer ago than this is in the log or never will be: a put is tried for 20 s."""
FOLD_BYTES: Final = 300_000
"""Entries are folded together up to this size; one entry alone always fits."""
_PAGE: Final = 64
_NEVER_MS: Final = 10**13 - 1
_REMEMBERED_DATES: Final = 64


class Gap(RuntimeError):
    """A decision that must exist cannot be read."""


class Tail(NamedTuple):
    """Where the decided events end."""

    number: int
    through_ms: int
    plan: int
    folds: Sequence[Fold]
    """The folds that are not settled."""


@dataclass(slots=True)
class Memory:
    """What a warm process knows already of items that never change.

    It is dropped when the tables turn out to be others, restored from an older copy.
    """

    heads: dict[str, Head | None] = field(default_factory=dict)
    folds: dict[str, list[Fold]] = field(default_factory=dict)
    dates: dict[tuple[str, date], tuple[int, set[bytes]]] = field(default_factory=dict)

    def tail(self, organization: str, shelf: Shelf, head: Head | None) -> list[Fold]:
        """The folds that are not settled, all of them."""
        known = self.heads.get(organization)
        if known != head and known and not is_settled_in(organization, shelf, known):
            self.forget(organization)
        self.heads[organization] = head
        self.folds[organization] = self._unsettled(organization, shelf, head.upto if head else 0)
        return self.folds[organization]

    def counted(self, organization: str, shelf: Shelf, day: date, plan: int) -> list[set[bytes]]:
        """The digests of a UTC date that are settled by a plan, and maybe some later ones."""
        known, digests = self.dates.pop((organization, day), (0, set()))
        pk = keys.identities(organization, day)
        (items,) = shelf.read([Span(pk, keys.number(known + 1), keys.TOP)])
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

    def _unsettled(self, organization: str, shelf: Shelf, after: int) -> list[Fold]:
        """The folds after a number; the last known one is read again to see that it is there."""
        known = [fold for fold in self.folds.get(organization, ()) if fold.number > after]
        if known and known[0].number == after + 1:
            read = read_folds(organization, shelf, known[-1].number - 1)
            if read[:1] == known[-1:]:
                return known[:-1] + read
            self.forget(organization)
        return read_folds(organization, shelf, after)


def read_folds(organization: str, shelf: Shelf, after: int, upto: int | None = None) -> list[Fold]:
    """The folds after a number; their numbers have no gaps."""
    if upto == after:
        return []
    last = keys.TOP if upto is None else keys.number(upto)
    (items,) = shelf.read([Span(keys.folds(organization), keys.number(after + 1), last)])
    folds = [Fold.from_item(item) for item in items]
    expected = len(folds) if upto is None else upto - after
    if [fold.number for fold in folds] != list(range(after + 1, after + 1 + expected)):
        raise Gap(organization)
    return folds


def read_head(organization: str, shelf: Shelf) -> Head | None:
    """What readers see, as of now."""
    item = shelf.get(keys.head(organization), "H")
    return Head.from_item(item) if item else None


def read_plan(organization: str, shelf: Shelf, number: int) -> Plan | None:
    """A plan, if it is decided."""
    item = shelf.get(keys.plans(organization), keys.number(number))
    return Plan.from_item(item) if item else None


def is_settled_in(organization: str, shelf: Shelf, head: Head) -> bool:
    """Whether these tables are the ones whose plan a head shows; plans end at different seconds."""
    plan = read_plan(organization, shelf, head.plan) if head.plan else None
    return not head.plan or (plan is not None and plan.ends == (head.upto, head.sealed))


@dataclass(frozen=True, slots=True)
class Folding:
    """Everything a fold needs."""

    log: Shelf
    usage: Shelf
    registrar: Registrar
    memory: Memory = field(default_factory=Memory)

    def ring(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were just put into the log; how many events count."""
        return sum(self._fold(organization, batch, 0, now_ms) for batch in _batches(entries))

    def sweep(self, organization: str, now_ms: int, since_ms: int | None = None) -> int:
        """Fold whatever no bell has brought, or all since then; how many events count."""
        settled = max(0, now_ms - SETTLING_MS)
        start = min(self._tail(organization).through_ms, since_ms or _NEVER_MS)
        batches = chain(_batches(self._entries(organization, start)), [None])
        return sum(
            self._fold(organization, batch, min(settled, _accepted(following)), now_ms)
            for batch, following in pairwise(batches)
            if batch
        )

    def _entries(self, organization: str, start_ms: int) -> Iterator[Item]:
        first = keys.entry(start_ms)
        while first:
            span = Span(keys.log(organization), first, keys.TOP, limit=_PAGE)
            (page,) = self.log.read([span])
            yield from page
            first = page[-1]["sk"] + "\0" if len(page) == _PAGE else ""

    def _fold(self, organization: str, batch: list[Item], through_ms: int, now_ms: int) -> int:
        """Decide about a batch of entries, again until the number of the fold was free."""
        sent = list(self._sent(organization, batch))
        while True:
            tail = self._tail(organization)
            events = list(self._new(organization, tail, sent))
            through = max(tail.through_ms, through_ms)
            moves_on = through > max(tail.through_ms, _accepted(batch))
            if not events and not moves_on:
                return 0
            known = self._known(organization, events, now_ms // 1000)
            fold = Fold(tail.number + 1, known, through)
            if self.usage.put_new(fold.to_item(organization, now_ms // 1000)):
                return len(events)

    def _tail(self, organization: str) -> Tail:
        head = read_head(organization, self.usage)
        after, through_ms = (head.upto, head.through_ms) if head else (0, 0)
        folds = self.memory.tail(organization, self.usage, head)
        last = folds[-1] if folds else Fold(after, (), through_ms)
        return Tail(last.number, last.through_ms, head.plan if head else 0, folds)

    def _sent(self, organization: str, batch: Iterable[Item]) -> Iterator[Event[str]]:
        for entry in batch:
            try:
                yield from log.events_of(entry)
            except Undecodable:
                log.park(organization, entry, self.usage)

    def _new(
        self, organization: str, tail: Tail, sent: Iterable[Event[str]]
    ) -> Iterator[Event[str]]:
        """The first of every event that neither a fold nor the settled past has."""
        seen = set().union(*(fold.identities for fold in tail.folds))
        counted = {
            day: self.memory.counted(organization, self.usage, day, tail.plan)
            for day in {event.identity[0] for event in sent}
        }
        for event in sent:
            day, digest = event.identity
            if (day, digest) not in seen and not any(digest in some for some in counted[day]):
                seen.add((day, digest))
                yield event

    def _known(self, organization: str, events: Sequence[Event[str]], now: int) -> list[Event[int]]:
        subjects = list(dict.fromkeys(event.who for event in events))
        ordinals = self.registrar.ordinals(organization, subjects, now) if subjects else {}
        return [log.numbered(event, ordinals[event.who]) for event in events]


def _accepted(batch: Sequence[Item] | None) -> int:
    """The millisecond of the first entry; without any, a time that never comes."""
    return int(batch[0]["sk"][:13]) if batch else _NEVER_MS


def _batches(entries: Iterable[Item]) -> Iterator[list[Item]]:
    """Entries in order, as many together as fit a fold."""
    batch: list[Item] = []
    size = 0
    for entry in entries:
        weight = sum(len(value) for value in entry.values() if isinstance(value, bytes))
        if batch and size + weight > FOLD_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch
