"""Projections: the same usage by other rows, as if it were that of two more products.

`%totals` has a row for every product, `%people` a row for every user and product, 64 users to a
shard. Everything that the engine does for a product it does for these: they are events with other
rows, so they are settled, sealed, rebuilt and verified by the same code, and in every one of their
days each row counts once. Both count days of the organization, so that nothing shorter than a
quarter of an hour is told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from odometer.domain.events import MEASURES, Event
from odometer.domain.kinds import DEFAULT_PRODUCTS, Kind
from odometer.domain.time import Period
from odometer.readings import decisions
from odometer.readings.decisions import PEOPLE_SHARD, Product
from odometer.readings.frames import LANE_BITS, SHARD
from odometer.readings.reading import View
from odometer.readings.series import Series

RESERVED: Final = 16
"""Places for the products that every organization has; its own come after them."""
QUARTER_SECONDS: Final = 900
"""No zone's days begin within one: what one row uses in it is one event."""

_ANY = Kind("any", tuple(f"m{at}" for at in range(MEASURES)), local_days=True)
TOTALS: Final = Product(decisions.TOTALS, _ANY)
PEOPLE: Final = Product(decisions.PEOPLE, _ANY)


def places(catalog: Iterable[Product], to: Product) -> dict[str, int]:
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
ROWS: Final[Mapping[Product, Callable[[int, int], int]]] = {
    TOTALS: row_of_total,
    PEOPLE: row_of_person,
}


def projected(
    events: Iterable[Event[int]], catalog: Sequence[Product], to: Product
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


class RowUsage(NamedTuple):
    """What one row, a product or someone's use of one, comes to."""

    product: Product
    measures: Mapping[str, int]
    days: int


def usage_of_rows(
    view: View, catalog: Sequence[Product], period: Period, to: Product, user: int = 0
) -> list[RowUsage]:
    """What each product was used, by everybody or by one user, as far as it was at all."""
    at, shard = places(catalog, to), ROWS[to](0, user) // SHARD
    frame = seen(view, catalog, to, shard).of_shard(to, period, shard)
    rows = {each: ROWS[to](at[each.id], user) % SHARD for each in catalog if each.id in at}
    lanes = {each: [lane(column, row) for column in frame] for each, row in rows.items()}
    beyond = [each for each in catalog if each.id not in at and each not in ROWS]
    rest = [row for each in beyond for row in _beyond(view, each, period, user)]
    return [*(row_of(product, values) for product, values in lanes.items() if values[-1]), *rest]


def totals_along(
    view: View, catalog: Sequence[Product], product: Product, edges: Sequence[int]
) -> list[Mapping[str, int]]:
    """What everybody used of a product, stretch by stretch between edges of time."""
    row = places(catalog, TOTALS)[product.id]
    blocks = Series(seen(view, catalog, TOTALS, 0), [TOTALS], edges).blocks(0)
    return [
        dict(zip(product.kind.measures, (lane(column, row) for column in frame), strict=False))
        for (frame,) in blocks
    ]


def _beyond(view: View, product: Product, period: Period, user: int) -> list[RowUsage]:
    """What one user used of a product that has no place."""
    shard, row = divmod(user, SHARD)
    values = [lane(column, row) for column in view.of_shard(product, period, shard)]
    return [row_of(product, values)] if values[-1] else []


def row_of(product: Product, values: Sequence[int]) -> RowUsage:
    """A row by the names of the product's measures."""
    return RowUsage(product, dict(zip(product.kind.measures, values, strict=False)), values[-1])


def seen(view: View, catalog: Sequence[Product], to: Product, shard: int) -> View:
    """The view, in whose tail are the rows of one shard of a projection."""
    tail = []
    for fold in view.tail:
        mine = [event for event in fold.events if ROWS[to](0, event.who) // SHARD == shard]
        tail.append(replace(fold, events=projected(mine, catalog, to)))
    return replace(view, tail=tail)


def lane(column: int, row: int) -> int:
    """What a column has in a row."""
    return column >> LANE_BITS * row & (1 << LANE_BITS) - 1
