"""Overwrites the items that are not additive: last activity, users of a month, coverage."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from odometer.domain.events import Event, utc_date
from odometer.domain.frozen import frozen
from odometer.domain.time import KEPT_FOR_CURSORS, SECOND
from odometer.engine.format import keys
from odometer.engine.format.codec import numbers, pack
from odometer.engine.format.latest import (
    BLOCK,
    LAST_SOURCE,
    SOURCES_BYTES,
    Coverage,
    bucket_of,
    last_seconds,
    sources_of,
    sources_to_attributes,
    users_bits,
)
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write.overwriting import Overwriting


@frozen
class LatestValues:
    """Overwrites items with the events of one plan."""

    organization: str
    store: Store
    plan: int
    now: int

    def record(self, events: Sequence[Event[int]]) -> None:
        on_platforms = (event for event in events if event.platform)
        blocks = _grouped(on_platforms, lambda e: e.who // BLOCK)
        months = _grouped(events, lambda e: f"{utc_date(e.second):%Y-%m}")
        activity = {number: partial(_with_activity, some) for number, some in blocks.items()}
        users = {name: {event.who for event in some} for name, some in months.items()}
        self._overwriting(keys.activity(self.organization)).change(
            {keys.number(block): change for block, change in activity.items()},
            lambda sk, old: self._former(int(sk), blocks[int(sk)], old),
        )
        self._overwriting(keys.months(self.organization)).change(
            {month: partial(_with_users, who) for month, who in users.items()}
        )
        products = _grouped(events, lambda e: e.product)
        former = [keys.coverage(self.organization, product) for product in products]
        first = [KeyRange(pk, keys.BOTTOM, LAST_SOURCE, limit=1) for pk in former]
        found = self.store.read(first)
        for (product, sent), in_items in zip(products.items(), found, strict=True):
            by_source = _grouped(sent, lambda e: e.source)
            done = self._recorded_before(product, by_source) if in_items else set()
            self._record_sources(product, by_source, done)

    def _record_sources(
        self, product: str, by_source: Mapping[str, list[Event[int]]], done: Collection[str]
    ) -> None:
        buckets: defaultdict[str, dict[str, Coverage]] = defaultdict(dict)
        for source, events in by_source.items():
            if source not in done:
                new = Coverage.of([event.second for event in events])
                buckets[keys.number(bucket_of(source))][source] = new
        changes = {sk: partial(_with_sources, new) for sk, new in buckets.items()}
        self._overwriting(keys.sources(self.organization, product)).change(changes)

    def _overwriting(self, pk: str) -> Overwriting:
        return Overwriting(self.store, pk, self.plan)

    def _recorded_before(self, product: str, sources: Collection[str]) -> set[str]:
        """Sources for which a former release has begun with this plan, in items of their own."""
        pk = keys.coverage(self.organization, product)
        items = self.store.get_each(pk, list(sources))
        return {item["sk"] for item in items if item and item["k"] >= self.plan}

    def _former(self, block: int, events: Sequence[Event[int]], old: Item) -> Item:
        """What is about to be overwritten, because a cursor may ask for it."""
        pk, sk = keys.activity(self.organization), keys.former_activity(block, self.plan)
        users = sorted({event.who % BLOCK for event in events})
        former = {
            f"p{place}": pack(seconds[user] for user in users)
            for place, seconds in last_seconds(old).items()
        }
        expiry = self.now + KEPT_FOR_CURSORS // SECOND
        return {"pk": pk, "sk": sk, "ttl": expiry, "who": pack(users), **former}


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


def _with_sources(new: Mapping[str, Coverage], old: Item) -> Item:
    by_source = sources_of(old) if "sources" in old else {}
    for source, coverage in new.items():
        by_source[source] = by_source[source] + coverage if source in by_source else coverage
    return sources_to_attributes(by_source, SOURCES_BYTES)
