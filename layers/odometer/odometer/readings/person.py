"""One person across all products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from odometer.domain.time import Period
from odometer.readings.decisions import Product
from odometer.readings.reading import View


class PersonUsage(NamedTuple):
    """What one user has used of one product."""

    product: Product
    measures: Mapping[str, int]
    days_active: int


def person_usage(
    view: View, products: Sequence[Product], user: int, period: Period
) -> list[PersonUsage]:
    """What one user has used of every product, as far as they have used it."""
    found = []
    for product in products:
        used = view.usage(product, period)
        if user in used.users:
            measures = {name: used.measure(name)[user] for name in product.kind.measures}
            found.append(PersonUsage(product, measures, used.days_active[user]))
    return found
