"""Fold: decide once, in order, which of the accepted events count.

The stream brings new entries; the schedule reads the log from where nothing is outstanding. Both
may run at once and die anywhere: the one put of a fold's number decides, and events of earlier
folds are left out.

While many events are unsettled, entries with late events wait in the log: the stream passes them
over, and the schedule stops before them, so that settling keeps up and reports stay cheap. They
wait an hour at most: where more comes than is settled meanwhile, few are never unsettled.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice, pairwise, takewhile
from typing import Final, NamedTuple

from odometer.domain.errors import Corrupt
from odometer.domain.events import Event
from odometer.domain.values import SentValue
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold
from odometer.engine.format.lanes import elders
from odometer.engine.format.log_entries import SETTLING_MS, accepted_ms
from odometer.engine.memory import Memory
from odometer.engine.store import Item, KeyRange, Store, SubjectDirectory
from odometer.engine.write.counted import Counted, Identity, Tail
from odometer.engine.write.settle import GRACE_SECONDS

FOLD_BYTES: Final = 300_000
"""Entries are folded together up to this size; one entry alone always fits."""
LONGEST_WAIT_MS: Final = 3_600_000
"""An entry with late events that was accepted longer ago waits no longer than others."""
_FIRST_PAGE: Final = 8
"""Whoever folds a large import stops after a few entries; each further page is twice as large."""
_PAGE: Final = 64
_NEVER_MS: Final = 10**13 - 1


class Limits(NamedTuple):
    """How much is folded before settling, or another organization, has its turn."""

    tail: int = 2_500
    """Late events wait in the log while more events than this are unsettled: every report reads
    them, and looks up whose days they count."""
    events: int = 50_000
    """A run of the schedule stops when it has read about so many."""
    most: int = 100_000
    """All events wait while more than these are unsettled: every report reads them, 30 MB."""
    entries: int = 256
    """What waits is counted up to this many entries of the log."""


LIMITS: Final = Limits()


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


def by_lane(entries: Iterable[Item]) -> Mapping[int, list[Item]]:
    lanes: defaultdict[int, list[Item]] = defaultdict(list)
    for entry in entries:
        lanes[keys.lane_of(entry["pk"])].append(entry)
    return lanes


@dataclass(frozen=True)
class Folding:
    """Folds log entries of any organization."""

    log: Store
    usage: Store
    subjects: SubjectDirectory
    memory: Memory = field(default_factory=Memory)
    limits: Limits = LIMITS
    done: Counter[str] = field(default_factory=Counter)
    """How many events this process has folded, of all organizations."""

    def fold_new(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were just put into the log; how many events count."""
        return self._fold_all(organization, entries, now_ms, Late.LEFT)

    def fold_again(self, organization: str, entries: Iterable[Item], now_ms: int) -> int:
        """Fold entries that were folded long ago; how many events had been missed."""
        return self._fold_all(organization, entries, now_ms, Late.FOLDED)

    def fold_outstanding(self, organization: str, now_ms: int) -> bool:
        """Fold what the stream has not brought; whether more is outstanding.

        Then what is unsettled may have to be settled first.
        """
        tails = self._counted.tails(organization)
        open_ones = [tail for tail in tails if self._is_open(organization, tail, now_ms)]
        more = [self._fold_lane(organization, tail, now_ms) for tail in open_ones]
        return any(more)

    def watermarks(self, organization: str) -> list[int]:
        """Every batch of each lane accepted before this was folded, as of now."""
        return [tail.through_ms for tail in self._counted.tails(organization)]

    def unsettled(self, organization: str) -> int:
        """How many events were not settled when the organization was last folded here."""
        return sum(tail.events for tail in self._counted.remembered_tails(organization))

    def holds_back(self, organization: str) -> bool:
        """Whether entries waited in the log for settling when it was last folded here."""
        return any(t.holds_back for t in self._counted.remembered_tails(organization))

    def leaves_some(self, organization: str, lanes: int, now_ms: int) -> bool:
        """Whether entries stay in the log for now: of lanes that are not open, or late ones."""
        tails = self._counted.tails(organization)
        open_ones = {tail.lane for tail in tails if self._is_open(organization, tail, now_ms)}
        others = set(range(lanes)) - open_ones
        waits = any(next(self.entries(organization, 0, 1, lane), None) for lane in others)
        return waits or self.holds_back(organization)

    def through_ms(self, organization: str, lane: int) -> int:
        """The watermark of a lane when it was last folded here."""
        tail = self._counted.remembered_tail(organization, lane)
        return tail.through_ms if tail else 0

    def waiting(self, organization: str, now_ms: int) -> Waiting:
        """What is in the log, and no fold is known to have passed it."""
        found = [self._waiting(organization, t, now_ms) for t in self._counted.tails(organization)]
        oldest = (waiting.oldest_ms for waiting in found if waiting.oldest_ms is not None)
        return Waiting(sum(waiting.entries for waiting in found), min(oldest, default=None))

    def entries(
        self, organization: str, start_ms: int, page: int = _PAGE, lane: int = 0
    ) -> Iterator[Item]:
        """The entries of a lane's log that were accepted since then."""
        first = keys.entry(start_ms)
        while first:
            key_range = KeyRange(keys.log(organization, lane), first, keys.TOP, limit=page)
            (items,) = self.log.read([key_range])
            yield from items
            first = items[-1]["sk"] + "\0" if len(items) == page else ""
            page = min(2 * page, _PAGE)

    @property
    def _counted(self) -> Counted:
        return Counted(self.usage, self.memory)

    def _fold_all(self, organization: str, entries: Iterable[Item], now_ms: int, late: Late) -> int:
        """Fold entries of any lanes; those of a lane that is not open stay in the log."""
        count = 0
        for lane, own in by_lane(entries).items():
            tail = self._counted.tail(organization, lane)
            if self._is_open(organization, tail, now_ms):
                for batch in self._batches(organization, own):
                    count += self._fold(organization, lane, batch, now_ms, late=late).events
        return count

    def _fold_lane(self, organization: str, tail: Tail, now_ms: int) -> bool:
        """Fold what is outstanding in a lane; whether more can be folded at once."""
        landed_ms, read, first_ms = max(0, now_ms - SETTLING_MS), 0, tail.through_ms
        entries = self.entries(organization, first_ms, _FIRST_PAGE, tail.lane)
        for batch, following in pairwise(chain(self._batches(organization, entries), [None])):
            sent = batch or []
            first_ms = first_ms if read else sent[0].accepted_ms
            next_ms = following[0].accepted_ms if following else _NEVER_MS
            through_ms = min(landed_ms, next_ms)
            done = self._fold(organization, tail.lane, sent, now_ms, through_ms, Late.STOP)
            if not done.is_whole:
                return True
            read += sum(len(entry.events) for entry in sent)
            if read >= self.limits.events // tail.lanes and through_ms > first_ms:
                return next_ms < landed_ms  # what is younger, the next run reads
        return False

    def _waiting(self, organization: str, tail: Tail, now_ms: int) -> Waiting:
        page, landed_ms = min(_PAGE, self.limits.entries), now_ms - SETTLING_MS
        accepted = map(accepted_ms, self.entries(organization, tail.through_ms, page, tail.lane))
        waiting = list(islice(takewhile(lambda ms: ms < landed_ms, accepted), self.limits.entries))
        return Waiting(len(waiting), waiting[0] if waiting else None)

    def _is_open(self, organization: str, tail: Tail, now_ms: int) -> bool:
        """Whether a lane folds: not before all that older lanes took of its events is settled.

        Until then an event may be in two logs, of which only one fold could know. The first entry
        shows when there were already more lanes; the first fold shows that the lane is open.
        """
        if tail.head is None or tail.lane >= tail.lanes:
            return not tail.lane
        if not tail.lane or tail.last:
            return True
        first = next(self.entries(organization, 0, 1, tail.lane), None)
        opens_ms = accepted_ms(first) + SETTLING_MS if first else now_ms
        return now_ms > opens_ms + SETTLING_MS and all(
            self._is_drained(organization, lane, tail.head.through_ms[lane], opens_ms)
            for lane in elders(tail.lane)
        )

    def _is_drained(self, organization: str, lane: int, through_ms: int, opens_ms: int) -> bool:
        """Whether what a lane accepted up to a time is settled: its log has no more of it."""
        following = next(self.entries(organization, through_ms, 1, lane), None)
        return following is None or accepted_ms(following) > opens_ms

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
        except Corrupt:
            self._park(organization, item, "undecodable")
            return ()

    def _park(self, organization: str, item: Item, reason: str) -> None:
        """Keep an entry for someone to look at."""
        lasting = {name: value for name, value in item.items() if name != "ttl"}
        self.usage.put({**lasting, "pk": keys.parked(organization), "reason": reason})

    def _fold(
        self,
        organization: str,
        lane: int,
        batch: Batch,
        now_ms: int,
        through_ms: int = 0,
        late: Late = Late.FOLDED,
    ) -> Folded:
        """Decide about a batch; once more for as long as the number of the fold is taken."""
        while True:
            tail = self._counted.tail(organization, lane)
            counted = self._known_before(organization, tail, batch, late)
            chosen = list(self._chosen(tail, batch, now_ms, late, counted or set()))
            is_whole = len(chosen) == len(batch)
            tail.holds_back = tail.holds_back or not is_whole
            if not chosen:
                return Folded(0, is_whole)
            if not is_whole:
                through_ms = min(through_ms, batch[len(chosen)].accepted_ms)
            events = self._new(organization, tail, chosen, now_ms // 1000, counted)
            through = max(tail.through_ms, through_ms)
            if not events and through <= max(tail.through_ms, chosen[0].accepted_ms):
                return Folded(0, is_whole)
            fold = Fold(tail.last + 1, events, through, lane)
            item = fold.to_item(organization, now_ms // 1000)
            if self.usage.put_new(item):
                self._counted.remember(organization, tail, item)
                self.done["folded"] += len(events)
                return Folded(len(events), is_whole)

    def _known_before(
        self, organization: str, tail: Tail, batch: Batch, late: Late
    ) -> set[Identity] | None:
        """What counts already of a batch that may have to wait; None where it is folded anyway."""
        sent = [event for entry in batch for event in entry.events]
        is_long = tail.events + len(sent) > self.limits.tail // tail.lanes
        if late is Late.STOP and is_long:
            return set(self._counted.among(organization, tail, sent))
        return None

    def _chosen(
        self, tail: Tail, batch: Batch, now_ms: int, late: Late, counted: Collection[Identity]
    ) -> Iterator[Entry]:
        """What is folded of a batch; the more is unsettled, the more waits."""
        now = now_ms // 1000
        sealed = tail.head.sealed if tail.head else now - GRACE_SECONDS
        unsettled = tail.events
        for entry in batch:
            new = [
                event.second
                for event in entry.events
                if event not in tail and event.identity not in counted
            ]
            waited = late is Late.STOP and now_ms - entry.accepted_ms >= LONGEST_WAIT_MS
            is_late = min(new, default=now) < sealed and not waited
            most = (self.limits.tail if is_late else self.limits.most) // tail.lanes
            if late is Late.FOLDED or not new or unsettled <= most:
                unsettled += len(new)
                yield entry
            elif late is Late.STOP:
                return

    def _new(
        self,
        organization: str,
        tail: Tail,
        batch: Batch,
        now: int,
        counted: Collection[Identity] | None,
    ) -> list[Event[int]]:
        """The events that do not count yet, of users whom the directory knows by now."""
        sent: dict[Identity, Event[str]] = {}
        for event in (event for entry in batch for event in entry.events):
            sent.setdefault(event.identity, event)
        if counted is None:
            counted = set(self._counted.among(organization, tail, sent.values()))
        new = [event for identity, event in sent.items() if identity not in counted]
        subjects = list(dict.fromkeys(event.who for event in new))
        known = self.subjects.ordinals(organization, subjects, now) if subjects else {}
        self._park_unknown(organization, batch, set(subjects) - known.keys())
        mine = [event for event in new if event.who in known]
        values = self._numbers_of_values(organization, mine, now)
        return [log_entries.numbered(event, known[event.who], values) for event in mine]

    def _numbers_of_values(
        self, organization: str, events: Iterable[Event[str]], now: int
    ) -> Mapping[SentValue, int]:
        """Those of the values that events have, which the directory knows by then."""
        sent = dict.fromkeys(value for event in events for value in log_entries.values_of(event))
        return self.subjects.values(organization, list(sent), now) if sent else {}

    def _park_unknown(self, organization: str, batch: Batch, subjects: Collection[str]) -> None:
        """Keep entries with users who cannot be registered, before a fold passes them over."""
        for entry in batch if subjects else ():
            if any(event.who in subjects for event in entry.events):
                self._park(organization, entry.item, "unknown subject")
