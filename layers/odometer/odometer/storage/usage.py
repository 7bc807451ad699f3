"""Usage as reports ask for it: products by name, one view for the whole request."""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from datetime import datetime
from functools import cached_property

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Unavailable
from odometer.domain.kinds import DEFAULT_PRODUCTS, Kind
from odometer.domain.time import Period, epoch_second
from odometer.readings.decisions import Product
from odometer.readings.reading import Used, View
from odometer.storage.dynamo import Table
from odometer.storage.shelf import TableShelf
from odometer.storage.tenancy import Tenancy


class Usage:
    """What the caller's organization has used, as it stood when the request came."""

    def __init__(
        self, table: Table, directory: Directory, tenancy: Tenancy, now: datetime, until: float
    ) -> None:
        self._directory = directory
        self._tenancy = tenancy
        self._shelf = TableShelf(table)
        self._now = now
        self._until = until
        """When reading is given up, by the monotonic clock."""

    @cached_property
    def view(self) -> View:
        """What was decided by now; everything in one answer is seen from here."""
        organization = self._directory.organization
        now = epoch_second(self._now)
        return View.latest(organization.id, self._shelf, organization.time_zone, now)

    def of(self, product: str, period: Period) -> Used:
        """What every user has used of a product."""
        return self.view.usage(Product(product, self.kind(product)), period)

    def kind(self, product: str) -> Kind:
        """What is measured of a product."""
        return DEFAULT_PRODUCTS.get(product) or self._directory.kinds[product]

    def directory_with(self, found: Iterable[Used]) -> Directory:
        """The directory, with every user who appears in these figures.

        It was opened before the view was taken, so someone may have been registered between.
        """
        newest = max((used.users[-1] for used in found if used.users), default=-1)
        if newest >= self._directory.head.sizes["users"]:
            self._directory = self._tenancy.open(self._directory.organization.id)
        return self._directory

    def of_each(self, products: Sequence[str], period: Period) -> Mapping[str, Used | None]:
        """The same of several products, read in parallel; None where it was not read in time."""
        pool = ThreadPoolExecutor(max_workers=len(products) + 1)
        seen = pool.submit(lambda: self.view)
        reads = [pool.submit(self._seen_of, seen, product, period) for product in products]
        wait(reads, timeout=max(0.0, self._until - time.monotonic()))
        pool.shutdown(wait=False, cancel_futures=True)
        return dict(zip(products, map(read_by, reads), strict=True))

    def _seen_of(self, seen: Future[View], product: str, period: Period) -> Used:
        """One product, once everything is seen from one view."""
        seen.result()
        return self.of(product, period)


def read_by(reading: Future[Used]) -> Used | None:
    """What was read; None where storage failed, or has not answered yet."""
    try:
        return reading.result() if reading.done() else None
    except (Unavailable, CancelledError):
        return None
