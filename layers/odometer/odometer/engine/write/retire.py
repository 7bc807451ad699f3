"""Retire: remove frames that rebuilds have replaced, and years that are kept no longer.

What is removed twice is removed once, so retiring may die anywhere and be run by several at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from itertools import product as pairs
from typing import Final

from odometer.domain.events import utc_date
from odometer.domain.frozen import frozen
from odometer.domain.time import DAY, KEPT_FOR_CURSORS, SECOND
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import Rebuild, UsageHead, read_head
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_dates, years_with_frames
from odometer.engine.store import KeyRange, Store
from odometer.engine.write.settle import Catalog
from odometer.engine.write.steps import some_of

MOST_REMOVED: Final = 20_000
"""A call that has removed so many items leaves the rest to the next one."""
_KEPT_SECONDS: Final = KEPT_FOR_CURSORS // SECOND
_PAGE: Final = 100
_PRODUCTS_AT_ONCE: Final = 16
_RANGES_AT_ONCE: Final = 256


@frozen
class Retirement:
    """Removes what an organization no longer needs."""

    usage: Store
    catalog: Catalog

    def generations(self, organization: str, now: int) -> bool:
        """Remove the frames that rebuilds have replaced, once no cursor can name them.

        Returns whether there may be more: one call removes a bounded number of items.
        """
        head = read_head(organization, self.usage)
        rebuilds = self._rebuilds(organization, head) if head else []
        for rebuild in rebuilds:
            if not rebuild.shown:
                noticed = replace(rebuild, shown=now)
                self.usage.put_newer(noticed.to_item(organization), "shown")
            elif head and now - rebuild.shown > _KEPT_SECONDS and rebuild.done != keys.TOP:
                if self._clear([self._replaced(organization, head, rebuild, rebuilds)]):
                    cleared = replace(rebuild, done=keys.TOP)
                    self.usage.put_newer(cleared.to_item(organization), "done")
                return True
        return False

    def years(self, organization: str, first_kept: int) -> bool:
        """Remove what is of earlier years; events of a zone's New Year stay.

        Returns whether there may be more: one call removes a bounded number of items.
        """
        head = read_head(organization, self.usage)
        kept_from = earliest_kept(first_kept)
        catalog = self.catalog(organization) if head else ()
        dated = first_dates(organization, self.usage, catalog)
        old = [each for each in dated if each[1] < kept_from][:_PRODUCTS_AT_ONCE]
        self._clear(
            group
            for product, first in old
            for group in self._outdated(organization, product, first, first_kept)
        )
        return bool(old)

    def _outdated(
        self, organization: str, product: MeteredProduct, first: date, first_kept: int
    ) -> Iterator[Iterable[KeyRange]]:
        """What is of earlier years. Events last, because the first says where to begin again."""
        if head := read_head(organization, self.usage):
            rebuilds, kept_from = self._rebuilds(organization, head), earliest_kept(first_kept)
            frames = (
                pk
                for year in range((first - DAY).year, first_kept)
                for pk in frames_of(
                    organization, head, product, year, generations_of(product, year, rebuilds)
                )
            )
            dates = (keys.identities(organization, d) for d in calendar.days(first, kept_from))
            yield map(whole, chain(frames, dates))
            pk = keys.segments(organization, product.id)
            yield [KeyRange(pk, keys.BOTTOM, str(kept_from), limit=_PAGE)]

    def _rebuilds(self, organization: str, head: UsageHead) -> list[Rebuild]:
        shown = KeyRange(keys.rebuilds(organization), keys.BOTTOM, keys.number(head.rebuilt))
        return [Rebuild.from_item(item) for item in self.usage.read([shown])[0]]

    def _replaced(
        self, organization: str, head: UsageHead, rebuild: Rebuild, rebuilds: Sequence[Rebuild]
    ) -> Iterator[KeyRange]:
        """The generation that it has replaced: earlier ones were removed when that was shown."""
        end = utc_date(head.sealed).year + 2
        earlier = [each for each in rebuilds if each.generation < rebuild.generation]
        for product, first in first_dates(organization, self.usage, self.catalog(organization)):
            for year in years_with_frames(first, end):
                if rebuild.covers(product, year):
                    replaced = generations_of(product, year, earlier)[-1:]
                    yield from map(whole, frames_of(organization, head, product, year, replaced))

    def _clear(self, several: Iterable[Iterable[KeyRange]]) -> bool:
        """Remove the items of key ranges, one group after the other; whether all are gone."""
        left = MOST_REMOVED
        for group in several:
            for wanted in some_of(group, _RANGES_AT_ONCE):
                some = wanted
                while some:
                    if left <= 0:
                        return False
                    pages = self.usage.read(some)
                    left -= sum(map(len, pages))
                    self.usage.delete_all((i["pk"], i["sk"]) for page in pages for i in page)
                    some = [r for r, page in zip(some, pages, strict=True) if len(page) == r.limit]
        return True


def earliest_kept(first_kept: int) -> date:
    return calendar.new_year(first_kept) - DAY


def generations_of(product: MeteredProduct, year: int, rebuilds: Iterable[Rebuild]) -> list[int]:
    """Those of a year of a product that may still be there: the first one, and those made since."""
    there = [0]
    for each in rebuilds:
        if each.covers(product, year):
            there = [] if each.done == keys.TOP else there  # what it had replaced is removed
            there.append(each.generation)
    return there


def frames_of(
    organization: str,
    head: UsageHead,
    product: MeteredProduct,
    year: int,
    generations: Iterable[int],
) -> Iterator[str]:
    """The partitions of some generations."""
    for generation, shard in pairs(generations, range(head.shards(product))):
        yield keys.frames(organization, product.id, year, generation, shard)


def whole(pk: str) -> KeyRange:
    return KeyRange(pk, keys.BOTTOM, keys.TOP, limit=_PAGE)
