"""Frames: what every user of a shard has used, one 64-bit lane for each user.

A frame is a row of big integers, one for each measure and one for the days active. Adding two
frames is adding integers; the usage between two readings is their difference. No lane ever carries
into its neighbour: readings only grow, and none holds 2^60 or more (`check`).
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, or_, sub
from typing import Any, Final

from odometer.engine.format.codec import LANE_BYTES, measures_in, pack_lanes, unpack_lanes

SHARD: Final = 16_384
"""Users in a shard, so that a frame fits an item."""
PART_BYTES: Final = 350_000
"""No stored item grows past this: DynamoDB takes 400 KB."""

LANE_BITS: Final = 8 * LANE_BYTES
_ONES: Final = int.from_bytes((1).to_bytes(LANE_BYTES, "little") * SHARD, "little")
_TOP: Final = _ONES << LANE_BITS - 1
_RESERVE: Final = _TOP | _TOP >> 1 | _TOP >> 2 | _TOP >> 3
_LOWER_HALF: Final = (1 << LANE_BITS * SHARD // 2) - 1

Frame = tuple[int, ...]


class LaneOverflow(ArithmeticError):
    """A user's total of one year needs more than 60 bits."""


def plus(one: Frame, other: Frame) -> Frame:
    return tuple(map(add, one, other))


def total(frames: Iterable[Frame], measures: int) -> Frame:
    return reduce(plus, frames, (0,) * (measures + 1))


def lane_count(frame: Frame) -> int:
    return -(-reduce(or_, frame).bit_length() // LANE_BITS)


def lanes_of(column: int, users: int) -> bytes:
    return column.to_bytes(LANE_BYTES * users, "little")


def active(measures: Frame) -> int:
    """A 1 in the lane of everyone with any of the measures."""
    anything = reduce(or_, measures)
    ones = _ONES & (1 << LANE_BITS * lane_count(measures)) - 1
    return (anything + (ones << LANE_BITS - 1) - ones >> LANE_BITS - 1) & ones


def check(frame: Frame) -> Frame:
    """Raise an error if a lane is about to reach its neighbour."""
    if reduce(or_, frame) & _RESERVE:
        raise LaneOverflow
    return frame


def to_attributes(frame: Frame) -> dict[str, bytes]:
    """The binary attributes of an item; day flags that follow from the measures are left out."""
    columns = {f"m{place}": _packed(column) for place, column in enumerate(frame[:-1])}
    return columns if frame[-1] == active(frame[:-1]) else {**columns, "days": _packed(frame[-1])}


def from_attributes(attributes: Mapping[str, Any], measures: int) -> Frame:
    stored = measures_in(attributes, measures)
    columns = tuple(_lanes(attributes[f"m{place}"]) for place in range(stored))
    columns += (0,) * (measures - stored)
    return (*columns, _lanes(attributes["days"]) if "days" in attributes else active(columns))


def parts(frame: Frame) -> list[Frame]:
    """The frame in pieces that fit an item each; added up they are the frame."""
    if sum(map(len, to_attributes(frame).values())) <= PART_BYTES:
        return [frame]
    low = tuple(column & _LOWER_HALF for column in frame)
    return [low, tuple(map(sub, frame, low))]


def _packed(column: int) -> bytes:
    return pack_lanes(lanes_of(column, lane_count((column,))))


def _lanes(packed: bytes) -> int:
    return int.from_bytes(unpack_lanes(packed), "little")
