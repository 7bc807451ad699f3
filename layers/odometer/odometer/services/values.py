"""Usage by the values of breakdowns, as reports ask for it: by the texts that were sent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from odometer.domain.errors import Corrupt
from odometer.domain.values import Values
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.values import ByValue, used_by_value
from odometer.services.usage import Usage

Sums = Mapping[str, Sequence[int]]
"""By measure, a number for each block."""


class ColumnsByValue(NamedTuple):
    """What was used block by block; what had no value is the total less `together`."""

    of_values: Mapping[str, Sums]
    """By text, as far as anything was used; `other` is all that came after the 1,000th value."""
    together: Sums
    """Of all values, whichever were asked for."""


def columns_by_value(
    usage: Usage,
    products: Sequence[MeteredProduct],
    place: int,
    edges: Sequence[int],
    only: Collection[str] | None = None,
) -> ColumnsByValue:
    """Of products of one kind, by one of its breakdowns, in each block between two edges.

    Only some texts are answered if they are given; that changes nothing of what is read.
    """
    several = [product.by_value(place) for product in products]
    blocks = used_by_value(usage.view, several, edges)
    return columns_of(blocks, products[0], values_of(usage, products[0].id, place, blocks), only)


def columns_of(
    blocks: Sequence[ByValue],
    product: MeteredProduct,
    values: Values,
    only: Collection[str] | None = None,
) -> ColumnsByValue:
    names = product.kind.measures
    columns = [[block.columns[at] for block in blocks] for at in range(len(names))]
    each = {
        text: [[column[value] if value < len(column) else 0 for column in c] for c in columns]
        for value, text in values.chosen(only)
    }
    return ColumnsByValue(
        {
            text: dict(zip(names, sums, strict=True))
            for text, sums in each.items()
            if any(map(any, sums))
        },
        {name: [*map(sum, c)] for name, c in zip(names, columns, strict=True)},
    )


def values_of(usage: Usage, product: str, place: int, blocks: Iterable[ByValue]) -> Values:
    """The values of a breakdown, all of those that were used among them.

    Some may have been registered after the directory was opened; none is ever changed.
    """
    end = max((block.end for block in blocks), default=0)
    known = usage.directory.values(product, place)
    if known.end < end:
        now = usage.directories.open(usage.directory.organization.id)
        known = now.values(product, place)
    if known.end < end:
        raise Corrupt(product, place)
    return known
