"""Writes when each user last used each product, as far as the events of one plan change it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from odometer.domain.events import Event
from odometer.domain.time import KEPT_FOR_CURSORS, SECOND
from odometer.engine.format import keys
from odometer.engine.format.last_used import (
    SINCE,
    Items,
    Seconds,
    from_item,
    item_of,
    to_attributes,
)
from odometer.engine.format.products import TOTALS, MeteredProduct, places
from odometer.engine.store import Item, Store
from odometer.engine.write.overwriting import Overwriting


@dataclass(frozen=True, slots=True)
class LastUsed:
    """Overwrites the rows of one plan."""

    organization: str
    store: Store
    plan: int
    now: int
    catalog: Sequence[MeteredProduct]

    def record(self, events: Iterable[Event[int]]) -> None:
        pk = keys.last_used(self.organization)
        if self.plan == 1:
            self.store.put_new({"pk": pk, "sk": SINCE, "k": self.plan})
        rows = {keys.last_used_of(*at): (at, new) for at, new in self._rows(events).items()}
        changes = {sk: partial(_with_rows, *both) for sk, both in rows.items()}
        overwriting = Overwriting(self.store, pk, self.plan)
        overwriting.change(changes, lambda sk, old: self._former(*rows[sk], old))

    def _rows(self, events: Iterable[Event[int]]) -> dict[Items, dict[tuple[int, int], int]]:
        at = places(self.catalog, TOTALS)
        rows: defaultdict[Items, dict[tuple[int, int], int]] = defaultdict(dict)
        for event in events:
            if event.product in at:
                pair = event.who, at[event.product]
                of_item = rows[item_of(pair)]
                of_item[pair] = max(event.second, of_item.get(pair, 0))
        return rows

    def _former(self, at: Items, new: Seconds, old: Item) -> Item:
        known = from_item(old, *at) if "who" in old else {}
        expiry = self.now + KEPT_FOR_CURSORS // SECOND
        pk, sk = keys.last_used(self.organization), keys.former_last_used(*at, self.plan)
        former = {pair: known.get(pair, 0) for pair in new}
        return {"pk": pk, "sk": sk, "ttl": expiry, **to_attributes(former)}


def _with_rows(at: Items, new: Seconds, old: Item) -> Item:
    rows = from_item(old, *at) if "who" in old else {}
    rows |= {pair: max(second, rows.get(pair, 0)) for pair, second in new.items()}
    return to_attributes(rows)
