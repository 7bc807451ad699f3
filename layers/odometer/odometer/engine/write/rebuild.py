"""Rebuild: make frames again from segments, beside the old ones, and show them.

Wanted when too much came late, when the organization moves to another zone, or when `verify` has
found drift. Readers and cursors keep the old generation until the head names the new one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

from odometer.domain.frozen import frozen
from odometer.domain.time import KEPT_FOR_CURSORS, SECOND
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    LOCAL,
    PINNED_BYTES,
    Gap,
    Rebuild,
    UsageHead,
    heaviest,
    includes,
    read_head,
    read_plan,
)
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_dates, years_with_frames
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.inside import without_replaced
from odometer.engine.write.settle import Settling
from odometer.engine.write.steps import BUDGET, Progress, Reached, Step, in_names, take

_LATER_PLANS: Final = "}"
"""Sorts after every product, and before the mark of what is cleared."""
_PATIENCE: Final = 8
_SEVERAL: Final = 4
_GENERATIONS: Final = 64
"""The head keeps no more generations than this."""
_KEPT_SECONDS: Final = KEPT_FOR_CURSORS // SECOND
LATE_BYTES: Final = 32_768
"""A year of a product with more than this in late items is worth making again."""


@frozen
class Rebuilding:
    """Rebuilds frames of any organization."""

    usage: Store
    settling: Settling

    def wanted(self, organization: str, zone: str) -> str | None:
        """What to make again, if anything; while folds wait to be settled, more is to come."""
        head = read_head(organization, self.usage)
        if head is None or head.zone != zone:
            return LOCAL if head else None
        waiting = [
            KeyRange(keys.folds(organization, lane), keys.number(upto + 1), keys.TOP, limit=1)
            for lane, upto in enumerate(head.upto)
        ]
        most = LATE_BYTES * (_PATIENCE if any(self.usage.read(waiting)) else 1)
        return _widest([scope for scope, weight in head.late_bytes.items() if weight > most], head)

    def request(self, organization: str, scope: str, zone: str) -> None:
        if item := self.item_of_request(organization, scope, zone):
            self.usage.put_new(item)

    def item_of_request(self, organization: str, scope: str, zone: str) -> Item | None:
        """The item that asks for a rebuild, if there is anything to make again."""
        head = read_head(organization, self.usage)
        if head is None:
            return None
        zone = zone if scope in {ALL, LOCAL} else head.zone
        rebuild = Rebuild(head.rebuilt + 1, scope, head.plan, head.sealed, zone)
        return rebuild.to_item(organization)

    def rebuild(self, organization: str, now: int, budget: int = BUDGET) -> bool:
        """Do some steps of the rebuild that is under way; whether there was one."""
        head = read_head(organization, self.usage)
        rebuild = self._current(organization, head) if head else None
        if head is None or rebuild is None:
            return False
        start = Reached(rebuild.done, rebuild.late)
        steps = self._steps(organization, rebuild, head, now, start.done)
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
        return Progress.along(self._steps(organization, rebuild, head, 0), rebuild.done)

    def _current(self, organization: str, head: UsageHead) -> Rebuild | None:
        number = keys.number(head.rebuilt + 1)
        item = self.usage.get(keys.rebuilds(organization), number)
        return Rebuild.from_item(item) if item else None

    def _save(self, organization: str, rebuild: Rebuild, reached: Reached) -> None:
        further = replace(rebuild, done=reached.done, late=heaviest(reached.late))
        self.usage.put_newer(further.to_item(organization), "done")

    def _steps(
        self, organization: str, rebuild: Rebuild, head: UsageHead, now: int, done: str = ""
    ) -> Iterator[Step]:
        """Seal all days again as of one plan, then do the plans since.

        Years and plans that are done are not looked at again.
        """
        later = int(done[1:11]) if done.startswith(_LATER_PLANS) else 0
        catalog = self.settling.catalog(organization)
        for name, product, year in () if later else self._years(organization, rebuild, catalog):
            for step in self._steps_of_year(
                organization, rebuild, product, year, head, catalog, now
            ):
                yield step.of(name)
        for number in range(max(rebuild.plan + 1, later), head.plan + 1):
            for step in self._steps_of_plan(organization, rebuild, number, head, now):
                yield step.of(f"{_LATER_PLANS}{keys.number(number)}")

    def _years(
        self, organization: str, rebuild: Rebuild, catalog: Sequence[MeteredProduct]
    ) -> list[tuple[str, MeteredProduct, int]]:
        """Every year of a product to write, in the order of their names.

        More may appear meanwhile; they are of later plans and hold nothing to write.
        """
        year = rebuild.scope.partition("#")[2]
        in_scope = [each for each in catalog if not year or rebuild.covers(each, int(year))]
        return sorted(
            (f"{in_names(product.id)}#{year}", product, year)
            for product, first in first_dates(organization, self.usage, in_scope)
            for year in years_with_frames(first, self._sealed(rebuild, product).year + 1)
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
        catalog: Sequence[MeteredProduct],
        now: int,
    ) -> Iterator[Step]:
        """Write the sealed days of a year as if all its events had come in time."""
        writer = FrameWriter(
            organization,
            self.usage,
            product,
            calendar.zone_of(product.kind, rebuild.zone),
            lambda _: rebuild.generation,
            rebuild.plan,
            len(catalog),
            product.id in head.running,
            now,
        )
        end = min(self._sealed(rebuild, product), calendar.new_year(year + 1))
        return writer.steps_of_sealing(calendar.new_year(year), end, head.shards(product))

    def _steps_of_plan(
        self, organization: str, rebuild: Rebuild, number: int, head: UsageHead, now: int
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
        return self.settling.steps_of_frames(organization, planned, in_zone, generation, now)


def _widest(heavy: Sequence[str], head: UsageHead) -> str | None:
    """One rebuild at a time: of all, of a year of several products, or of the first one."""
    names = "".join(head.generations).encode()
    if heavy and (len(head.generations) >= _GENERATIONS or len(names) >= PINNED_BYTES):
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
