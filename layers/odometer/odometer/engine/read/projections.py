"""Reads the rows of a projection: totals of products, and one person across all products."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from odometer.domain.time import Period
from odometer.engine.format.frames import SHARD
from odometer.engine.format.products import PROJECTIONS, TOTALS, MeteredProduct, places, projected
from odometer.engine.read.measuring import measure_shard
from odometer.engine.read.series import Series
from odometer.engine.read.views import View


class RowUsage(NamedTuple):
    """What one row, a product or someone's use of one, comes to."""

    product: MeteredProduct
    measures: Mapping[str, int]
    days: int


def usage_of_rows(
    view: View, catalog: Sequence[MeteredProduct], period: Period, to: MeteredProduct, user: int = 0
) -> list[RowUsage]:
    """What everybody, or one user, used of each product, as far as it was used at all."""
    at, shard = places(catalog, to), PROJECTIONS[to](0, user) // SHARD
    frame = measure_shard(projected_view(view, catalog, to, shard), to, period, shard)
    rows = {each: PROJECTIONS[to](at[each.id], user) % SHARD for each in catalog if each.id in at}
    lanes = {each: frame.of_user(row) for each, row in rows.items()}
    beyond = [each for each in catalog if each.id not in at and not each.is_derived]
    used = {row.product for row in usage_of_rows(view, catalog, period, TOTALS)} if beyond else ()
    rest = [row for each in beyond if each in used for row in _beyond(view, each, period, user)]
    return [*(_row(product, values) for product, values in lanes.items() if values[-1]), *rest]


def totals_in_blocks(
    view: View, catalog: Sequence[MeteredProduct], product: MeteredProduct, edges: Sequence[int]
) -> list[Mapping[str, int]]:
    row = places(catalog, TOTALS)[product.id]
    blocks = Series(projected_view(view, catalog, TOTALS, 0), [TOTALS], edges).blocks(0)
    return [
        dict(zip(product.kind.measures, frame.of_user(row), strict=False)) for (frame,) in blocks
    ]


def _beyond(view: View, product: MeteredProduct, period: Period, user: int) -> list[RowUsage]:
    shard, row = divmod(user, SHARD)
    values = measure_shard(view, product, period, shard).of_user(row)
    return [_row(product, values)] if values[-1] else []


def _row(product: MeteredProduct, values: Sequence[int]) -> RowUsage:
    return RowUsage(product, dict(zip(product.kind.measures, values, strict=False)), values[-1])


def projected_view(
    view: View, catalog: Sequence[MeteredProduct], to: MeteredProduct, shard: int
) -> View:
    folds = []
    for fold in view.unsettled:
        mine = [event for event in fold.events if PROJECTIONS[to](0, event.who) // SHARD == shard]
        folds.append(replace(fold, events=projected(mine, catalog, to)))
    return replace(view, unsettled=folds)
