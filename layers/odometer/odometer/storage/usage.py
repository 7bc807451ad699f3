"""Usage as reports ask for it: products by name, one view for the whole request."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Unavailable
from odometer.domain.kinds import Kind
from odometer.domain.time import Period, epoch_second
from odometer.readings.decisions import Product
from odometer.readings.reading import Used, View
from odometer.storage.dynamo import Table
from odometer.storage.shelf import TableShelf
from odometer.storage.tenancy import Tenancy


class Usage:
    """What the caller's organization has used, as it stood when the request came."""

    def __init__(self, table: Table, directory: Directory, tenancy: Tenancy, now: datetime) -> None:
        self._directory = directory
        self._tenancy = tenancy
        self._shelf = TableShelf(table)
        self._now = now

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
        return self._directory.kinds[product]

    def directory_with(self, found: Iterable[Used]) -> Directory:
        """The directory, with every user who appears in these figures.

        It was opened before the view was taken, so someone may have been registered between.
        """
        newest = max((used.users[-1] for used in found if used.users), default=-1)
        if newest >= self._directory.head.sizes["users"]:
            self._directory = self._tenancy.open(self._directory.organization.id)
        return self._directory

    def of_each(self, products: Sequence[str], period: Period) -> Mapping[str, Used | None]:
        """The same of several products, read in parallel; None where it could not be read."""
        if not self._readable:
            return dict.fromkeys(products)
        with ThreadPoolExecutor(max_workers=len(products)) as pool:
            found = pool.map(lambda product: self._attempt(product, period), products)
            return dict(zip(products, found, strict=True))

    @property
    def _readable(self) -> bool:
        try:
            return self.view is not None
        except Unavailable:
            return False

    def _attempt(self, product: str, period: Period) -> Used | None:
        try:
            return self.of(product, period)
        except Unavailable:
            return None
