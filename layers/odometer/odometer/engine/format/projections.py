"""Projections: the same usage by other rows, as if it were that of two more products.

`%totals` has a row for every product, `%people` a row for every user and product, 64 users to a
shard. The engine settles, seals, rebuilds and verifies them like any product. Both count days of
the organization, in steps of a quarter of an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from odometer.domain.events import MEASURES, Event
from odometer.domain.kinds import DEFAULT_PRODUCTS, Kind
from odometer.engine.format import decisions
from odometer.engine.format.decisions import PEOPLE_SHARD, MeteredProduct
from odometer.engine.format.frames import SHARD

RESERVED: Final = 16
"""Places for the products that every organization has; its own come after them."""
QUARTER_SECONDS: Final = 900
"""No zone's days begin within one: what one row uses in it is one event."""

_ANY = Kind("any", tuple(f"m{at}" for at in range(MEASURES)), local_days=True)
TOTALS: Final = MeteredProduct(decisions.TOTALS_ID, _ANY)
PEOPLE: Final = MeteredProduct(decisions.PEOPLE_ID, _ANY)


def places(catalog: Iterable[MeteredProduct], to: MeteredProduct) -> dict[str, int]:
    """The place of every product: those that all have by their table, the others as they came."""
    fixed = {product: place for place, product in enumerate(DEFAULT_PRODUCTS)}
    own = (product.id for product in catalog if product.id not in fixed and product.id[0] != "%")
    numbered = {product: place for place, product in enumerate(own, RESERVED)}
    return {product: at for product, at in {**fixed, **numbered}.items() if at < PLACES[to]}


def row_of_total(place: int, _: int) -> int:
    """The row of a product."""
    return place


def row_of_person(place: int, user: int) -> int:
    """The row of a user and a product."""
    return user // PEOPLE_SHARD * SHARD + place * PEOPLE_SHARD + user % PEOPLE_SHARD


PLACES: Final = {TOTALS: SHARD, PEOPLE: SHARD // PEOPLE_SHARD}
"""Products that have a row; what a user used of one beyond them is read from its own frames."""
ROWS: Final[Mapping[MeteredProduct, Callable[[int, int], int]]] = {
    TOTALS: row_of_total,
    PEOPLE: row_of_person,
}


def projected(
    events: Iterable[Event[int]], catalog: Sequence[MeteredProduct], to: MeteredProduct
) -> list[Event[int]]:
    """What these events come to in the rows of a projection."""
    at, row = places(catalog, to), ROWS[to]
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * MEASURES)
    for event in events:
        if event.product in at:
            quarter = event.second - event.second % QUARTER_SECONDS
            of_row = sums[quarter, row(at[event.product], event.who)]
            of_row[:] = map(int.__add__, of_row, event.measures)
    return [
        Event(who, to.id, "", quarter, 0, tuple(measures), b"")
        for (quarter, who), measures in sums.items()
    ]
