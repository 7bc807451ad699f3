"""A few people over time: their rows in `%people` weigh less than the frames of everybody.

The rows count days of the organization in quarters of an hour. So they answer where blocks begin
with such days; what the range has beyond whole quarters is read from the products themselves.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from odometer.engine import calendar
from odometer.engine.format.frames import SHARD, Frame
from odometer.engine.format.groups import USER, Members
from odometer.engine.format.products import (
    PEOPLE,
    PEOPLE_SHARD,
    QUARTER,
    MeteredProduct,
    places,
    row_of_person,
)
from odometer.engine.format.strips import Count
from odometer.engine.read.projections import projected_view
from odometer.engine.read.series import Series, count_of, lanes_filled
from odometer.engine.read.views import View

_WEIGHT: Final = 5
"""Of someone in a block of people beside someone in a frame, as `tests/costs` counts them."""
_MOST_BLOCKS: Final = 8
"""Each takes as many requests as a frame of everybody."""


@dataclass(frozen=True)
class PeopleSeries:
    """Some people in several products, in the blocks between some edges."""

    view: View
    catalog: Sequence[MeteredProduct]
    products: Sequence[MeteredProduct]
    edges: Sequence[int]

    @property
    def is_exact(self) -> bool:
        """Whether the rows have these products and blocks."""
        zone, whole = ZoneInfo(self.view.head.zone), self._whole_quarters
        days = (calendar.first_second(calendar.day_of(e, zone), zone) for e in self.edges[1:-1])
        has_rows = all(product.id in self._places for product in self.products)
        return has_rows and [*days] == [*self.edges[1:-1]] and whole[0] < whole[-1]

    def is_lighter(self, users: Collection[int]) -> bool:
        shards = {user // SHARD for user in users}
        beside = min(self.view.head.users, SHARD * len(shards))
        blocks = len(_by_block(users))
        return blocks <= _MOST_BLOCKS and _WEIGHT * PEOPLE_SHARD * blocks <= beside

    def of_users(self, users: Collection[int] | None) -> Iterator[Iterator[tuple[Count, ...]]]:
        """By block of people and block of time, what they did and how many they were.

        Rows of people are never read for everybody.
        """
        for block, some in _by_block(users or ()).items():
            yield self._counts(block, some)

    def _counts(self, block: int, users: Sequence[int]) -> Iterator[tuple[Count, ...]]:
        view = projected_view(self.view, self.catalog, PEOPLE, block)
        series = Series(view, [PEOPLE], self._whole_quarters, [block])
        lanes = [self._lanes(product, users) for product in self.products]
        blocks = [self._of_rows(frame, lanes) for (frame,) in series.blocks(block)]
        whole = series.edges
        blocks[0] = self._with(blocks[0], [self.edges[0], whole[0]], users)
        blocks[-1] = self._with(blocks[-1], [whole[-1], self.edges[-1]], users)
        return iter(blocks)

    def _lanes(self, product: MeteredProduct, users: Sequence[int]) -> int:
        place = self._places[product.id]
        return lanes_filled(row_of_person(place, user) % SHARD for user in users)[0]

    def _of_rows(self, frame: Frame, lanes: Sequence[int]) -> tuple[Count, ...]:
        counts = map(count_of, map(frame.only, lanes), self.products)
        first = (self._places[product.id] * PEOPLE_SHARD for product in self.products)
        return tuple(map(_from, counts, first))

    def _with(
        self, counts: tuple[Count, ...], ends: Sequence[int], users: Sequence[int]
    ) -> tuple[Count, ...]:
        """The same, and what was used between two seconds that are less than a quarter apart."""
        if ends[0] == ends[1]:
            return counts
        ((shard, lanes),) = lanes_filled(users).items()
        (more,) = Series(self.view, self.products, ends).counts_of(shard, lanes)
        first = users[0] % SHARD // PEOPLE_SHARD * PEOPLE_SHARD
        return tuple(one.plus(_from(other, first)) for one, other in zip(counts, more, strict=True))

    @cached_property
    def _whole_quarters(self) -> Sequence[int]:
        """The edges, the outer two moved inwards to quarters of an hour."""
        return [
            -(-self.edges[0] // QUARTER) * QUARTER,
            *self.edges[1:-1],
            self.edges[-1] // QUARTER * QUARTER,
        ]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return places(self.catalog, PEOPLE)


def series_of_some(
    view: View,
    catalog: Sequence[MeteredProduct],
    products: Sequence[MeteredProduct],
    edges: Sequence[int],
    users: Collection[int] | None,
    members: Members | None = None,
) -> Series | PeopleSeries:
    """Where what some users did over time, or everybody, is read for less.

    A few people are groups of one each.
    """
    people = PeopleSeries(view, catalog, products, edges)
    if users is None or not people.is_lighter(users):
        return Series(view, products, edges, members=members)
    if people.is_exact:
        return people
    return Series(view, products, edges, members=members or Members(USER, "", sorted(users)))


def _by_block(users: Collection[int]) -> Mapping[int, list[int]]:
    by_block: defaultdict[int, list[int]] = defaultdict(list)
    for user in sorted(users):
        by_block[user // PEOPLE_SHARD].append(user)
    return by_block


def _from(count: Count, first: int) -> Count:
    """The same count, with the bits of users from one on."""
    return count._replace(users=count.users >> first)
