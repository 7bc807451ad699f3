"""Strips: who was active on each day of a week, one bit for each user of a shard.

A strip is written with the keyframe of its week and says what the deltas before it say. What comes
later to these days is in late items, which have day flags of their own.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import DAYS, Frame, from_attributes
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Item

_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")


def active_by_day(items: Iterable[Item], plan: int, product: MeteredProduct) -> dict[date, int]:
    """By day, a bit for every user whose day is counted in deltas up to a plan."""
    seen = [i for i in items if keys.is_delta(i["sk"]) and keys.plan_of(i["sk"]) <= plan]
    frames = ((keys.day_of(i["sk"]), from_attributes(i, product.measures)) for i in seen)
    return joined({day: users_of(frame)} for day, frame in frames if frame.columns[DAYS])


def joined(several: Iterable[Mapping[date, int]]) -> dict[date, int]:
    users: defaultdict[date, int] = defaultdict(int)
    for day, bits in (pair for each in several for pair in each.items()):
        users[day] |= bits
    return users


def to_attributes(by_day: Mapping[date, int], edge: date) -> dict[str, bytes]:
    """One attribute for each day with anybody, by its place in the week."""
    first = calendar.keyframe_before(edge - DAY)
    return {f"d{(day - first).days}": _deflated(bits) for day, bits in sorted(by_day.items())}


def from_item(item: Mapping[str, Any]) -> dict[date, int]:
    first = calendar.keyframe_before(keys.day_of(item["sk"]) - DAY)
    return {
        first + timedelta(int(name[1:])): int.from_bytes(zlib.decompress(value, -15), "little")
        for name, value in item.items()
        if name not in {"pk", "sk"}
    }


def users_of(frame: Frame) -> int:
    """One bit for every user whose day a frame counts."""
    lanes = frame.columns[DAYS].to_bytes(frame.lane_bytes * frame.lanes, "little")
    return int(lanes[:: frame.lane_bytes].translate(_DIGITS)[::-1] or b"0", 2)


def _deflated(bits: int) -> bytes:
    stream = zlib.compressobj(9, wbits=-15)
    return stream.compress(bits.to_bytes(-(-bits.bit_length() // 8), "little")) + stream.flush()
