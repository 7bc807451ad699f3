"""The engine on its tables: what the functions without a route run, for any organization."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from odometer.domain.time import KEPT_FOR_CURSORS, epoch_ms, epoch_second, instant_at
from odometer.engine.format import keys, log_entries
from odometer.engine.format.log_entries import Undecodable
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from odometer.engine.format.segments import years_with_frames
from odometer.engine.read.verify import Comparison, YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.engine.write.fold import Folding
from odometer.engine.write.rebuild import Rebuilding, Retirement
from odometer.engine.write.settle import Settling
from odometer.services.usage import products_of
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Table

LONGEST_TAIL = 5_000
"""More events than this are settled at once: the one knob between write and read cost."""
AUDITED_HOURS = 26
HOUR_MS = 3_600_000


class Findings(NamedTuple):
    """What must not be there; anything but zeros is somebody's work."""

    missed: int
    """Events that had long been accepted and were in no fold."""
    parked: int
    """Log entries that cannot be decoded."""


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
        self.folding = Folding(self.log, self.usage, self.directories)
        self.settling = Settling(self.usage, self.products)
        self.rebuilding = Rebuilding(self.usage, self.settling)
        self.retirement = Retirement(self.usage, self.products)

    def products(self, organization: str) -> list[MeteredProduct]:
        return [*products_of(self.directories.open(organization)), *PROJECTIONS]

    def fold_new(self, organization: str, entries: Sequence[Item], now: datetime) -> None:
        """Fold what was just accepted, and settle a plan when the tail has become long.

        One only: the next organization with new entries waits for it.
        """
        self.folding.fold_new(organization, entries, epoch_ms(now))
        if self.folding.unsettled(organization) > LONGEST_TAIL:
            self.settling.settle(organization, self._zone(organization), epoch_second(now))

    def fold_outstanding(self, organization: str, now: datetime) -> bool:
        """Fold what waits in the log; whether more waits, maybe until something is settled."""
        return self.folding.fold_outstanding(organization, epoch_ms(now))

    def settle(self, organization: str, now: datetime) -> None:
        """Settle until nothing is left to do, and begin the rebuild that is due."""
        zone = self._zone(organization)
        while self.settling.settle(organization, zone, epoch_second(now)):
            pass
        if scope := self.rebuilding.wanted(organization, zone):
            self.rebuilding.request(organization, scope, zone)

    def rebuild(self, organization: str, now: datetime) -> bool:
        """Take the rebuild that is on its way one step further; whether there was one."""
        return self.rebuilding.rebuild(organization, epoch_second(now))

    def retire(self, organization: str, now: datetime) -> None:
        """Remove what no cursor can name any more, and years that are kept no longer."""
        self.retirement.generations(organization, epoch_second(now))
        kept = self.directories.open(organization).organization.retention_years
        oldest_cursor = now - KEPT_FOR_CURSORS  # it may see last year's end
        self.retirement.years(organization, oldest_cursor.year - kept + 1)

    def audit(self, organization: str, now: datetime) -> Findings:
        """Fold the log of a day and more again, which must bring nothing."""
        now_ms = epoch_ms(now)
        through_ms = View.latest(organization, self.usage, "UTC", now_ms // 1000).through_ms
        missed = 0
        for start_ms in range(now_ms - AUDITED_HOURS * HOUR_MS, through_ms, HOUR_MS):
            end = keys.entry(min(start_ms + HOUR_MS, through_ms))
            key_range = KeyRange(keys.log(organization), keys.entry(start_ms), end)
            (entries,) = self.log.read([key_range])
            missed += self.folding.fold_again(organization, entries, now_ms)
        return Findings(missed, len(self.parked(organization)))

    def verify(self, organization: str, now: datetime) -> Iterator[Comparison]:
        """Every frame beside what the settled events say, by product and year."""
        view = View.latest(organization, self.usage, "UTC", epoch_second(now))
        for product in self.products(organization):
            for year in self.years(organization, product.id, now):
                yield YearCheck(view, product, year).compare()

    def years(self, organization: str, product: str, now: datetime) -> range:
        return years_with_frames(organization, self.usage, product, now.year + 1)

    def last_event(self, organization: str, now: datetime) -> datetime | None:
        """The instant of the latest event that has been folded; None before the first."""
        view = View.latest(organization, self.usage, "UTC", epoch_second(now))
        last = max((view.head.last, *(event.second for event in view.unsettled_events)))
        return instant_at(last) if last else None

    def parked(self, organization: str) -> list[Item]:
        (entries,) = self.usage.read([KeyRange(keys.parked(organization), keys.BOTTOM, keys.TOP)])
        return entries

    def redrive(self, organization: str, now: datetime) -> Redriven:
        """Put parked entries that can be decoded by now back into the log."""
        parked = self.parked(organization)
        readable = [entry for entry in parked if is_readable(entry)]
        for entry in readable:
            self.log.put_new(accepted_again(organization, entry, now))
            self.usage.delete(entry["pk"], entry["sk"])
        return Redriven(len(readable), len(parked) - len(readable))

    def _zone(self, organization: str) -> str:
        return self.directories.open(organization).organization.time_zone


def accepted_again(organization: str, entry: Item, now: datetime) -> Item:
    return {
        **entry,
        "pk": keys.log(organization),
        "sk": keys.entry(epoch_ms(now), secrets.token_hex(8)),
        "ttl": epoch_second(now) + log_entries.LOG_SECONDS,
    }


def is_readable(entry: Item) -> bool:
    try:
        return bool(log_entries.events_of(entry))
    except Undecodable:
        return False
