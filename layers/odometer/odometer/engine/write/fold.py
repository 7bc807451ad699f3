"""Fold: decide once, in order, which of the accepted events count.

The stream brings new entries; the schedule reads the log from where nothing is outstanding. Both
may run at once and die anywhere: the one put of a fold's number decides, and events of earlier
folds are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, pairwise
from typing import Final, NamedTuple

from odometer.domain.events import Event
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold, UsageHead, is_settled_in, read_folds, read_head
from odometer.engine.format.log_entries import Undecodable
from odometer.engine.format.segments import digests_of
from odometer.engine.store import Item, KeyRange, Store, SubjectDirectory

SETTLING_MS: Final = 120_000
"""An entry stamped longer ago than this is in the log or never will be: a put is tried for 20 s."""
FOLD_BYTES: Final = 300_000
"""Entries are folded together up to this size; one entry alone always fits."""
_PAGE: Final = 64
_NEVER_MS: Final = 10**13 - 1
_CACHED_DATES: Final = 64


@dataclass(slots=True)
class FoldCache:
    """Items that never change, kept by a warm process.

    It is emptied when the tables turn out to be restored from an older copy.
    """

    heads: dict[str, UsageHead | None] = field(default_factory=dict)
    folds: dict[str, list[Fold]] = field(default_factory=dict)
    dates: dict[tuple[str, date], tuple[int, set[bytes]]] = field(default_factory=dict)

    def unsettled(self, organization: str, store: Store, head: UsageHead | None) -> list[Fold]:
        known = self.heads.get(organization)
        if known != head and known and not is_settled_in(organization, store, known):
            self.forget(organization)
        self.heads[organization] = head
        self.folds[organization] = self._after(organization, store, head.upto if head else 0)
        return self.folds[organization]

    def counted(self, organization: str, store: Store, day: date, plan: int) -> list[set[bytes]]:
        """The digests of a UTC date that are settled by a plan, and those of later plans."""
        known, digests = self.dates.pop((organization, day), (0, set()))
        pk = keys.identities(organization, day)
        (items,) = store.read([KeyRange(pk, keys.number(known + 1), keys.TOP)])
        settled, later = keys.number(plan) + keys.TOP, set[bytes]()
        for item in items:
            (digests if item["sk"] < settled else later).update(digests_of(item))
        self.dates[organization, day] = (max(known, plan), digests)
        if len(self.dates) > _CACHED_DATES:
            del self.dates[next(iter(self.dates))]
        return [digests, later]

    def forget(self, organization: str) -> None:
        self.folds.pop(organization, None)
        self.dates = {key: known for key, known in self.dates.items() if key[0] != organization}

    def _after(self, organization: str, store: Store, after: int) -> list[Fold]:
        """The folds after a number; the last cached one is read again to see whether it exists."""
        known = [fold for fold in self.folds.get(organization, ()) if fold.number > after]
        if known and known[0].number == after + 1:
            read = read_folds(organization, store, known[-1].number - 1)
            if read[:1] == known[-1:]:
                return known[:-1] + read
            self.forget(organization)
        return read_folds(organization, store, after)


class Decided(NamedTuple):
    """What has been decided so far."""

    last_fold: int
    through_ms: int
    settled_plan: int
    unsettled: Sequence[Fold]


@dataclass(frozen=True, slots=True)
class Folding:
    """Folds log entries of any organization."""

    log: Store
    usage: Store
    subjects: SubjectDirectory
    cache: FoldCache = field(default_factory=FoldCache)

    def fold_new(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were just put into the log; how many events count."""
        return sum(self._fold(organization, batch, 0, now_ms) for batch in _batches(entries))

    def fold_outstanding(self, organization: str, now_ms: int, since_ms: int | None = None) -> int:
        """Fold what the stream has not brought, or all since then; how many events count."""
        landed_ms = max(0, now_ms - SETTLING_MS)
        start = min(self._decided(organization).through_ms, since_ms or _NEVER_MS)
        batches = chain(_batches(self._entries(organization, start)), [None])
        return sum(
            self._fold(organization, batch, min(landed_ms, _accepted_ms(following)), now_ms)
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
        """Decide about a batch; once more for as long as the number of the fold is taken."""
        sent = list(self._events(organization, batch))
        while True:
            decided = self._decided(organization)
            events = list(self._new(organization, decided, sent))
            through = max(decided.through_ms, through_ms)
            moves_on = through > max(decided.through_ms, _accepted_ms(batch))
            if not events and not moves_on:
                return 0
            numbered = self._numbered(organization, events, now_ms // 1000)
            fold = Fold(decided.last_fold + 1, numbered, through)
            if self.usage.put_new(fold.to_item(organization, now_ms // 1000)):
                return len(events)

    def _decided(self, organization: str) -> Decided:
        head = read_head(organization, self.usage)
        after, through_ms, plan = (head.upto, head.through_ms, head.plan) if head else (0, 0, 0)
        folds = self.cache.unsettled(organization, self.usage, head)
        last = folds[-1] if folds else Fold(after, (), through_ms)
        return Decided(last.number, last.through_ms, plan, folds)

    def _events(self, organization: str, batch: Iterable[Item]) -> Iterator[Event[str]]:
        for entry in batch:
            try:
                yield from log_entries.events_of(entry)
            except Undecodable:
                # It is kept for someone to look at.
                lasting = {name: value for name, value in entry.items() if name != "ttl"}
                self.usage.put({**lasting, "pk": keys.parked(organization)})

    def _new(
        self, organization: str, decided: Decided, sent: Iterable[Event[str]]
    ) -> Iterator[Event[str]]:
        folded = set().union(*(fold.identities for fold in decided.unsettled))
        settled = {
            day: self.cache.counted(organization, self.usage, day, decided.settled_plan)
            for day in {event.identity[0] for event in sent}
        }
        for event in sent:
            day, digest = event.identity
            if (day, digest) not in folded and not any(digest in some for some in settled[day]):
                folded.add((day, digest))
                yield event

    def _numbered(
        self, organization: str, events: Sequence[Event[str]], now: int
    ) -> list[Event[int]]:
        subjects = list(dict.fromkeys(event.who for event in events))
        ordinals = self.subjects.ordinals(organization, subjects, now) if subjects else {}
        return [log_entries.numbered(event, ordinals[event.who]) for event in events]


def _accepted_ms(batch: Sequence[Item] | None) -> int:
    return int(batch[0]["sk"][:13]) if batch else _NEVER_MS


def _batches(entries: Iterable[Item]) -> Iterator[list[Item]]:
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
