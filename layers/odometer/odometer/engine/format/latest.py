"""Items that are overwritten: last activity, users of a month, coverage of sources."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date
from itertools import accumulate, pairwise
from typing import Final

from odometer.domain.events import utc_date
from odometer.domain.frozen import frozen
from odometer.domain.stored import inflated, require, stored
from odometer.engine.format.codec import Numbers, pack, unpack
from odometer.engine.format.log_entries import pack_names, unpack_names
from odometer.engine.store import Item

BLOCK: Final = 2048
"""Users whose last activity shares an item."""
SOURCE_BUCKETS: Final = 64
SOURCES_BYTES: Final = 32_000
"""A bucket that outgrows this keeps the sources used last, and the sum of all others."""
OTHERS: Final = ""
"""Stands for the sources that are not kept apart; no source is named so."""
MOST_USERS_BYTES: Final = 2**20
"""A bit for each of eight million users: four times as many as there may be."""
LAST_SOURCE: Final = "\U0010ffff" * 32
"""Sorts after every source."""
_PLATFORMS: Final = {"p1": 1, "p2": 2}


@stored
def last_seconds(item: Item) -> dict[int, Numbers]:
    """By platform, the last active second of each user of a block, or of some; 0 for never."""
    rows = len(unpack(item["who"])) if "who" in item else BLOCK
    columns = {place: unpack(item[name]) for name, place in _PLATFORMS.items() if name in item}
    require(all(len(column) == rows for column in columns.values()))
    return columns


@stored
def users_bits(item: Item) -> bytes:
    """A bit for each user, the first user lowest."""
    return inflated(item["users"], MOST_USERS_BYTES) if "users" in item else b""


@frozen
class Coverage:
    """What a product has received from a source: first and last event, events by UTC date."""

    first: int
    last: int
    by_date: Mapping[date, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Collection[int]) -> Coverage:
        return cls(min(seconds), max(seconds), Counter(map(utc_date, seconds)))

    @classmethod
    @stored
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
        return together([self, other])


def together(several: Sequence[Coverage]) -> Coverage:
    by_date = Counter[date]()
    for each in several:
        by_date.update(each.by_date)
    return Coverage(min(e.first for e in several), max(e.last for e in several), by_date)


BySource = Mapping[str, Coverage]


def bucket_of(source: str) -> int:
    return zlib.crc32(source.encode(errors="surrogatepass")) % SOURCE_BUCKETS


@stored
def sources_of(item: Item) -> dict[str, Coverage]:
    """What a bucket has of each source."""
    dates, events, days = unpack(item["dates"]), unpack(item["events"]), unpack(item["days"])
    require(len(dates) == len(events) == sum(days))
    ends = pairwise(accumulate(days, initial=0))
    names, firsts = unpack_names(item["sources"]), unpack(item["first"])
    columns = zip(names, firsts, unpack(item["last"]), ends, strict=True)
    return {
        source: Coverage(first, last, _by_date(dates[start:end], events[start:end]))
        for source, first, last, (start, end) in columns
    }


def _by_date(gaps: Iterable[int], events: Iterable[int]) -> dict[date, int]:
    return dict(zip(map(date.fromordinal, accumulate(gaps)), events, strict=True))


def sources_to_attributes(by_source: BySource, most: int) -> dict[str, bytes]:
    """The columns of a bucket; the sources used longest ago are summed where it is too large."""
    attributes = _columns(by_source)
    while sum(map(len, attributes.values())) > most and len(by_source.keys() - {OTHERS}) > 1:
        by_source = _with_others(by_source)
        attributes = _columns(by_source)
    return attributes


def _with_others(by_source: BySource) -> BySource:
    """The older half of the sources become one."""
    order = sorted(by_source.keys() - {OTHERS}, key=lambda name: (by_source[name].last, name))
    older = {*order[: (len(order) + 1) // 2], *({OTHERS} & by_source.keys())}
    kept = {source: by_source[source] for source in by_source if source not in older}
    return {OTHERS: together([by_source[source] for source in older]), **kept}


def _columns(by_source: BySource) -> dict[str, bytes]:
    dates = [sorted(each.by_date) for each in by_source.values()]
    gaps = (
        later - earlier
        for days in dates
        for earlier, later in pairwise((0, *(day.toordinal() for day in days)))
    )
    events = (each.by_date[day] for each in by_source.values() for day in sorted(each.by_date))
    return {
        "sources": pack_names(by_source),
        "first": pack(each.first for each in by_source.values()),
        "last": pack(each.last for each in by_source.values()),
        "days": pack(map(len, dates)),
        "dates": pack(gaps),
        "events": pack(events),
    }
