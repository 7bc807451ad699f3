"""Fold: decide once, in order, which of the accepted events count.

The stream brings new entries; the schedule reads the log from where nothing is outstanding. Both
may run at once and die anywhere: the one put of a fold's number decides, and events of earlier
folds are left out.

While many events are unsettled, entries with late events wait in the log: the stream passes them
over, and the schedule stops before them, so that settling keeps up and reports stay cheap.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import chain, islice, pairwise, takewhile
from typing import Final, NamedTuple

from odometer.domain.events import Event
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold
from odometer.engine.format.log_entries import Undecodable
from odometer.engine.store import Item, KeyRange, Store, SubjectDirectory
from odometer.engine.write.counted import Counted, Identity, Memory, Tail
from odometer.engine.write.settle import GRACE_SECONDS

SETTLING_MS: Final = 120_000
"""An entry stamped longer ago than this is in the log or never will be: a put is tried for 20 s."""
FOLD_BYTES: Final = 300_000
"""Entries are folded together up to this size; one entry alone always fits."""
_PAGE: Final = 64
_NEVER_MS: Final = 10**13 - 1


class Limits(NamedTuple):
    """How much is folded before settling, or another organization, has its turn."""

    tail: int = 5_000
    """Late events wait in the log while more events than this are unsettled."""
    events: int = 50_000
    """A run of the schedule stops when it has read about so many."""
    most: int = 100_000
    """All events wait while more than these are unsettled: every report reads them, 30 MB."""
    entries: int = 256
    """What waits is counted up to this many entries of the log."""


LIMITS: Final = Limits()


def accepted_ms(entry: Item) -> int:
    return int(entry["sk"][:13])


class Entry(NamedTuple):
    """An entry of the log, and its events if they can be decoded."""

    item: Item
    events: Sequence[Event[str]]

    @property
    def accepted_ms(self) -> int:
        return accepted_ms(self.item)


class Waiting(NamedTuple):
    """Entries of the log that are behind the watermark for longer than usual."""

    entries: int
    """As many as these, or more if it is the limit."""
    oldest_ms: int | None
    """When the first of them was accepted."""


class Folded(NamedTuple):
    """What became of a batch."""

    events: int
    """So many events count that did not before."""
    is_whole: bool
    """Whether none of its entries was left in the log."""


class Late(StrEnum):
    """What is done with late entries while many events are unsettled."""

    FOLDED = "folded"
    LEFT = "left"
    STOP = "stop"
    """They are left, and so is all that follows."""


Batch = Sequence[Entry]


@dataclass(frozen=True)
class Folding:
    """Folds log entries of any organization."""

    log: Store
    usage: Store
    subjects: SubjectDirectory
    memory: Memory = field(default_factory=Memory)
    limits: Limits = LIMITS

    def fold_new(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were just put into the log; how many events count."""
        fold = partial(self._fold, organization, now_ms=now_ms, late=Late.LEFT)
        return sum(fold(batch).events for batch in self._batches(organization, entries))

    def fold_again(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were folded long ago; how many events had been missed."""
        fold = partial(self._fold, organization, now_ms=now_ms, late=Late.FOLDED)
        return sum(fold(batch).events for batch in self._batches(organization, entries))

    def fold_outstanding(self, organization: str, now_ms: int) -> bool:
        """Fold what the stream has not brought; whether more is outstanding.

        Then what is unsettled may have to be settled first.
        """
        landed_ms, read = max(0, now_ms - SETTLING_MS), 0
        first_ms = self._counted.tail(organization).through_ms
        batches = self._batches(organization, self.entries(organization, first_ms))
        for batch, following in pairwise(chain(batches, [None])):
            sent = batch or []
            first_ms = first_ms if read else sent[0].accepted_ms
            next_ms = following[0].accepted_ms if following else _NEVER_MS
            done = self._fold(organization, sent, now_ms, min(landed_ms, next_ms), Late.STOP)
            if not done.is_whole:
                return True
            read += sum(len(entry.events) for entry in sent)
            if read >= self.limits.events and min(landed_ms, next_ms) > first_ms:
                return next_ms < landed_ms  # what is younger, the next run reads
        return False

    def watermark(self, organization: str) -> int:
        """Every batch accepted before this was folded, as of now."""
        return self._counted.tail(organization).through_ms

    def unsettled(self, organization: str) -> int:
        """How many events were not settled when the organization was last folded here."""
        tail = self._counted.remembered_tail(organization)
        return tail.events if tail else 0

    def through_ms(self, organization: str) -> int:
        """The watermark when the organization was last folded here."""
        tail = self._counted.remembered_tail(organization)
        return tail.through_ms if tail else 0

    def waiting(self, organization: str, now_ms: int) -> Waiting:
        """What is in the log, and no fold is known to have passed it."""
        through_ms, landed_ms = self._counted.tail(organization).through_ms, now_ms - SETTLING_MS
        entries = self.entries(organization, through_ms, min(_PAGE, self.limits.entries))
        accepted = map(accepted_ms, entries)
        waiting = list(islice(takewhile(lambda ms: ms < landed_ms, accepted), self.limits.entries))
        return Waiting(len(waiting), waiting[0] if waiting else None)

    def entries(self, organization: str, start_ms: int, page: int = _PAGE) -> Iterator[Item]:
        """The entries of the log that were accepted since then."""
        first = keys.entry(start_ms)
        while first:
            key_range = KeyRange(keys.log(organization), first, keys.TOP, limit=page)
            (items,) = self.log.read([key_range])
            yield from items
            first = items[-1]["sk"] + "\0" if len(items) == page else ""

    @property
    def _counted(self) -> Counted:
        return Counted(self.usage, self.memory)

    def _batches(self, organization: str, entries: Iterable[Item]) -> Iterator[Batch]:
        batch: list[Entry] = []
        size = 0
        for item in entries:
            weight = sum(len(value) for value in item.values() if isinstance(value, bytes))
            if batch and size + weight > FOLD_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(Entry(item, self._events(organization, item)))
            size += weight
        if batch:
            yield batch

    def _events(self, organization: str, item: Item) -> Sequence[Event[str]]:
        try:
            return log_entries.events_of(item)
        except Undecodable:
            self._park(organization, item, "undecodable")
            return ()

    def _park(self, organization: str, item: Item, reason: str) -> None:
        """Keep an entry for someone to look at."""
        lasting = {name: value for name, value in item.items() if name != "ttl"}
        self.usage.put({**lasting, "pk": keys.parked(organization), "reason": reason})

    def _fold(
        self,
        organization: str,
        batch: Batch,
        now_ms: int,
        through_ms: int = 0,
        late: Late = Late.FOLDED,
    ) -> Folded:
        """Decide about a batch; once more for as long as the number of the fold is taken."""
        while True:
            tail = self._counted.tail(organization)
            chosen = list(self._chosen(organization, tail, batch, now_ms // 1000, late))
            is_whole = len(chosen) == len(batch)
            if not chosen:
                return Folded(0, is_whole)
            if not is_whole:
                through_ms = min(through_ms, batch[len(chosen)].accepted_ms)
            events = self._new(organization, tail, chosen, now_ms // 1000)
            through = max(tail.through_ms, through_ms)
            if not events and through <= max(tail.through_ms, chosen[0].accepted_ms):
                return Folded(0, is_whole)
            fold = Fold(tail.last + 1, events, through).to_item(organization, now_ms // 1000)
            if self.usage.put_new(fold):
                self._counted.remember(organization, tail, fold)
                return Folded(len(events), is_whole)

    def _chosen(
        self, organization: str, tail: Tail, batch: Batch, now: int, late: Late
    ) -> Iterator[Entry]:
        """What is folded of a batch; the more is unsettled, the more waits."""
        sealed = tail.head.sealed if tail.head else now - GRACE_SECONDS
        unsettled = tail.events
        sent = [event for entry in batch for event in entry.events]
        matters = late is Late.STOP and unsettled + len(sent) > self.limits.tail
        counted = set(self._counted.among(organization, tail, sent if matters else ()))
        for entry in batch:
            new = [
                event.second
                for event in entry.events
                if event not in tail and event.identity not in counted
            ]
            is_late = min(new, default=now) < sealed
            most = self.limits.tail if is_late else self.limits.most
            if late is Late.FOLDED or not new or unsettled <= most:
                unsettled += len(new)
                yield entry
            elif late is Late.STOP:
                return

    def _new(self, organization: str, tail: Tail, batch: Batch, now: int) -> list[Event[int]]:
        """The events that do not count yet, of users whom the directory knows by now."""
        sent: dict[Identity, Event[str]] = {}
        for event in (event for entry in batch for event in entry.events):
            sent.setdefault(event.identity, event)
        counted = set(self._counted.among(organization, tail, sent.values()))
        new = [event for identity, event in sent.items() if identity not in counted]
        subjects = list(dict.fromkeys(event.who for event in new))
        known = self.subjects.ordinals(organization, subjects, now) if subjects else {}
        self._park_unknown(organization, batch, set(subjects) - known.keys())
        return [log_entries.numbered(each, known[each.who]) for each in new if each.who in known]

    def _park_unknown(self, organization: str, batch: Batch, subjects: Collection[str]) -> None:
        """Keep entries with users who cannot be registered, before a fold passes them over."""
        for entry in batch if subjects else ():
            if any(event.who in subjects for event in entry.events):
                self._park(organization, entry.item, "unknown subject")
