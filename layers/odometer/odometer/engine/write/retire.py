"""Retire: remove frames that nobody can name any more, and years that are kept no longer.

What is removed twice is removed once, so this may die anywhere and be run by several at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product as pairs
from typing import Final

from odometer.domain.events import utc_date
from odometer.domain.time import DAY, KEPT_FOR_CURSORS, SECOND
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import Rebuild, UsageHead, read_head
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_date, years_with_frames
from odometer.engine.store import KeyRange, Store
from odometer.engine.write.settle import Catalog

_PAGE: Final = 100
_KEPT_SECONDS: Final = KEPT_FOR_CURSORS // SECOND


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
                    self._clear_frames(organization, head, product, year, generation)
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
                    self._clear_frames(organization, head, product, year, generation)

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
        self,
        organization: str,
        head: UsageHead,
        product: MeteredProduct,
        year: int,
        generation: int,
    ) -> None:
        for shard in range(head.shards(product)):
            self._clear(keys.frames(organization, product.id, year, generation, shard))

    def _clear(self, pk: str, before: str = keys.TOP) -> None:
        key_range = KeyRange(pk, keys.BOTTOM, before, limit=_PAGE)
        while items := self.usage.read([key_range])[0]:
            for item in items:
                self.usage.delete(pk, item["sk"])
