"""Frames: what every user of a shard has used, one lane of some bytes for each user.

A frame is a row of big integers, one for each measure and one for the days active. Adding two
frames is adding integers; the usage between two readings is their difference. No lane ever carries
into its neighbour: a lane has eight bytes and numbers take seven of them at most. A frame in which
a number needs more is wide: its lanes have sixteen bytes, which no sum of events can fill.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import islice
from operator import add, or_, sub
from typing import Any, Final

from odometer.domain.frozen import frozen
from odometer.domain.kinds import LEAST_MEASURES, MEASURES
from odometer.domain.stored import require, stored
from odometer.engine.format.codec import (
    NARROW,
    RUNS,
    WIDE,
    Numbers,
    lanes_of,
    measures_in,
    numbers_in,
    pack_lanes,
    planes_in,
    to_lanes,
)

SHARD: Final = 16_384
"""Users in a shard, so that a frame fits an item."""
DAYS: Final = -1
"""The place of the column of days active."""
PART_BYTES: Final = 350_000
"""No stored item grows past this: DynamoDB takes 400 KB."""

_BITS: Final = 8
_ONES: Final = {
    lane_bytes: int.from_bytes((1).to_bytes(lane_bytes, "little") * SHARD, "little")
    for lane_bytes in (NARROW, WIDE)
}
_SPARE_BITS: Final = _BITS * (NARROW - 1)
_SPARE: Final = 255 * _ONES[NARROW] << _SPARE_BITS
"""The bytes of narrow lanes that no number takes."""
_LANES_ALIKE: Final = 1_024
"""What is known of so many lanes is known of any number of lanes up to that."""
_RATE_BITS: Final = 40
"""A number of so many bits for each day of 20,000 years leaves free the top bit of its lane."""
_AT_ONCE: Final = 16
"""Frames that are added before their sum is looked at: up to 255 cannot fill a spare byte."""


@frozen
class Frame:
    """A column for each measure and one for the days active, all with lanes of one width."""

    columns: tuple[int, ...]
    lane_bytes: int = NARROW

    @classmethod
    def of(cls, columns: Sequence[Sequence[int]]) -> Frame:
        """The frame of columns of numbers by user."""
        largest = [max(column, default=0) for column in columns]
        lane_bytes = WIDE if max(largest, default=0) >> _SPARE_BITS else NARROW
        used = zip(columns, largest, strict=True)
        lanes = (_column(to_lanes(column, lane_bytes)) if most else 0 for column, most in used)
        return cls(tuple(lanes), lane_bytes)

    def __bool__(self) -> bool:
        return any(self.columns)

    @property
    def measures(self) -> Frame:
        """The frame without the days active."""
        return Frame(self.columns[:-1], self.lane_bytes)

    @property
    def lanes(self) -> int:
        """How many lanes there are up to the last one that is not 0."""
        return -(-_together(self.columns).bit_length() // (_BITS * self.lane_bytes))

    @property
    def weight(self) -> int:
        """Its bytes in memory."""
        return self.lane_bytes * self.lanes * len(self.columns)

    def sum(self, place: int) -> int:
        return sum(numbers_of([self], place))

    def of_user(self, lane: int) -> list[int]:
        """What one lane of every column holds."""
        bits = _BITS * self.lane_bytes
        return [column >> bits * lane & (1 << bits) - 1 for column in self.columns]

    def only(self, filled: int) -> Frame:
        """The lanes of some users, who are given as narrow lanes with all bits set."""
        mask = filled if self.lane_bytes == NARROW else _widened(filled) * (1 | 1 << _BITS * NARROW)
        return Frame(tuple(column & mask for column in self.columns), self.lane_bytes)

    def widened(self) -> Frame:
        return self if self.lane_bytes == WIDE else Frame(tuple(map(_widened, self.columns)), WIDE)


def alike(frames: Sequence[Frame]) -> Sequence[Frame]:
    """The frames with lanes of the same width."""
    if any(frame.lane_bytes == WIDE for frame in frames):
        return [frame.widened() for frame in frames]
    return frames


def numbers_of(shards: Sequence[Frame], place: int) -> Numbers:
    """A column of the frames of all shards as numbers by user."""
    frames = alike(shards)
    users = [SHARD] * (len(frames) - 1) + [frame.lanes for frame in frames[-1:]]
    lanes = (
        f.columns[place].to_bytes(f.lane_bytes * n, "little")
        for f, n in zip(frames, users, strict=True)
    )
    return numbers_in(b"".join(lanes), frames[0].lane_bytes if frames else NARROW)


def plus(one: Frame, other: Frame) -> Frame:
    return _sum([one, other])


def total(frames: Iterable[Frame], measures: int) -> Frame:
    rest = iter(frames)
    so_far = next(rest, None) or Frame((0,) * (measures + 1))
    while some := list(islice(rest, _AT_ONCE)):
        so_far = _sum([so_far, *some])
    return so_far


def net(signed: Iterable[tuple[int, Frame]], measures: int) -> Frame:
    """What is left of the frames to add, with 1, without those to subtract, with -1."""
    frames = list(signed)
    added, taken = (total((f for s, f in frames if s == sign), measures) for sign in (1, -1))
    return minus(added, taken)


def minus(one: Frame, other: Frame) -> Frame:
    """The difference of two frames of which the first has nowhere less."""
    one, other = alike([one, other])
    return Frame(tuple(map(sub, one.columns, other.columns)), one.lane_bytes)


def active(measures: Frame) -> int:
    """A 1 in the lane of everyone with any of the measures.

    One less than the top bit, added to a number above 0, sets that bit.
    """
    together, bits = _together(measures.columns), _BITS * measures.lane_bytes
    ones, below_top = _ones(measures.lane_bytes, -(-together.bit_length() // (bits * _LANES_ALIKE)))
    return together + below_top >> bits - 1 & ones


@lru_cache(maxsize=2 * SHARD // _LANES_ALIKE)
def _ones(lane_bytes: int, thousands: int) -> tuple[int, int]:
    """A 1 in each of so many lanes, and in each all bits but the top one."""
    bits = _BITS * lane_bytes
    ones = _ONES[lane_bytes] & (1 << bits * _LANES_ALIKE * thousands) - 1
    return ones, (ones << bits - 1) - ones


def reaching(frame: Frame, place: int, least: int, each: int) -> int | None:
    """A 1 in the lane of everyone who has so much of a measure, times their number in `each`.

    A number with the top bit of its lane, less another number, keeps that bit if it is as large.
    None where lanes are wide, or where the product may not fit a lane.
    """
    if frame.lane_bytes == WIDE or least >> _RATE_BITS:
        return None
    ones, _ = _ones(NARROW, -(-frame.lanes // _LANES_ALIKE))
    top = _BITS * NARROW - 1
    return (frame.columns[place] + (ones << top) - least * each) >> top & ones


def flags(frame: Frame, ones: int) -> bytes:
    """A byte for each user: the 1 or 0 that stands in their lane."""
    return ones.to_bytes(frame.lane_bytes * frame.lanes, "little")[:: frame.lane_bytes]


def with_days(measures: Frame) -> Frame:
    """The frame of a day: everyone with any of the measures was active on it."""
    return Frame((*measures.columns, active(measures)), measures.lane_bytes)


def to_attributes(frame: Frame) -> dict[str, bytes]:
    """The binary attributes of an item; day flags that follow from the measures are left out.

    So are measures after those that are used, from the fifth on.
    """
    *measures, days = frame.columns
    while len(measures) > LEAST_MEASURES and not measures[-1]:
        measures.pop()
    columns = {f"m{place}": _packed(frame, column) for place, column in enumerate(measures)}
    follows = days == active(frame.measures)
    return columns if follows else {**columns, "days": _packed(frame, days)}


@stored
def from_attributes(attributes: Mapping[str, Any], measures: int) -> Frame:
    """The frame of an item; it is wide if a number takes more bytes than a narrow lane spares.

    Whoever asks for fewer measures than are stored gets the days that follow from all of them.
    """
    known = measures_in(attributes, MEASURES)
    planes = [planes_in(attributes[f"m{place}"]) for place in range(known)]
    planes.append(planes_in(attributes.get("days", b"")))
    require(all(len(each[0]) <= SHARD for each in planes if each))
    lane_bytes = WIDE if max(map(len, planes)) >= NARROW else NARROW
    *columns, days = (_column(lanes_of(each, lane_bytes)) for each in planes)
    if "days" not in attributes:
        days = active(Frame(tuple(columns), lane_bytes))
    asked = (*columns[: min(known, measures)], *[0] * (measures - known))
    return Frame((*asked, days), lane_bytes)


def parts(frame: Frame, lanes: range = range(SHARD)) -> list[dict[str, bytes]]:
    """The attributes of items that each fit the table; added up they are the frame."""
    attributes = to_attributes(frame)
    if sum(map(len, attributes.values())) <= PART_BYTES:
        return [attributes]
    first, last = lanes[: len(lanes) // 2], lanes[len(lanes) // 2 :]
    mask = (1 << _BITS * frame.lane_bytes * last.start) - 1
    low = Frame(tuple(column & mask for column in frame.columns), frame.lane_bytes)
    return [*parts(low, first), *parts(minus(frame, low), last)]


def _sum(several: Sequence[Frame]) -> Frame:
    frames = alike(several)
    columns = tuple(map(_added, zip(*(frame.columns for frame in frames), strict=True)))
    added = Frame(columns, frames[0].lane_bytes)
    full = added.lane_bytes == NARROW and any(column & _SPARE for column in columns)
    return added.widened() if full else added


def _added(columns: Iterable[int]) -> int:
    """Their sum; to add to nothing would copy."""
    used = filter(None, columns)
    return reduce(add, used, next(used, 0))


def _together(columns: Iterable[int]) -> int:
    """All bits that any of the columns has; those that nobody used cost nothing."""
    used = filter(None, columns)
    return reduce(or_, used, next(used, 0))


def _packed(frame: Frame, column: int) -> bytes:
    """Neighbours are other users: a search for more than runs takes longer and finds less."""
    lanes = Frame((column,), frame.lane_bytes).lanes
    return pack_lanes(column.to_bytes(frame.lane_bytes * lanes, "little"), frame.lane_bytes, RUNS)


def _column(lanes: bytes | bytearray) -> int:
    return int.from_bytes(lanes, "little")


def _widened(column: int) -> int:
    narrow = array("Q", column.to_bytes(NARROW * Frame((column,)).lanes, "little"))
    wide = array("Q", bytes(WIDE * len(narrow)))
    wide[::2] = narrow
    return _column(wide.tobytes())
