"""What the task `group` writes, for frames that the engine has not written itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from odometer.engine import calendar
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.groups import Division
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write.groups import Weeks, sealed_weeks


def put_sums(
    store: Store,
    organization: str,
    head: UsageHead,
    divisions: Sequence[Division],
    products: Iterable[MeteredProduct],
    since: date,
) -> None:
    sums = Sums(store)
    weeks = Weeks(organization, cast("Store", sums), head, divisions, 1, head.sealed)
    cuts = calendar.cut_at_keyframes(calendar.keyframe_before(since), sealed_weeks(head))
    for product in products:
        for _, edge in cuts:
            weeks.put(product, edge, range(head.shards(product)))
    store.put_all(sums.items)


@dataclass
class Sums:
    """Sums that are the first ones of their weeks; they are kept, so as to be put in batches."""

    store: Store
    items: list[Item] = field(default_factory=list)

    def get_each(self, pk: str, sks: Sequence[str]) -> list[None]:
        return [None] * len(sks)

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        return self.store.read(key_ranges)

    def put_all_newer(self, items: Iterable[Item], by: str) -> None:
        self.items += items
