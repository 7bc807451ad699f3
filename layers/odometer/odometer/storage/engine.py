"""The engine on its tables: what the functions without a route run, for any organization."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from odometer.domain.time import epoch_ms, epoch_second
from odometer.readings.decisions import Product
from odometer.readings.fold import Folding
from odometer.readings.rebuild import Rebuilding
from odometer.readings.settle import Settling
from odometer.readings.shelf import Item
from odometer.settings import Settings
from odometer.storage.dynamo import Meter, Table
from odometer.storage.shelf import TableShelf
from odometer.storage.tenancy import Tenancy

LONGEST_TAIL = 5_000
"""More events than this are settled at once: the one knob between write and read cost."""


class Engine:
    """Fold, settle and rebuild, each safe to run at any time and twice at once."""

    def __init__(self, settings: Settings) -> None:
        self.meter = Meter()
        self.tenancy = Tenancy(Table(settings.directory_table, self.meter))
        self.usage = TableShelf(Table(settings.usage_table, self.meter))
        self.log = TableShelf(Table(settings.log_table, self.meter))
        self.folding = Folding(self.log, self.usage, self.tenancy)
        self.settling = Settling(self.usage, self.products)
        self.rebuilding = Rebuilding(self.usage, self.settling)

    def products(self, organization: str) -> list[Product]:
        """Every product that an organization has by now."""
        kinds = self.tenancy.open(organization).kinds
        return [Product(product, kind) for product, kind in kinds.items()]

    def ring(self, organization: str, entries: Sequence[Item], now: datetime) -> None:
        """Fold what was just accepted, and settle when the tail has become long."""
        self.folding.ring(organization, entries, epoch_ms(now))
        tail = self.folding.memory.folds.get(organization, [])
        if sum(len(fold.events) for fold in tail) > LONGEST_TAIL:
            self.settle(organization, now)

    def sweep(self, organization: str, now: datetime) -> None:
        """Fold what no bell has brought."""
        self.folding.sweep(organization, epoch_ms(now))

    def settle(self, organization: str, now: datetime) -> None:
        """Settle until nothing is left to do, and begin the rebuild that is due."""
        zone = self.tenancy.open(organization).organization.time_zone
        while self.settling.settle(organization, zone, epoch_second(now)):
            pass
        if scope := self.rebuilding.wanted(organization, zone):
            self.rebuilding.request(organization, scope, zone)

    def rebuild(self, organization: str, now: datetime) -> bool:
        """Take the rebuild that is on its way one step further; whether there was one."""
        return self.rebuilding.rebuild(organization, epoch_second(now))


@cache
def engine() -> Engine:
    """The process's one engine; warm, it knows what never changes."""
    return Engine(Settings.from_env())
