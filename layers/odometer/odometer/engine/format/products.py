"""Products as the engine counts them, and two more that hold the same usage by other rows.

`%totals` has a row for every product, `%people` a row for every user and product, 64 users to a
shard. They are settled, sealed, rebuilt and verified like any product. Both count days of the
organization, in steps of a quarter of an hour.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from operator import add
from typing import Final, NamedTuple

from odometer.domain.events import Event
from odometer.domain.kinds import DEFAULT_PRODUCTS, MEASURES, Kind, Measure
from odometer.engine.format.frames import SHARD


class MeteredProduct(NamedTuple):
    """A product and its kind, which never changes."""

    id: str
    kind: Kind

    @property
    def measures(self) -> int:
        return len(self.kind.measures)


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


def shards_of(product: MeteredProduct, users: int) -> int:
    if product == TOTALS:
        return min(users, 1)
    return -(-users // (PEOPLE_SHARD if product == PEOPLE else SHARD))


def rows_in_shard(product: MeteredProduct, products: int) -> int:
    """How many rows a shard may have in an organization with so many products."""
    return min(PEOPLE_SHARD * (RESERVED + products), SHARD) if product == PEOPLE else SHARD


def places(catalog: Iterable[MeteredProduct], to: MeteredProduct) -> dict[str, int]:
    """The place of each product: fixed for those that all organizations have, then in order."""
    fixed = {product: place for place, product in enumerate(DEFAULT_PRODUCTS)}
    own = (product.id for product in catalog if product.id not in fixed and product.id[0] != "%")
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
