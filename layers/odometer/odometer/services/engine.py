"""The engine on its tables: what the functions without a route run, for any organization."""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple
from zlib import crc32

from odometer.domain.acts import Act, Action, Recorder
from odometer.domain.errors import Corrupt
from odometer.domain.kinds import KINDS
from odometer.domain.time import DAY, KEPT_FOR_CURSORS, epoch_ms, epoch_second, instant_at
from odometer.engine import calendar
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import UsageHead, read_head
from odometer.engine.format.lanes import ByLane
from odometer.engine.format.marks import FOLD, FOLD_AGAIN, GROUP, REBUILD, SETTLE
from odometer.engine.format.products import MeteredProduct, metered
from odometer.engine.format.segments import first_dates, years_with_frames
from odometer.engine.read.verify import Comparison, YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.engine.write.audit import Audit
from odometer.engine.write.fold import Folding
from odometer.engine.write.fold import Waiting as Unfolded
from odometer.engine.write.groups import Grouping
from odometer.engine.write.rebuild import Rebuilding
from odometer.engine.write.retire import Retirement
from odometer.engine.write.settle import GRACE_SECONDS, Settling
from odometer.engine.write.steps import Progress
from odometer.services.groups import divisions_of, form_of
from odometer.services.usage import products_of
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Table

LONGEST_TAIL = 5_000
"""More unsettled events than this are settled at once, others after `SETTLE_AFTER` seconds: the
two knobs between write and read cost."""
SETTLE_AFTER = 300
SEALS_SPREAD = 600
MOST_COUNTED = 100
"""Parked entries are counted up to this many: one is already somebody's work."""


class Findings(NamedTuple):
    """What must not be there; anything but zeros is somebody's work."""

    missed: int
    """Events that had long been accepted and were in no fold."""
    parked: int
    """Log entries that cannot be decoded or registered, counted up to 100."""


class Waiting(NamedTuple):
    """What an organization has to do, as far as it can be counted."""

    in_log: Unfolded
    """Batches accepted more than two minutes ago and not before the watermark.

    The stream may have folded them already: under steady traffic this is seldom 0.
    """
    events: int
    """Events that are folded, and so in reports, and not settled."""
    since: int | None
    """When the oldest of their folds was written."""
    plan: Progress
    rebuild: Progress
    parked: int
    audited_ms: int | None
    """Every batch accepted before this was audited; None before the first audit."""


class Redriven(NamedTuple):
    """What became of parked entries."""

    returned: int
    unreadable: int


