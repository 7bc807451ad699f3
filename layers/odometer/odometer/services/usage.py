"""Usage as reports ask for it: by the names of products, in one view for the whole request."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from functools import cache, cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Unavailable
from odometer.domain.kinds import DEFAULT_PRODUCTS, Kind
from odometer.domain.time import Period, epoch_ms, epoch_second
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, LOCAL
from odometer.engine.format.groups import Members
from odometer.engine.format.lanes import ByLane, widened
from odometer.engine.format.log_entries import SETTLING_MS, accepted_ms
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.read.latest import (
    LastActive,
    SecondsByBlock,
    former_last_active,
    last_active,
    seconds_are_known,
    seconds_of,
    users_by_month,
)
from odometer.engine.read.measuring import Used, measure, measure_each
from odometer.engine.read.people import PeopleSeries, series_of_some
from odometer.engine.read.projections import RowUsage, totals_in_blocks, usage_of_rows
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.services.ahead import ViewAhead
from odometer.services.tasks import Tasks, done
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Table

SWEPT_EVERY_MS = 60_000
"""A watermark that is younger than this is not worth a question."""


@dataclass(eq=False)
class Usage:
    """The usage of the caller's organization, as of the time of the request."""

    store: Table
    log: Table
    directory: Directory
    """The directory, at the version that belongs to the view."""
    directories: DirectoryStore
    now: datetime
    until: float
    """When reading is given up, by the monotonic clock."""
    ahead: ViewAhead | None = None
    tasks: Tasks = field(default_factory=Tasks)
    _asked_for: View | None = field(default=None, init=False)
    _read_through_ms: Callable[[], int] | None = field(default=None, init=False)
    _seconds: Future[SecondsByBlock] | None = field(default=None, init=False)
    _totals: dict[Period, Future[Mapping[str, RowUsage]]] = field(default_factory=dict, init=False)

    @cached_property
    def latest(self) -> View:
        view = self.ahead.view() if self.ahead else self._opened
        return replace(view, first_kept=self.directory.organization.first_kept(self.now))

    @property
    def _opened(self) -> View:
        organization, now = self.directory.organization, epoch_second(self.now)
        return View.latest(organization.id, self.store, organization.time_zone, now)

    @property
    def shown(self) -> View:
        """The one view that an answer is read from: the latest, unless a cursor names another."""
        return self._asked_for or self.latest

    @property
    def view(self) -> View:
        """The same for figures: the log, which tells how complete they are, is asked with them."""
        if self._read_through_ms is None:
            self._read_through_ms = self._begin_through_ms(self.shown)
        return self.shown

    @property
    def through_ms(self) -> int:
        """The view holds every batch that was accepted before this time, in whatever lane."""
        view = self.view
        return (self._read_through_ms or partial(min, view.watermarks))()

    def _begin_through_ms(self, view: View) -> Callable[[], int]:
        by_lane = widened(view.watermarks, self.directory.organization.lanes)
        settled = epoch_ms(self.now) - SETTLING_MS
        if min(by_lane) + SWEPT_EVERY_MS >= settled:
            return partial(min, by_lane)
        organization = self.directory.organization.id
        behind = [lane for lane, ms in enumerate(by_lane) if ms + SWEPT_EVERY_MS < settled]
        key_ranges = [
            KeyRange(keys.log(organization, lane), keys.entry(by_lane[lane]), keys.TOP, limit=1)
            for lane in behind
        ]
        following = self.tasks.read(self.log, key_ranges)
        return cache(partial(through_ms_of, by_lane, settled, behind, following))

    def go_back(self, version: int, pin: Mapping[str, Any]) -> None:
        """Read everything as it was when the first page was answered."""
        organization, now = self.directory.organization.id, self.directory
        read = partial(self.directories.former, organization, version, now)
        former = self.tasks.begin(read) if version != now.head.version else None
        self._asked_for = View.pinned(organization, self.store, pin, epoch_second(self.now))
        self.directory = former.result() if former else now

    def pin(self, products: Collection[str]) -> dict[str, Any]:
        """What a cursor keeps of the view: no more than these products need."""
        head = self.shown.head
        scopes = {scope for scope in head.generations if scope.rpartition("#")[0] in products}
        kept = replace(
            head,
            fresh={name: head.fresh[name] for name in {ALL, *products} & head.fresh.keys()},
            generations={
                scope: head.generations[scope]
                for scope in (scopes | {ALL, LOCAL}) & head.generations.keys()
            },
        )
        return replace(self.shown, head=kept).pin

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.view.head.zone)

    def of(self, product: str, period: Period) -> Used:
        return measure(self.view, self.measured(product), period)

    def of_periods(self, product: str, periods: Sequence[Period]) -> list[Used]:
        return measure_each(self.view, self.measured(product), periods)

    def of_person(self, user: int, period: Period) -> list[RowUsage]:
        return usage_of_rows(self.view, products_of(self.directory), period, PEOPLE, user)

    def totals(self, period: Period) -> Mapping[str, RowUsage]:
        self.expect_totals([period])
        return self._totals[period].result()

    def expect_totals(self, periods: Iterable[Period]) -> None:
        """Say that `totals` follow: they are read at once with whatever else is read."""
        view = self.view
        for period in periods:
            if period not in self._totals:
                self._totals[period] = self.tasks.begin(partial(self._totals_of, view, period))

    def _totals_of(self, view: View, period: Period) -> Mapping[str, RowUsage]:
        rows = usage_of_rows(view, products_of(self.directory), period, TOTALS)
        return {row.product.id: row for row in rows}

    def totals_in_blocks(self, product: str, edges: Sequence[int]) -> list[Mapping[str, int]]:
        """What everybody has used of a product in each stretch between two edges of time."""
        catalog = products_of(self.directory)
        return totals_in_blocks(self.view, catalog, self.measured(product), edges)

    def was_active(self, users: Collection[int]) -> Mapping[int, LastActive]:
        """When users were last active on any app, in the view."""
        return former_last_active(self.shown, users, self._expected_seconds)

    def last_active(self, users: Collection[int]) -> Mapping[int, LastActive]:
        """When users were last active on any app as of now, also where a cursor names a view."""
        return last_active(self.latest, users, self._expected_seconds)

    @property
    def _expected_seconds(self) -> SecondsByBlock | None:
        return self._seconds.result() if self._seconds else None

    def expect_last_active(self, users: Collection[int] | None = None) -> None:
        """Say that `last_active` follows: it is asked at once with whatever else is read."""
        is_open = self.ahead is not None and self.ahead.is_open
        is_known = is_open and seconds_are_known(self.latest, users)
        begin = done if is_known else self.tasks.begin
        self._seconds = begin(lambda: seconds_of(self.latest, users))

    def measured(self, product: str) -> MeteredProduct:
        return MeteredProduct(product, self.kind(product))

    def kind(self, product: str) -> Kind:
        return DEFAULT_PRODUCTS.get(product) or self.directory.kinds[product]

    def series_of_kinds(
        self,
        edges: Sequence[int],
        users: Collection[int] | None,
        members: Members | None,
        *kinds: str,
    ) -> Series | PeopleSeries:
        products = [
            MeteredProduct(name, kind)
            for name, kind in self.directory.kinds.items()
            if kind.name in kinds
        ]
        catalog = products_of(self.directory)
        return series_of_some(self.view, catalog, products, edges, users, members)

    def series_of(
        self, product: str, edges: Sequence[int], members: Members | None = None
    ) -> Series:
        return Series(self.view, [self.measured(product)], edges, members=members)

    def users_by_month(self, first: date, last: date) -> Mapping[date, int]:
        """The users with any usage in each month, as a number with a bit for every user."""
        return users_by_month(self.view, first, last)

    def directory_with(self, found: Iterable[Used]) -> Directory:
        """The directory, with every user who appears in these figures.

        It was opened before the view was taken: somebody may have been registered between the two.
        """
        return self.directory_of([used.lanes[-1] for used in found if used.lanes])

    def directory_of(self, users: Collection[int]) -> Directory:
        if max(users, default=-1) >= self.directory.head.sizes["users"]:
            self.directory = self.directories.open(self.directory.organization.id)
        return self.directory

    def of_each(self, products: Sequence[str], period: Period) -> Mapping[str, Used | None]:
        """What every user has used of each product; None for those not read in time."""
        seen = self.tasks.begin(lambda: self.view)
        reads = [
            self.tasks.begin(partial(self._used_of, seen, product, period)) for product in products
        ]
        wait(reads, timeout=max(0.0, self.until - time.monotonic()))
        for read in reads:
            read.cancel()
        return dict(zip(products, map(result_or_none, reads), strict=True))

    def _used_of(self, seen: Future[View], product: str, period: Period) -> Used:
        seen.result()
        return self.of(product, period)


def through_ms_of(
    by_lane: ByLane,
    settled: int,
    behind: Sequence[int],
    following: Callable[[], Sequence[Sequence[Item]]],
) -> int:
    """A watermark does not move while nothing comes: then the log shows that nothing came."""
    through_ms = dict(enumerate(by_lane))
    with suppress(Unavailable):  # then the watermarks, which are true but tell less
        for lane, entries in zip(behind, following(), strict=True):
            through_ms[lane] = max(by_lane[lane], min([settled, *map(accepted_ms, entries)]))
    return min(through_ms.values())


def products_of(directory: Directory) -> list[MeteredProduct]:
    """Every product of a directory, in the order in which the engine numbers them."""
    return [MeteredProduct(product, kind) for product, kind in directory.kinds.items()]


def result_or_none(reading: Future[Used]) -> Used | None:
    """What was read; None where storage failed, or has not answered yet."""
    try:
        return reading.result() if reading.done() else None
    except (Unavailable, CancelledError):
        return None
