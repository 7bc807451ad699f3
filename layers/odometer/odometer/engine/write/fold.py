"""Fold: decide once, in order, which of the accepted events count.

The stream brings new entries; the schedule reads the log from where nothing is outstanding. Both
may run at once and die anywhere: the one put of a fold's number decides it, and an event that is in
an earlier fold is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Final, NamedTuple

from odometer.domain.events import Event
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold
from odometer.engine.format.records import Undecodable
from odometer.engine.state import (
    Memory,
    read_head,
)
from odometer.engine.store import Item, KeyRange, Store, SubjectDirectory

SETTLING_MS: Final = 120_000
"""An entry stamped longer ago than this is in the log or never will be: a put is tried for 20 s."""
FOLD_BYTES: Final = 300_000
"""Entries are folded together up to this size; one entry alone always fits."""
_PAGE: Final = 64
_NEVER_MS: Final = 10**13 - 1


class Tail(NamedTuple):
    """Where the decided events end."""

    number: int
    through_ms: int
    plan: int
    folds: Sequence[Fold]
    """The folds that are not settled."""


@dataclass(frozen=True, slots=True)
class Folding:
    """Everything a fold needs."""

    log: Store
    usage: Store
    subjects: SubjectDirectory
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
            key_range = KeyRange(keys.log(organization), first, keys.TOP, limit=_PAGE)
            (page,) = self.log.read([key_range])
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
                yield from log_entries.events_of(entry)
            except Undecodable:
                log_entries.park(organization, entry, self.usage)

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
        ordinals = self.subjects.ordinals(organization, subjects, now) if subjects else {}
        return [log_entries.numbered(event, ordinals[event.who]) for event in events]


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