class Engine:
    """Fold, settle and rebuild, each safe to run at any time and twice at once."""

    def __init__(self, directories: DirectoryStore, usage: Table, log: Table) -> None:
        self.directories = directories
        self.usage = usage
        self.log = log
        self.done = Counter[str]()
        """How many events this process has folded and settled, of all organizations."""
        self.folding = Folding(self.log, self.usage, self.directories, done=self.done)
        self.auditing = Audit(self.folding)
        self.settling = Settling(self.usage, self.products, self.done)
        self.rebuilding = Rebuilding(self.usage, self.settling)
        self.grouping = Grouping(self.usage, self.products)
        self.retirement = Retirement(self.usage, self.products)

    def products(self, organization: str) -> list[MeteredProduct]:
        return metered(products_of(self.directories.open(organization)))

    def fold_new(self, organization: str, entries: Sequence[Item], now: datetime) -> bool:
        """Fold what was just accepted; whether the tail has become long."""
        self.folding.fold_new(organization, entries, epoch_ms(now))
        return self._has_long_tail(organization)

    def fold_outstanding(self, organization: str, now: datetime) -> bool:
        """Fold what waits in the log; whether more can be folded before anything is settled."""
        more = self.folding.fold_outstanding(organization, epoch_ms(now))
        return more and not self._has_long_tail(organization)

    def settle(self, organization: str, now: datetime) -> bool:
        """Settle one step further; whether there was anything to do."""
        known = self.directories.open(organization).organization
        second = epoch_second(now)
        return self.settling.settle(organization, known.time_zone, second, lanes=known.lanes)

    def raise_lanes(
        self, organization: str, number: int, now: datetime, trail: Recorder | None = None
    ) -> int:
        """Let an organization have so many lanes, or more if it has; how many it has had.

        The directory says so to whoever accepts, and the head follows, at the latest when something
        is settled.
        """
        act = Act(Action.LANES_RAISED, details={"lanes": number})
        before = self.directories.change(
            organization,
            now,
            lambda edit: edit.raise_lanes(number),
            (lambda _edit, _before, write: trail.commit(act, write)) if trail else None,
        )
        known = self.directories.open(organization).organization
        self.settling.head_with(organization, known.time_zone, epoch_second(now), known.lanes)
        return before

    def rebuild(self, organization: str, now: datetime) -> bool:
        """Take the rebuild that is on its way, or due, one step further; whether there was one."""
        zone = self._zone(organization)
        if scope := self.rebuilding.wanted(organization, zone):
            self.rebuilding.request(organization, scope, zone)
        return self.rebuilding.rebuild(organization, epoch_second(now))

    def group(self, organization: str, now: datetime) -> None:
        """Add up some more weeks by team and department."""
        directory, head = (
            self.directories.open(organization),
            read_head(organization, self.usage),
        )
        if head:
            self.grouping.write(
                organization,
                head,
                divisions_of(directory, head.zone, head.users),
                form_of(directory.head),
                directory.head.version,
                epoch_second(now),
            )

    def remaining(self, organization: str, now: datetime) -> dict[str, int]:
        """The tasks that an organization has left, and from which second on each is due."""
        head = read_head(organization, self.usage)
        unsettled = self._unsettled_since(organization, head.upto if head else (0,))
        waits, is_long = self._waits_in_log(organization, head), self._has_long_tail(organization)
        due = {FOLD: epoch_second(now) + FOLD_AGAIN} if waits else {}
        settle = [unsettled + (0 if is_long else SETTLE_AFTER)] if unsettled else []
        if settle := settle + seals_at(organization, head):
            due[SETTLE] = min(settle)
        if head:
            directory = self.directories.open(organization)
            if head.lanes < directory.organization.lanes:
                due[SETTLE] = epoch_second(now)
            form = form_of(directory.head)
            group = self.grouping.due(organization, head, form, epoch_second(now))
            due |= {GROUP: group} if group is not None else {}
        if head and self._rebuilds(organization, head):
            due[REBUILD] = epoch_second(now)
        return due

    def retire(self, organization: str, now: datetime) -> bool:
        """Remove what no cursor can name any more, and years that are kept no longer.

        One bounded step; whether there may be more.
        """
        if self.retirement.generations(organization, epoch_second(now)):
            return True
        oldest_cursor = now - KEPT_FOR_CURSORS  # it may see last year's end
        first_kept = self.directories.open(organization).organization.first_kept(oldest_cursor)
        return self.retirement.years(organization, first_kept)

    def audit(self, organization: str, now: datetime) -> tuple[Findings, bool]:
        """Fold a piece of the log again, which must bring nothing; whether more is left."""
        piece = self.auditing.step(organization, epoch_ms(now))
        findings = Findings(piece.missed, self.parked(organization))
        return findings, not piece.is_last

    def verify(self, organization: str, now: datetime) -> Iterator[Comparison]:
        """Every frame beside what the settled events say, by product and year."""
        view = View.latest(organization, self.usage, "UTC", epoch_second(now))
        products = self.products(organization)
        for product, year in self.years(organization, products, now):
            yield YearCheck(view, product, year, len(products)).compare()

    def years(
        self, organization: str, products: Sequence[MeteredProduct], now: datetime
    ) -> Iterator[tuple[MeteredProduct, int]]:
        """Every year in which one of these products may have frames."""
        for product, first in first_dates(organization, self.usage, products):
            yield from ((product, year) for year in years_with_frames(first, now.year + 1))

    def last_event(self, organization: str, now: datetime) -> datetime | None:
        """The instant of the latest event that has been folded; None before the first."""
        view = View.latest(organization, self.usage, "UTC", epoch_second(now))
        last = max((view.head.last, *(event.second for event in view.unsettled_events)))
        return instant_at(last) if last else None

    def parked(self, organization: str) -> int:
        """How many log entries are parked, counted up to a number that is work enough."""
        some = KeyRange(keys.parked(organization), keys.BOTTOM, keys.TOP, limit=MOST_COUNTED)
        (entries,) = self.usage.read([some])
        return len(entries)

    def redrive(self, organization: str, now: datetime) -> Redriven:
        """Put parked entries that can be decoded by now back into the log."""
        returned, unreadable = 0, 0
        lanes = self.directories.open(organization).organization.lanes
        parked = KeyRange(keys.parked(organization), keys.BOTTOM, keys.TOP)
        for entry in chain.from_iterable(self.usage.pages(parked)):
            if is_readable(entry):
                for again in accepted_again(organization, entry, now, lanes):
                    self.log.put_new(again)
                self.usage.delete(entry["pk"], entry["sk"])
                returned += 1
            else:
                unreadable += 1
        return Redriven(returned, unreadable)

    def unsettled_events(self, organization: str, now: datetime) -> int:
        """How many events reports count that are not settled; `verify` does not compare them."""
        view = View.latest(organization, self.usage, "UTC", epoch_second(now))
        return sum(len(fold.events) for fold in view.unsettled)

    def waiting(self, organization: str, now: datetime) -> Waiting:
        """Count all that waits, for operators: it reads every unsettled fold."""
        head = read_head(organization, self.usage)
        return Waiting(
            self.folding.waiting(organization, epoch_ms(now)),
            self.unsettled_events(organization, now),
            self._unsettled_since(organization, head.upto if head else (0,)),
            self.settling.progress(organization),
            self.rebuilding.progress(organization),
            self.parked(organization),
            self.auditing.through_ms(organization),
        )

    def _has_long_tail(self, organization: str) -> bool:
        """Whether to settle at once, because much is unsettled or something waits for that."""
        folding = self.folding
        return folding.unsettled(organization) > LONGEST_TAIL or folding.holds_back(organization)

    def _unsettled_since(self, organization: str, by_lane: ByLane) -> int | None:
        """The second in which the oldest fold that is not settled was written."""
        following = [
            KeyRange(keys.folds(organization, lane), keys.number(upto + 1), keys.TOP, limit=1)
            for lane, upto in enumerate(by_lane)
        ]
        folds = chain.from_iterable(self.usage.read(following))
        written = (int(fold["ttl"]) - log_entries.LOG_SECONDS for fold in folds)
        return min(written, default=None)

    def _waits_in_log(self, organization: str, head: UsageHead | None) -> bool:
        """Whether the log has an entry after the last watermark that is known of its lane."""
        following = [
            KeyRange(
                keys.log(organization, lane),
                keys.entry(max(through, self.folding.through_ms(organization, lane))),
                keys.TOP,
                limit=1,
            )
            for lane, through in enumerate(head.through_ms if head else (0,))
        ]
        return any(self.log.read(following))

    def _rebuilds(self, organization: str, head: UsageHead) -> bool:
        """Whether a rebuild is on its way or due."""
        number = keys.number(head.rebuilt + 1)
        return bool(
            self.usage.get(keys.rebuilds(organization), number)
            or self.rebuilding.wanted(organization, self._zone(organization))
        )

    def _zone(self, organization: str) -> str:
        return self.directories.open(organization).organization.time_zone


def seals_at(organization: str, head: UsageHead | None) -> list[int]:
    """When the next day with events can be sealed: not all organizations in the same minute."""
    if head is None:
        return []
    zones = {calendar.zone_of(kind, head.zone) for kind in KINDS.values()}
    days = ((calendar.day_of(head.sealed, zone), zone) for zone in zones)
    ends = [
        calendar.first_second(day + DAY, zone)
        for day, zone in days
        if day <= calendar.day_of(head.last, zone)
    ]
    spread = crc32(organization.encode()) % SEALS_SPREAD
    return [min(ends) + GRACE_SECONDS + spread] if ends else []


def accepted_again(organization: str, entry: Item, now: datetime, lanes: int) -> list[Item]:
    events, random = log_entries.events_of(entry), secrets.token_hex(8)
    return log_entries.to_items(organization, events, epoch_ms(now), random, lanes)


def is_readable(entry: Item) -> bool:
    try:
        return bool(log_entries.events_of(entry))
    except Corrupt:
        return False
