"""Items that are overwritten: last activity, users of a month, coverage of a source."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from odometer.domain.events import utc_date
from odometer.engine.format.codec import Numbers, pack, unpack
from odometer.engine.store import Item

BLOCK: Final = 2048
"""Users whose last activity shares an item."""
_PLATFORMS: Final = {"p1": 1, "p2": 2}


def last_seconds(item: Item) -> dict[int, Numbers]:
    """By platform, the last active second of each user of a block; 0 for never."""
    return {place: unpack(item[name]) for name, place in _PLATFORMS.items() if name in item}


def users_bits(item: Item) -> bytes:
    """A bit for each user, the first user lowest."""
    return zlib.decompress(item["users"]) if "users" in item else b""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a product has received from a source: first and last event, events by UTC date."""

    first: int
    last: int
    by_date: Mapping[date, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Collection[int]) -> Coverage:
        return cls(min(seconds), max(seconds), Counter(map(utc_date, seconds)))

    @classmethod
    def from_item(cls, item: Item) -> Coverage:
        dates = map(date.fromordinal, unpack(item["dates"]))
        by_date = dict(zip(dates, unpack(item["events"]), strict=True))
        return cls(int(item["first"]), int(item["last"]), by_date)

    def to_attributes(self) -> dict[str, int | bytes]:
        dates = sorted(self.by_date)
        return {
            "first": self.first,
            "last": self.last,
            "dates": pack(day.toordinal() for day in dates),
            "events": pack(self.by_date[day] for day in dates),
        }

    def __add__(self, other: Coverage) -> Coverage:
        by_date = Counter(self.by_date) + Counter(other.by_date)
        return Coverage(min(self.first, other.first), max(self.last, other.last), by_date)
