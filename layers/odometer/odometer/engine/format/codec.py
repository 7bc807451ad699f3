"""Columns of numbers as bytes: the lowest bytes together, the next together, each deflated.

A lane is eight bytes, little end first, or sixteen where a number needs more. A column of lanes is
cut into planes (all first bytes, all second bytes ...), as many as its largest number needs, and
every plane is one raw deflate stream. The streams follow each other without a header, since each of
them knows where it ends.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.stored import require, stored

SINGLE: Final = 1
"""Bytes of a lane where one is enough, which is packed like any other."""
NARROW: Final = 8
"""Bytes of a lane."""
WIDE: Final = 16
"""Bytes of a lane where eight are too few."""
MOST_LANES: Final = 2**22
"""No column is longer. A plan has some 100,000 events, and no item holds the rows of two plans."""
ANY_REPEATS: Final = zlib.Z_DEFAULT_STRATEGY
RUNS: Final = zlib.Z_RLE
"""What of a plane is looked for: whatever stands in it twice, or only runs of one byte."""
_RAW: Final = -15
_LEAST_BITS: Final = 9
_LOOKAHEAD: Final = 262
"""The bytes of a window, of 2**bits, that a plane leaves free."""
_SYMBOLS: Final = 6
"""A memory of level n holds 2**(n + 6) symbols."""

Numbers: TypeAlias = "array[int] | list[int]"
"""Numbers from 0 on; a list where one of them needs more than 64 bits."""


def pack_lanes(lanes: bytes, lane_bytes: int = NARROW, strategy: int = ANY_REPEATS) -> bytes:
    """An empty column is an empty text; wide lanes have more planes than narrow ones ever have."""
    planes = [lanes[place::lane_bytes] for place in range(lane_bytes)]
    least = NARROW + 1 if lane_bytes == WIDE else 1
    while len(planes) > least and not planes[-1].strip(b"\0"):
        planes.pop()
    return b"".join([_deflated(plane, strategy) for plane in planes]) if lanes else b""


@stored
def planes_in(packed: bytes) -> list[bytes]:
    planes = list(islice(_inflate(packed), WIDE + 1))
    require(len(planes) <= WIDE and len(set(map(len, planes))) <= 1)
    return planes


def lanes_of(planes: Sequence[bytes], lane_bytes: int) -> bytearray:
    lanes = bytearray(lane_bytes * len(planes[0]) if planes else 0)
    for place, plane in enumerate(planes):
        lanes[place::lane_bytes] = plane
    return lanes


def to_lanes(numbers: Iterable[int], lane_bytes: int) -> bytes:
    if lane_bytes == NARROW:
        return array("Q", numbers).tobytes()
    return b"".join(number.to_bytes(lane_bytes, "little") for number in numbers)


def numbers_in(lanes: bytes | bytearray, lane_bytes: int) -> Numbers:
    halves = array("Q", lanes)
    if lane_bytes == NARROW:
        return halves
    lows, highs = halves[::2], halves[1::2]
    return [low | high << 64 for low, high in zip(lows, highs, strict=True)] if any(highs) else lows


def numbers(several: Iterable[int]) -> Numbers:
    listed = list(several)
    try:
        return array("Q", listed)
    except OverflowError:
        return listed


def is_used(column: Sequence[int]) -> bool:
    """Whether a column has anything but zeros."""
    if isinstance(column, array):
        return column.tobytes() != bytes(NARROW * len(column))
    return any(column)


def unused(rows: int) -> Numbers:
    """A column of zeros."""
    return array("Q", bytes(NARROW * rows))


def pack(several: Iterable[int]) -> bytes:
    """A column; where each number is a byte, there are no lanes to cut into planes."""
    listed = list(several)
    try:
        return pack_lanes(bytes(listed), SINGLE)
    except ValueError:
        column = numbers(listed)
    lane_bytes = NARROW if isinstance(column, array) else WIDE
    return pack_lanes(to_lanes(column, lane_bytes), lane_bytes)


def unpack(packed: bytes) -> Numbers:
    planes = planes_in(packed)
    lane_bytes = NARROW if len(planes) <= NARROW else WIDE
    return numbers_in(lanes_of(planes, lane_bytes), lane_bytes)


def pack_measures(columns: Iterable[Sequence[int]]) -> dict[str, bytes]:
    """A column for each measure, but for those after the last one that anybody used."""
    listed = list(columns)
    while len(listed) > LEAST_MEASURES and not is_used(listed[-1]):
        listed.pop()
    return {f"m{place}": pack(column) for place, column in enumerate(listed)}


def measures_in(item: Mapping[str, Any], of: int) -> int:
    """How many measures an item has; those that were added to its kind later have no column."""
    return next((place for place in range(1, of) if f"m{place}" not in item), of)


def unpack_measures(item: Mapping[str, Any], of: int, rows: int) -> list[Numbers]:
    """The measures of rows; those that were added to the kind later are 0."""
    known = measures_in(item, of)
    columns = [unpack(item[f"m{place}"]) for place in range(known)]
    require(all(len(column) == rows for column in columns))
    return columns + [unused(rows)] * (of - known)


def _deflated(plane: bytes, strategy: int) -> bytes:
    """A plane as it is stored. Many are of one byte alone, which takes long only the first time."""
    first, length = plane[:1], len(plane)
    return _of_one_byte(first, length) if plane == first * length else _deflate(plane, strategy)


@lru_cache(maxsize=1024)
def _of_one_byte(byte: bytes, length: int) -> bytes:
    return _deflate(byte * length, ANY_REPEATS)


def _deflate(plane: bytes, strategy: int) -> bytes:
    """Deflate with no more memory than makes a difference: 256 kB cost more than most planes."""
    bits = min(max((len(plane) + _LOOKAHEAD).bit_length(), _LEAST_BITS), -_RAW)
    level = min(bits - _SYMBOLS, zlib.DEF_MEM_LEVEL)
    stream = zlib.compressobj(9, wbits=-bits, memLevel=level, strategy=strategy)
    return stream.compress(plane) + stream.flush()


def _inflate(packed: bytes) -> Iterator[bytes]:
    while packed:
        stream = zlib.decompressobj(_RAW)
        plane = stream.decompress(packed, MOST_LANES + 1)
        require(stream.eof and len(plane) <= MOST_LANES)
        yield plane
        packed = stream.unused_data
