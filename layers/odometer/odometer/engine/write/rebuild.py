"""Rebuild: make frames again from segments, beside the old ones, and show them; retire the old.

Wanted when too much came late, when the organization moves to another zone, or when `verify` has
found drift. Readers and cursors keep the old generation until the head names the new one. What is
removed twice is removed once, so retiring may die anywhere and be run by several at once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import product as pairs
from typing import Final

from odometer.domain.events import utc_date
from odometer.domain.time import DAY, KEPT_FOR_CURSORS, SECOND
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    LOCAL,
    Gap,
    Rebuild,
    UsageHead,
    heaviest,
    includes,
    read_head,
    read_plan,
)
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_date, years_with_frames
from odometer.engine.store import KeyRange, Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.inside import without_replaced
from odometer.engine.write.settle import Catalog, Settling
from odometer.engine.write.steps import BUDGET, Progress, Reached, Step, take

_PAGE: Final = 100
_LATER_PLANS: Final = "}"
"""Sorts after every product, and before the mark of what is cleared."""
_PATIENCE: Final = 8
_SEVERAL: Final = 4
_GENERATIONS: Final = 64
"""The head keeps no more generations than this."""
_KEPT_SECONDS: Final = KEPT_FOR_CURSORS // SECOND
LATE_BYTES: Final = 32_768
"""A year of a product with more than this in late items is worth making again."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Rebuilds frames of any organization."""

    usage: Store
    settling: Settling

    def wanted(self, organization: str, zone: str) -> str | None:
        """What to make again, if anything; while folds wait to be settled, more is to come."""
        head = read_head(organization, self.usage)
        if head is None or head.zone != zone:
            return LOCAL if head else None
        waiting = KeyRange(keys.folds(organization), keys.number(head.upto + 1), keys.TOP, limit=1)
        most = LATE_BYTES * (_PATIENCE if self.usage.read([waiting])[0] else 1)
        return _widest([scope for scope, weight in head.late_bytes.items() if weight > most], head)

    def request(self, organization: str, scope: str, zone: str) -> None:
        head = read_head(organization, self.usage)
        if head:
            zone = zone if scope in {ALL, LOCAL} else head.zone
            rebuild = Rebuild(head.rebuilt + 1, scope, head.plan, head.sealed, zone)
            self.usage.put_new(rebuild.to_item(organization))

    def rebuild(self, organization: str, now: int, budget: int = BUDGET) -> bool:
        """Do some steps of the rebuild that is under way; whether there was one."""
        head = read_head(organization, self.usage)
        rebuild = self._current(organization, head) if head else None
        if head is None or rebuild is None:
            return False
        steps, start = self._steps(organization, rebuild, head), Reached(rebuild.done, rebuild.late)
        taken = take(steps, start, budget, partial(self._save, organization, rebuild))
        if taken.finished:
            new_head = _with_generation(head, rebuild, taken.reached.late, now)
            catalog = self.settling.catalog(organization)
            running = without_replaced(head.running, catalog, rebuild)
            new_head = replace(new_head, running=running)
            self.usage.put_newer(new_head.to_item(organization), "version")
        return True

    def progress(self, organization: str) -> Progress:
        """How far the rebuild is that is under way."""
        head = read_head(organization, self.usage)
        rebuild = self._current(organization, head) if head else None
        if head is None or rebuild is None:
            return Progress(0, 0)
        return Progress.along(self._steps(organization, rebuild, head), rebuild.done)

    def _current(self, organization: str, head: UsageHead) -> Rebuild | None:
        number = keys.number(head.rebuilt + 1)
        item = self.usage.get(keys.rebuilds(organization), number)
        return Rebuild.from_item(item) if item else None

    def _save(self, organization: str, rebuild: Rebuild, reached: Reached) -> None:
        further = replace(rebuild, done=reached.done, late=reached.late)
        self.usage.put_newer(further.to_item(organization), "done")

    def _steps(self, organization: str, rebuild: Rebuild, head: UsageHead) -> Iterator[Step]:
        """Seal all days again as of one plan, then do the plans since."""
        for name, product, year in self._years(organization, rebuild):
            for step in self._steps_of_year(organization, rebuild, product, year, head):
                yield step.of(name)
        for number in range(rebuild.plan + 1, head.plan + 1):
            for step in self._steps_of_plan(organization, rebuild, number, head):
                yield step.of(f"{_LATER_PLANS}{keys.number(number)}")

    def _years(self, organization: str, rebuild: Rebuild) -> list[tuple[str, MeteredProduct, int]]:
        """Every year of a product to write, in the order of their names.

        More may appear meanwhile; they are of later plans and hold nothing to write.
        """
        return sorted(
            (f"{product.id}#{year}", product, year)
            for product in self.settling.catalog(organization)
            for year in years_with_frames(
                organization, self.usage, product.id, self._sealed(rebuild, product).year + 1
            )
            if rebuild.covers(product, year)
        )

    def _sealed(self, rebuild: Rebuild, product: MeteredProduct) -> date:
        return calendar.day_of(rebuild.sealed, calendar.zone_of(product.kind, rebuild.zone))

    def _steps_of_year(
        self,
        organization: str,
        rebuild: Rebuild,
        product: MeteredProduct,
        year: int,
        head: UsageHead,
    ) -> Iterator[Step]:
        """Write the sealed days of a year as if all its events had come in time."""
        writer = FrameWriter(
            organization,
            self.usage,
            product,
            calendar.zone_of(product.kind, rebuild.zone),
            lambda _: rebuild.generation,
            rebuild.plan,
            len(self.settling.catalog(organization)),
            product.id in head.running,
        )
        end = min(self._sealed(rebuild, product), calendar.new_year(year + 1))
        return writer.steps_of_sealing(calendar.new_year(year), end, head.shards(product))

    def _steps_of_plan(
        self, organization: str, rebuild: Rebuild, number: int, head: UsageHead
    ) -> Iterator[Step]:

        def generation(product: MeteredProduct, year: int) -> int | None:
            return rebuild.generation if rebuild.covers(product, year) else None

        plan, in_zone = (
            read_plan(organization, self.usage, number),
            replace(head, zone=rebuild.zone),
        )
        if plan is None:
            raise Gap(organization, number)
        planned = self.settling.planned(organization, plan)
        return self.settling.steps_of_frames(organization, planned, in_zone, generation)


