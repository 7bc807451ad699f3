"""Piles: a day with more events than one step can sort is sorted pile by pile.

A pile is what some megabytes of segments hold of the day. Its events lie by shard and second on
sheets, items of a few hundred events. So whoever wants the events of some seconds in order takes
the sheets that begin in them, and of every pile the sheet that began before and is not over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from odometer.domain.stored import require, stored
from odometer.engine.format import keys
from odometer.engine.format.codec import numbers, pack, unpack
from odometer.engine.format.segments import Segment
from odometer.engine.store import Item

SHEET_EVENTS = 512
KEPT_SECONDS: Final = 30 * 86_400
"""Piles expire so long after they were written: once their day is sealed, nobody reads them."""


class Sheets(NamedTuple):
    """The first and the last second of each sheet of one shard in a pile."""

    firsts: Sequence[int]
    lasts: Sequence[int]

    @classmethod
    def of(cls, events: Segment) -> Sheets:
        sheets = list(sheets_of(events))
        return cls(
            numbers(sheet.seconds[0] for sheet in sheets),
            numbers(sheet.seconds[-1] for sheet in sheets),
        )

    def within(self, seconds: range) -> range:
        """The places of those that begin in some seconds."""
        return range(
            bisect_left(self.firsts, seconds.start), bisect_left(self.firsts, seconds.stop)
        )

    def begun(self, second: int) -> range:
        """The place of the one, if any, that began before a second and is not over."""
        place = bisect_left(self.firsts, second)
        return range(place - 1, place) if place and self.lasts[place - 1] >= second else range(0)


NO_SHEETS: Final = Sheets((), ())


class Pile(NamedTuple):
    """Which sheets a pile has, and where the next pile goes on."""

    number: int
    through: str
    """The sort key of the last segment in it."""
    is_last: bool
    events: int
    weight: int
    """About the bytes of its events."""
    by_shard: Mapping[int, Sheets]

    def to_attributes(self) -> dict[str, Any]:
        several = self.by_shard.values()
        return {
            "through": self.through,
            "last": int(self.is_last),
            "events": self.events,
            "weight": self.weight,
            "shards": pack(self.by_shard),
            "sheets": pack(len(each.firsts) for each in several),
            "firsts": pack(chain.from_iterable(each.firsts for each in several)),
            "lasts": pack(chain.from_iterable(each.lasts for each in several)),
        }

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Pile:
        firsts, lasts, end = unpack(item["firsts"]), unpack(item["lasts"]), 0
        shards, counts = unpack(item["shards"]), unpack(item["sheets"])
        require(len(firsts) == len(lasts) == sum(counts) and len(set(shards)) == len(shards))
        by_shard = dict[int, Sheets]()
        for shard, sheets in zip(shards, counts, strict=True):
            some, end = slice(end, end + sheets), end + sheets
            by_shard[shard] = Sheets(firsts[some], lasts[some])
        number, is_last = keys.part_of(item["sk"]), bool(item["last"])
        events, weight = int(item["events"]), int(item["weight"])
        return cls(number, item["through"], is_last, events, weight, by_shard)

    def sheets(self, shard: int) -> Sheets:
        return self.by_shard.get(shard, NO_SHEETS)


def sheets_of(events: Segment) -> Iterator[Segment]:
    for first in range(0, len(events.who), SHEET_EVENTS):
        yield events.part(range(first, first + SHEET_EVENTS))
