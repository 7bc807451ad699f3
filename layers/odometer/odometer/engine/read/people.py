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
from odometer.engine.format.frames import SHARD, Frame, with_days
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
from odometer.engine.read.selections import Selected, Selection, Selections
from odometer.engine.read.series import Counted, Series
from odometer.engine.read.views import View

PEOPLE_WEIGHT: Final = 5
"""Of someone in a block of people beside someone in a frame, as `tests/costs` counts them."""
MOST_BLOCKS: Final = 8
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
        return blocks <= MOST_BLOCKS and PEOPLE_WEIGHT * PEOPLE_SHARD * blocks <= beside

    def of_users(self, users: Collection[int] | None) -> Iterator[Iterator[tuple[Count, ...]]]:
        """By block of people and block of time, what they did and how many they were.

        Rows of people are never read for everybody.
        """
        some = Selection(sorted(users or ()))
        return (blocks for _, _, blocks in self.counted(Selections([some])))

    def counted(self, selections: Selections) -> Counted:
        """The same of several selections, none of them everybody; several blocks have a shard."""
        everyone = {user for each in selections.several for user in each.users or ()}
        for block, some in _by_block(everyone).items():
            mine = [[u for u in each.users or () if u in some] for each in selections.several]
            shard, first = divmod(block * PEOPLE_SHARD, SHARD)
            blocks = (
                tuple(count._replace(users=count.users << first) for count in counts)
                for counts in self._counts(block, mine)
            )
            yield shard, selections.in_shard(shard).bits, blocks

    def _counts(self, block: int, several: Sequence[Sequence[int]]) -> Iterator[tuple[Count, ...]]:
        view = projected_view(self.view, self.catalog, PEOPLE, block)
        series = Series(view, [PEOPLE], self._whole_quarters, [block])
        rows = [self._rows(product, several) for product in self.products]
        blocks = [self._of_rows(with_days(frame), rows) for (frame,) in series.blocks(block)]
        whole = series.edges
        blocks[0] = self._with(blocks[0], [self.edges[0], whole[0]], several)
        blocks[-1] = self._with(blocks[-1], [whole[-1], self.edges[-1]], several)
        return iter(blocks)

    def _rows(self, product: MeteredProduct, several: Sequence[Sequence[int]]) -> Selected:
        place = self._places[product.id]
        lanes = [[row_of_person(place, user) % SHARD for user in users] for users in several]
        return Selected(lanes, [()] * len(lanes))

    def _of_rows(self, frame: Frame, rows: Sequence[Selected]) -> tuple[Count, ...]:
        pairs = zip(self.products, rows, strict=True)
        first = (self._places[product.id] * PEOPLE_SHARD for product in self.products)
        counts = (of_product.of_frame(frame, product) for product, of_product in pairs)
        return tuple(map(_from, counts, first))

    def _with(
        self,
        counts: tuple[Count, ...],
        ends: Sequence[int],
        several: Sequence[Sequence[int]],
    ) -> tuple[Count, ...]:
        """The same, and what was used between two seconds that are less than a quarter apart."""
        if ends[0] == ends[1]:
            return counts
        users = next(some for some in several if some)
        first = users[0] % SHARD // PEOPLE_SHARD * PEOPLE_SHARD
        selections = Selections([Selection(some) for some in several])
        for _, _, blocks in Series(self.view, self.products, ends).counted(selections):
            (more,) = blocks
            counts = tuple(
                one.plus(_from(other, first)) for one, other in zip(counts, more, strict=True)
            )
        return counts

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
