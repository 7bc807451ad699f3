"""Columns of numbers as bytes: the lowest bytes together, the next together, each deflated.

A lane is eight bytes, little end first. A column of lanes is cut into planes (all first bytes, all
second bytes ...), as many as its largest number needs, and every plane is one raw deflate stream.
The streams follow each other without a header, since each of them knows where it ends.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

LANE_BYTES: Final = 8
_RAW: Final = -15


def pack_lanes(lanes: bytes) -> bytes:
    """An empty column is an empty text."""
    planes = [lanes[place::LANE_BYTES] for place in range(LANE_BYTES)]
    while len(planes) > 1 and not any(planes[-1]):
        planes.pop()
    return b"".join(map(_deflate, planes)) if lanes else b""


def unpack_lanes(packed: bytes) -> bytearray:
    planes = list(_inflate(packed))
    lanes = bytearray(LANE_BYTES * len(planes[0]) if planes else 0)
    for place, plane in enumerate(planes):
        lanes[place::LANE_BYTES] = plane
    return lanes


def pack(numbers: Iterable[int]) -> bytes:
    return pack_lanes(array("Q", numbers).tobytes())


def unpack(packed: bytes) -> array[int]:
    return array("Q", bytes(unpack_lanes(packed)))


def measures_in(item: Mapping[str, Any], of: int) -> int:
    """How many measures an item has; those that were added to its kind later have no column."""
    return next((place for place in range(1, of) if f"m{place}" not in item), of)


def unpack_measures(item: Mapping[str, Any], of: int, rows: int) -> list[array[int]]:
    """The measures of rows; those that were added to the kind later are 0."""
    stored = measures_in(item, of)
    columns = [unpack(item[f"m{place}"]) for place in range(stored)]
    return columns + [array("Q", bytes(LANE_BYTES * rows))] * (of - stored)


def _deflate(plane: bytes) -> bytes:
    stream = zlib.compressobj(9, wbits=_RAW)
    return stream.compress(plane) + stream.flush()


def _inflate(packed: bytes) -> Iterator[bytes]:
    while packed:
        stream = zlib.decompressobj(_RAW)
        yield stream.decompress(packed)
        packed = stream.unused_data
