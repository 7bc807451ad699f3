"""Verifies what stands inside days: chunks and running frames, against the events of segments."""

from collections.abc import Iterator
from datetime import date
from itertools import chain, groupby
from typing import NamedTuple

from odometer.domain.frozen import frozen
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import Frame, to_attributes, total
from odometer.engine.format.inside import Chunk, DaySums, ProductDay, Running
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.views import View
from odometer.engine.store import KeyRange


class Checked(NamedTuple):
    """Whether the frames inside a day of one shard are what its events add up to."""

    shard: int
    day: date
    what: str
    is_right: bool


@frozen
class InsideCheck:
    """The days of one year of a product, seen from a view."""

    view: View
    product: MeteredProduct
    year: int

    def compare(self) -> Iterator[Checked]:
        shards = range(self.view.head.shards(self.product))
        for day, plan in self._days_with_chunks():
            wanted = self._sums(day, plan)
            for shard in shards:
                is_right = self._chunks_add_up(shard, day, wanted.get(shard, self._nothing))
                yield Checked(shard, day, "chunk", is_right)
        for running in self.view.head.running.get(self.product.id, ()):
            day = date.fromisoformat(running.day)
            if day.year == self.year:
                wanted = self._sums(day, running.plan)
                for shard in shards:
                    found = self._running(shard, running)
                    is_right = is_same(found, wanted.get(shard, self._nothing))
                    yield Checked(shard, day, "running", is_right)

    def _days_with_chunks(self) -> Iterator[tuple[date, int]]:
        """The first shard has a chunk at the beginning of each of them."""
        day, pk = calendar.new_year(self.year), self._pk(0)
        end = KeyRange(pk, keys.chunks_from(day), f"T{keys.TOP}", limit=1)
        while items := self.view.store.read([end])[0]:
            day, sk = keys.day_of(items[0]["sk"]), items[0]["sk"]
            if keys.plan_of(sk) <= self.view.head.plan:
                yield day, keys.plan_of(sk)
            end = end._replace(first=keys.chunks_from(day) + keys.TOP)

    def _chunks_add_up(self, shard: int, day: date, wanted: Frame) -> bool:
        """Whether each chunk begins with what those before it come to, and all come to the day."""
        so_far, is_right = self._nothing, True
        for chunk in self._chunks(shard, day):
            is_right &= is_same(chunk.before, so_far)
            so_far = chunk.until(calendar.NEVER, self.product)
        return is_right and is_same(so_far, wanted)

    def _chunks(self, shard: int, day: date) -> Iterator[Chunk]:
        start = keys.chunks_from(day)
        pages = self.view.store.pages(KeyRange(self._pk(shard), start, start + keys.TOP))
        items = chain.from_iterable(pages)
        for _, parts in groupby(items, key=lambda item: keys.second_of(item["sk"])):
            yield Chunk.from_items(list(parts), self.product)

    def _running(self, shard: int, running: Running) -> Frame:
        (items,) = self.view.store.read([running.key_range(self._pk(shard))])
        return Chunk.from_items(items, self.product).before if items else self._nothing

    def _sums(self, day: date, plan: int) -> dict[int, Frame]:
        zone = calendar.zone_of(self.product.kind, self.view.head.zone)
        of_day = ProductDay(self.view.organization, self.product, zone, day)
        sums = DaySums(self.product)
        for key_range in of_day.segments(0, plan):
            for item in chain.from_iterable(self.view.store.pages(key_range)):
                sums.add(of_day.cut(item))
        return sums.frames()

    @property
    def _nothing(self) -> Frame:
        return total((), self.product.measures)

    def _pk(self, shard: int) -> str:
        return self.view.partition(self.product, self.year, shard)


def is_same(one: Frame, other: Frame) -> bool:
    """Whether two frames hold the same measures, in lanes of whatever width."""
    measures = (to_attributes(each) for each in (one, other))
    first, second = ({name: each[name] for name in each if name != "days"} for each in measures)
    return first == second