def _widest(heavy: Sequence[str], head: UsageHead) -> str | None:
    """One rebuild at a time: of all, of a year of several products, or of the first one."""
    if heavy and len(head.generations) >= _GENERATIONS:
        return ALL
    by_year = Counter(scope.partition("#")[2] for scope in heavy)
    several = (f"{ALL}#{year}" for year, count in by_year.items() if count >= _SEVERAL)
    return min(several, default=min(heavy, default=None))


def _with_generation(
    head: UsageHead, rebuild: Rebuild, late: Mapping[str, int], now: int
) -> UsageHead:
    """The head with the new generation; everything in it was written just now."""
    kept = {s: g for s, g in head.generations.items() if not includes(rebuild.scope, s)}
    elsewhere = {s: n for s, n in head.late_bytes.items() if not includes(rebuild.scope, s)}
    return replace(
        head,
        version=head.version + 1,
        rebuilt=rebuild.generation,
        zone=rebuild.zone,
        generations={**kept, rebuild.scope: rebuild.generation},
        fresh=head.freshened({ALL: ""}, now),
        late_bytes=heaviest(Counter(late) + Counter(elsewhere)),
    )


@dataclass(frozen=True, slots=True)
class Retirement:
    """Removes what an organization no longer needs."""

    usage: Store
    catalog: Catalog

    def generations(self, organization: str, now: int) -> None:
        """Remove the frames that rebuilds have replaced, once no cursor can name them."""
        head = read_head(organization, self.usage)
        rebuilds = self._rebuilds(organization, head) if head else []
        for rebuild in rebuilds:
            if not rebuild.shown:
                noticed = replace(rebuild, shown=now)
                self.usage.put_newer(noticed.to_item(organization), "shown")
            elif head and now - rebuild.shown > _KEPT_SECONDS and rebuild.done != keys.TOP:
                self._clear_replaced(organization, head, rebuild, rebuilds)
                cleared = replace(rebuild, done=keys.TOP)
                self.usage.put_newer(cleared.to_item(organization), "done")

    def years(self, organization: str, first_kept: int) -> None:
        """Remove what is of earlier years; events of a zone's New Year stay."""
        head = read_head(organization, self.usage)
        if head is None:
            return
        kept_from = calendar.new_year(first_kept) - DAY
        generations = [0, *(each.generation for each in self._rebuilds(organization, head))]
        for product in self.catalog(organization):
            first = first_date(organization, self.usage, product.id)
            if first and first < kept_from:
                for year, generation in pairs(range((first - DAY).year, first_kept), generations):
                    self._clear_frames(
                        organization, product, year, generation, head.shards(product)
                    )
                for day in calendar.days(first, kept_from):
                    self._clear(keys.identities(organization, day))
                # Last, because the first event says where to begin again.
                self._clear(keys.segments(organization, product.id), before=str(kept_from))

    def _rebuilds(self, organization: str, head: UsageHead) -> list[Rebuild]:
        shown = KeyRange(keys.rebuilds(organization), keys.BOTTOM, keys.number(head.rebuilt))
        return [Rebuild.from_item(item) for item in self.usage.read([shown])[0]]

    def _clear_replaced(
        self, organization: str, head: UsageHead, rebuild: Rebuild, rebuilds: Sequence[Rebuild]
    ) -> None:
        for product, year in self._covered(organization, head, rebuild):
            made = [each.generation for each in rebuilds if each.covers(product, year)]
            for generation in (0, *made):
                if generation < rebuild.generation:
                    self._clear_frames(
                        organization, product, year, generation, head.shards(product)
                    )

    def _covered(
        self, organization: str, head: UsageHead, rebuild: Rebuild
    ) -> Iterator[tuple[MeteredProduct, int]]:
        end = utc_date(head.sealed).year + 2
        return (
            (product, year)
            for product in self.catalog(organization)
            for year in years_with_frames(organization, self.usage, product.id, end)
            if rebuild.covers(product, year)
        )

    def _clear_frames(
        self, organization: str, product: MeteredProduct, year: int, generation: int, shards: int
    ) -> None:
        for shard in range(shards):
            self._clear(keys.frames(organization, product.id, year, generation, shard))

    def _clear(self, pk: str, before: str = keys.TOP) -> None:
        key_range = KeyRange(pk, keys.BOTTOM, before, limit=_PAGE)
        while items := self.usage.read([key_range])[0]:
            for item in items:
                self.usage.delete(pk, item["sk"])
