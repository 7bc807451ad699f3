"""Rebuild: make frames again from segments, beside the old ones, and then show them.

Wanted when too much came late, when the organization moves to another zone, or when `verify` has
found drift. Readers and cursors keep the old generation until the head names the new one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import (
    ALL,
    LOCAL,
    Rebuild,
    Touched,
    UsageHead,
    heaviest,
    read_head,
    still_fresh,
)
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import years_with_frames
from odometer.engine.store import Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.settle import Settling

LATE_BYTES: Final = 32_768
"""A year of a product with more than this in late items is worth making again."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Rebuilds frames of any organization."""

    usage: Store
    settling: Settling

    def wanted(self, organization: str, zone: str) -> str | None:
        """The scope of the rebuild that is due, if any."""
        head = read_head(organization, self.usage)
        if head is None or head.zone != zone:
            return LOCAL if head else None
        heavy = [scope for scope, weight in head.late_bytes.items() if weight > LATE_BYTES]
        return min(heavy, default=None)

    def request(self, organization: str, scope: str, zone: str) -> None:
        """Decide on the next rebuild, unless one is under way."""
        head = read_head(organization, self.usage)
        if head:
            zone = zone if scope in {ALL, LOCAL} else head.zone
            rebuild = Rebuild(head.rebuilt + 1, scope, head.plan, head.sealed, zone)
            self.usage.put_new(rebuild.to_item(organization))

    def rebuild(self, organization: str, now: int) -> bool:
        """Take the rebuild that is under way one step further; whether there was one."""
        head = read_head(organization, self.usage)
        rebuild = self._current(organization, head) if head else None
        if head is None or rebuild is None:
            return False
        for name, product, year in self._years(organization, rebuild):
            if name > rebuild.done:
                self._write(organization, rebuild, head, product, year)
                further = replace(rebuild, done=name)
                self.usage.put_newer(further.to_item(organization), "done")
                return True
        self._show(organization, rebuild, head, now)
        return True

    def _current(self, organization: str, head: UsageHead) -> Rebuild | None:
        number = keys.number(head.rebuilt + 1)
        item = self.usage.get(keys.rebuilds(organization), number)
        return Rebuild.from_item(item) if item else None

    def _years(self, organization: str, rebuild: Rebuild) -> list[tuple[str, MeteredProduct, int]]:
        """Every year of a product to write, in the order of their names.

        More may appear meanwhile; they are of later plans and hold nothing to write.
        """
        return sorted(
            (f"{product.id}#{year}", product, year)
            for product in self.settling.catalog(organization)
            for year in self._years_of(organization, rebuild, product)
            if rebuild.covers(product, year)
        )

    def _years_of(self, organization: str, rebuild: Rebuild, product: MeteredProduct) -> range:
        end = self._sealed(rebuild, product).year + 1
        return years_with_frames(organization, self.usage, product.id, end)

    def _sealed(self, rebuild: Rebuild, product: MeteredProduct) -> date:
        return calendar.day_of(rebuild.sealed, calendar.zone_of(product.kind, rebuild.zone))

    def _write(
        self,
        organization: str,
        rebuild: Rebuild,
        head: UsageHead,
        product: MeteredProduct,
        year: int,
    ) -> None:
        """Write the sealed days of a year as if all its events had come in time."""
        zone = calendar.zone_of(product.kind, rebuild.zone)
        writer = FrameWriter(
            organization, self.usage, product, zone, lambda _: rebuild.generation, rebuild.plan
        )
        end = min(self._sealed(rebuild, product), calendar.new_year(year + 1))
        writer.seal_days(calendar.new_year(year), end, head.shards(product))

    def _show(self, organization: str, rebuild: Rebuild, head: UsageHead, now: int) -> None:
        """Add what was settled meanwhile, then let readers see the new generation."""

        def generation(product: MeteredProduct, year: int) -> int | None:
            return rebuild.generation if rebuild.covers(product, year) else None

        in_zone, late = replace(head, zone=rebuild.zone), Counter[str]()
        for number in range(rebuild.plan + 1, head.plan + 1):
            planned = self.settling.planned(organization, number)
            late += self.settling.write_frames(organization, planned, in_zone, generation)
        new_head = _with_generation(head, rebuild, late, now)
        self.usage.put_newer(new_head.to_item(organization), "version")


def _with_generation(head: UsageHead, rebuild: Rebuild, late: Counter[str], now: int) -> UsageHead:
    """The head with the new generation; everything in it was written just now."""
    fresh = still_fresh(head.fresh, now)
    fresh.setdefault(ALL, []).append(Touched(now, ""))
    everything = rebuild.scope == ALL
    elsewhere = {} if everything else {**head.late_bytes, rebuild.scope: 0}
    return replace(
        head,
        version=head.version + 1,
        rebuilt=rebuild.generation,
        zone=rebuild.zone,
        generations={
            **({} if everything else head.generations),
            rebuild.scope: rebuild.generation,
        },
        fresh=fresh,
        late_bytes=heaviest(late + Counter(elsewhere)),
    )
