"""Overwrites the items that are not additive: last activity, users of a month, coverage.

A plan that is repeated finds its own number in an item and leaves it alone.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from odometer.domain.events import Event, utc_date
from odometer.domain.time import KEPT_FOR_CURSORS, SECOND
from odometer.engine.format import keys
from odometer.engine.format.codec import numbers, pack
from odometer.engine.format.latest import BLOCK, Coverage, last_seconds, users_bits
from odometer.engine.store import Item, Store


@dataclass(frozen=True, slots=True)
class LatestValues:
    """Overwrites items with the events of one plan."""

    organization: str
    store: Store
    plan: int
    now: int

    def record(self, events: Sequence[Event[int]]) -> None:
        activity, months = keys.activity(self.organization), keys.months(self.organization)
        on_platforms = (event for event in events if event.platform)
        for block, of_block in _grouped(on_platforms, lambda e: e.who // BLOCK).items():
            former = partial(self._keep_former, block, of_block)
            self._overwrite(activity, keys.number(block), partial(_with_activity, of_block), former)
        for month, of_month in _grouped(events, lambda e: f"{utc_date(e.second):%Y-%m}").items():
            self._overwrite(months, month, partial(_with_users, {event.who for event in of_month}))
        for (product, source), sent in _grouped(events, lambda e: (e.product, e.source)).items():
            pk = keys.coverage(self.organization, product)
            self._overwrite(pk, source, partial(_with_seconds, [event.second for event in sent]))

    def _keep_former(self, block: int, events: Sequence[Event[int]], old: Item) -> None:
        """Keep what is about to be overwritten, because a cursor may ask for it."""
        pk, sk = keys.activity(self.organization), keys.former_activity(block, self.plan)
        users = sorted({event.who % BLOCK for event in events})
        former = {
            f"p{place}": pack(seconds[user] for user in users)
            for place, seconds in last_seconds(old).items()
        }
        expiry = self.now + KEPT_FOR_CURSORS // SECOND
        self.store.put({"pk": pk, "sk": sk, "ttl": expiry, "who": pack(users), **former})

    def _overwrite(
        self,
        pk: str,
        sk: str,
        change: Callable[[Item], Item],
        keep: Callable[[Item], None] = lambda _: None,
    ) -> None:
        old = self.store.get(pk, sk) or {"k": 0}
        if old["k"] < self.plan:
            keep(old)
            self.store.put_newer({"pk": pk, "sk": sk, "k": self.plan, **change(old)}, "k")


def _grouped(
    events: Iterable[Event[int]], key: Callable[[Event[int]], Any]
) -> Mapping[Any, list[Event[int]]]:
    groups: defaultdict[Any, list[Event[int]]] = defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return groups


def _with_activity(events: Iterable[Event[int]], old: Item) -> Item:
    platforms = last_seconds(old)
    for event in events:
        seconds = platforms.setdefault(event.platform, numbers([0] * BLOCK))
        place = event.who % BLOCK
        seconds[place] = max(seconds[place], event.second)
    return {f"p{platform}": pack(seconds) for platform, seconds in platforms.items()}


def _with_users(users: Collection[int], old: Item) -> Item:
    bits = bytearray(max(len(known := users_bits(old)), max(users) // 8 + 1))
    bits[: len(known)] = known
    for user in users:
        bits[user // 8] |= 1 << user % 8
    return {"users": zlib.compress(bits, 9)}


def _with_seconds(seconds: Collection[int], old: Item) -> Item:
    new = Coverage.of(seconds)
    return (Coverage.from_item(old) + new if "dates" in old else new).to_attributes()
