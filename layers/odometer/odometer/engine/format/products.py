"""Products as the engine counts them, and more that hold the same usage by other rows.

`%totals` has a row for every product, `%people` a row for every user and product, 64 users to a
shard. Both count days of the organization, in steps of a quarter of an hour. A product whose kind
has breakdowns is there once more for each, `%0%product` and `%1%product`, with a row for every
value, and counts the days of its kind. All are settled, sealed, rebuilt and verified like any
product.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from operator import add
from typing import Final, NamedTuple

from odometer.domain import values
from odometer.domain.events import Event
from odometer.domain.kinds import DEFAULT_PRODUCTS, MEASURES, Kind, Measure
from odometer.engine.format.frames import SHARD


class Breakdown(NamedTuple):
    """What a product by value is made of: a product and the place of a breakdown of its kind."""

    product: str
    place: int


class MeteredProduct(NamedTuple):
    """A product and its kind, which never changes."""

    id: str
    kind: Kind

    @property
    def measures(self) -> int:
        return len(self.kind.measures)

    def by_value(self, place: int) -> "MeteredProduct":
        """What was used of a product, by the values of a breakdown in place of users."""
        return MeteredProduct(f"%{place}%{self.id}", self.kind)

    @property
    def breakdown(self) -> Breakdown | None:
        """What it is made of if its rows are values; no product of a directory has a `%`."""
        if self.id[0] != "%" or self.id[2:3] != "%":
            return None
        return Breakdown(self.id[3:], int(self.id[1]))

    @property
    def is_derived(self) -> bool:
        """Whether it holds what was used of other products."""
        return self.id[0] == "%"


_ANY = Kind("any", tuple(Measure(f"m{place}") for place in range(MEASURES)), local_days=True)
TOTALS: Final = MeteredProduct("%totals", _ANY)
PEOPLE: Final = MeteredProduct("%people", _ANY)

PEOPLE_SHARD: Final = 64
"""Users in a shard of `PEOPLE`."""
RESERVED: Final = 16
"""Places for the products that every organization has; its own come after them."""
QUARTER: Final = 900
"""No zone's days begin within a quarter: what one row uses in it is one event."""
PLACES: Final = {TOTALS: SHARD, PEOPLE: SHARD // PEOPLE_SHARD}
"""Products that have a row; what a user used of one beyond them is read from its own frames."""


def row_of_person(place: int, user: int) -> int:
    return user // PEOPLE_SHARD * SHARD + place * PEOPLE_SHARD + user % PEOPLE_SHARD


PROJECTIONS: Final[Mapping[MeteredProduct, Callable[[int, int], int]]] = {
    TOTALS: lambda place, _: place,
    PEOPLE: row_of_person,
}
"""The row of a product's place and a user."""


def metered(products: Sequence[MeteredProduct]) -> list[MeteredProduct]:
    """All that the engine counts by for these products."""
    by_value = (p.by_value(place) for p in products for place in range(len(p.kind.breakdowns)))
    return [*products, *by_value, *PROJECTIONS]


def events_of(events: Iterable[Event[int]], product: MeteredProduct) -> Iterator[Event[int]]:
    """The events of a product; of one by value, those that have one, in place of the user."""
    if product.breakdown is None:
        return (event for event in events if event.product == product.id)
    of, place = product.breakdown
    mine = (event for event in events if event.values and event.product == of)
    return (event._replace(who=int(event.values[place])) for event in mine if event.values[place])


def shards_of(product: MeteredProduct, users: int) -> int:
    if product == TOTALS or product.breakdown:
        return min(users, 1)
    return -(-users // (PEOPLE_SHARD if product == PEOPLE else SHARD))


def rows_in_shard(product: MeteredProduct, products: int) -> int:
    """How many rows a shard may have in an organization with so many products."""
    if product.breakdown:
        return values.ROWS
    return min(PEOPLE_SHARD * (RESERVED + products), SHARD) if product == PEOPLE else SHARD


def places(catalog: Iterable[MeteredProduct], to: MeteredProduct) -> dict[str, int]:
    """The place of each product: fixed for those that all organizations have, then in order."""
    fixed = {product: place for place, product in enumerate(DEFAULT_PRODUCTS)}
    own = (each.id for each in catalog if each.id not in fixed and not each.is_derived)
    numbered = {product: place for place, product in enumerate(own, RESERVED)}
    return {product: at for product, at in {**fixed, **numbered}.items() if at < PLACES[to]}


def projected(
    events: Iterable[Event[int]], catalog: Sequence[MeteredProduct], to: MeteredProduct
) -> list[Event[int]]:
    at, row = places(catalog, to), PROJECTIONS[to]
    sums: dict[tuple[int, int], tuple[int, ...]] = {}
    for event in events:
        if event.product in at:
            quarter = event.second - event.second % QUARTER
            of_row = quarter, row(at[event.product], event.who)
            before = sums.get(of_row)
            sums[of_row] = added(before, event.measures) if before else event.measures
    return [
        Event(who, to.id, "", quarter, 0, measures, b"")
        for (quarter, who), measures in sums.items()
    ]


def added(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    """The sums of measures; one may be of fewer than the other."""
    if len(one) == len(other):
        return tuple(map(add, one, other))
    return tuple(map(sum, zip_longest(one, other, fillvalue=0)))
