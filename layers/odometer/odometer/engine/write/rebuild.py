"""Rebuild: make frames again from segments, beside the old ones, and show them; retire the old.

Wanted when too much came late, when the organization moves to another zone, or when `verify` has
found drift. Readers and cursors keep the old generation until the head names the new one. What is
removed twice is removed once, so retiring may die anywhere and be run by several at once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product as pairs
from typing import Final

from odometer.domain.events import utc_date
from odometer.domain.time import DAY, KEPT_FOR_CURSORS, SECOND
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, LOCAL, Rebuild, UsageHead, heaviest, read_head
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_date, years_with_frames
from odometer.engine.store import KeyRange, Store
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.settle import Catalog, Settling

_PAGE: Final = 100
_KEPT_SECONDS: Final = KEPT_FOR_CURSORS // SECOND
LATE_BYTES: Final = 32_768
"""A year of a product with more than this in late items is worth making again."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Rebuilds frames of any organization."""

    usage: Store
    settling: Settling

    def wanted(self, organization: str, zone: str) -> str | None:
        head = read_head(organization, self.usage)
        if head is None or head.zone != zone:
            return LOCAL if head else None
        heavy = [scope for scope, weight in head.late_bytes.items() if weight > LATE_BYTES]
        return min(heavy, default=None)

    def request(self, organization: str, scope: str, zone: str) -> None:
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
                self._write(organization, rebuild, product, year, head.shards(product))
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
            for year in years_with_frames(
                organization, self.usage, product.id, self._sealed(rebuild, product).year + 1
            )
            if rebuild.covers(product, year)
        )

    def _sealed(self, rebuild: Rebuild, product: MeteredProduct) -> date:
        return calendar.day_of(rebuild.sealed, calendar.zone_of(product.kind, rebuild.zone))

    def _write(
        self, organization: str, rebuild: Rebuild, product: MeteredProduct, year: int, shards: int
    ) -> None:
        """Write the sealed days of a year as if all its events had come in time."""
        zone = calendar.zone_of(product.kind, rebuild.zone)
        writer = FrameWriter(
            organization, self.usage, product, zone, lambda _: rebuild.generation, rebuild.plan
        )
        end = min(self._sealed(rebuild, product), calendar.new_year(year + 1))
        writer.seal_days(calendar.new_year(year), end, shards)

    def _show(self, organization: str, rebuild: Rebuild, head: UsageHead, now: int) -> None:

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
    everything = rebuild.scope == ALL
    elsewhere = {} if everything else {**head.late_bytes, rebuild.scope: 0}
    return replace(
        head,
        version=head.version + 1,
        rebuilt=rebuild.generation,
        zone=rebuild.zone,
        generations={**({} if everything else head.generations), rebuild.scope: rebuild.generation},
        fresh=head.freshened({ALL: ""}, now),
        late_bytes=heaviest(late + Counter(elsewhere)),
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
