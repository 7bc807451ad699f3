"""Strips: who was active on each day of a week, one bit for each user of a shard, and what of it.

A strip is written with the keyframe of its week and says what the deltas before it say. What comes
later to these days is in late items, which have day flags of their own. Rows of projections stand
for unlike things, so their strips have no sums.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import zip_longest
from typing import Final, NamedTuple

from odometer.domain.stored import inflated, require, stored
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.codec import pack_measures, unpack_measures
from odometer.engine.format.frames import DAYS, SHARD, Frame, from_attributes
from odometer.engine.format.late import DayRows
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from odometer.engine.store import Item

_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")
_RAW: Final = -15


class Count(NamedTuple):
    """Who of a shard used something, one bit for each, and what they used together."""

    users: int = 0
    sums: tuple[int, ...] = ()

    @classmethod
    def of(cls, frame: Frame, product: MeteredProduct) -> Count:
        """Of the frame of a day."""
        wide = 0 if product in PROJECTIONS else product.measures
        return cls(users_of(frame), tuple(map(frame.sum, range(wide))))

    @classmethod
    def of_rows(cls, rows: DayRows) -> Count:
        users = 0
        for who in rows.who:
            users |= 1 << who
        return cls(users, tuple(map(sum, rows.measures)))

    def plus(self, other: Count) -> Count:
        if not self.sums or not other.sums:
            return Count(self.users | other.users, self.sums or other.sums)
        both = zip_longest(self.sums, other.sums, fillvalue=0)
        return Count(self.users | other.users, tuple(map(sum, both)))


def active_by_day(items: Iterable[Item], plan: int, product: MeteredProduct) -> dict[date, int]:
    """By day, a bit for every user whose day is counted in deltas up to a plan."""
    frames = deltas_in(items, plan, product)
    return joined({day: users_of(frame)} for day, frame in frames if frame.columns[DAYS])


def counts_by_day(items: Iterable[Item], plan: int, product: MeteredProduct) -> dict[date, Count]:
    """By day, what deltas up to a plan say."""
    return added((day, Count.of(frame, product)) for day, frame in deltas_in(items, plan, product))


def joined(several: Iterable[Mapping[date, int]]) -> dict[date, int]:
    users: defaultdict[date, int] = defaultdict(int)
    for day, bits in (pair for each in several for pair in each.items()):
        users[day] |= bits
    return users


def added(several: Iterable[tuple[date, Count]]) -> dict[date, Count]:
    by_day: dict[date, Count] = {}
    for day, count in several:
        by_day[day] = by_day.get(day, Count()).plus(count)
    return by_day


def to_attributes(by_day: Mapping[date, Count], edge: date) -> dict[str, bytes]:
    """An attribute for each day with anybody, by its place in the week; a column for each sum."""
    week = calendar.days(calendar.keyframe_before(edge - DAY), edge)
    counts = [by_day.get(day, Count()) for day in week]
    users = {f"d{at}": _deflated(each.users) for at, each in enumerate(counts) if each.users}
    wide = max(len(each.sums) for each in counts)
    columns = zip(*(each.sums or (0,) * wide for each in counts), strict=True)
    return users | pack_measures(columns)


@stored
def active_in(item: Item) -> dict[date, int]:
    """The users of each day with anybody."""
    first, edge = _first_day(item), keys.day_of(item["sk"])
    users = {
        first + timedelta(int(name[1:])): int.from_bytes(
            inflated(value, SHARD // 8, _RAW), "little"
        )
        for name, value in item.items()
        if name.startswith("d")
    }
    require(all(first <= day < edge for day in users))
    return users


@stored
def from_item(item: Item, product: MeteredProduct) -> dict[date, Count]:
    users = active_in(item)
    if not has_sums(item):
        return {day: Count(bits) for day, bits in users.items()}
    week = calendar.days(_first_day(item), keys.day_of(item["sk"]))
    sums = dict(zip(week, sums_in(item, product, len(week)), strict=True))
    return {day: Count(bits, sums[day]) for day, bits in users.items()}


@stored
def sums_in(item: Item, product: MeteredProduct, days: int) -> list[tuple[int, ...]]:
    """What everybody used together, day by day."""
    return list(zip(*unpack_measures(item, product.measures, days), strict=True))


def has_sums(item: Item) -> bool:
    """Whether an item is a strip that says more than who was active."""
    return keys.is_strip(item["sk"]) and "m0" in item


def users_of(frame: Frame) -> int:
    """One bit for every user whose day a frame counts."""
    lanes = frame.columns[DAYS].to_bytes(frame.lane_bytes * frame.lanes, "little")
    return int(lanes[:: frame.lane_bytes].translate(_DIGITS)[::-1] or b"0", 2)


def deltas_in(
    items: Iterable[Item], plan: int, product: MeteredProduct
) -> Iterator[tuple[date, Frame]]:
    for item in items:
        if keys.is_delta(item["sk"]) and keys.plan_of(item["sk"]) <= plan:
            yield keys.day_of(item["sk"]), from_attributes(item, product.measures)


def _first_day(item: Item) -> date:
    return calendar.keyframe_before(keys.day_of(item["sk"]) - DAY)


def _deflated(bits: int) -> bytes:
    stream = zlib.compressobj(9, wbits=_RAW)
    return stream.compress(bits.to_bytes(-(-bits.bit_length() // 8), "little")) + stream.flush()
