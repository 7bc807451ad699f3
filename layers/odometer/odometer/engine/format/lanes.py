"""Lanes: an organization that is too busy for one writer has several logs, each with its folds.

The digest of an event says its lane. The number of lanes is a power of two and only grows: the
events of a new lane were those of another one before, and that lane stays.
"""

import json
from typing import Final

from odometer.domain.stored import require, stored

ByLane = tuple[int, ...]
"""A number for each lane, in the order of the lanes."""

MOST_LANES: Final = 16


def lane_of(digest: bytes, lanes: int) -> int:
    return digest[0] % lanes


def elders(lane: int) -> list[int]:
    """The lanes that may have had events of a lane before it was there."""
    return sorted({lane % 2**bits for bits in range(lane.bit_length())})


def widened(numbers: ByLane, lanes: int) -> ByLane:
    """The same of more lanes: the new ones have nothing yet."""
    return numbers + (0,) * (lanes - len(numbers))


def to_attribute(numbers: ByLane) -> int | str:
    """A single lane is stored as a number, as it was before there were lanes."""
    return numbers[0] if len(numbers) == 1 else json.dumps(numbers)


@stored
def from_attribute(kept: object) -> ByLane:
    numbers = tuple(json.loads(kept)) if isinstance(kept, str) else (int(str(kept)),)
    require(1 <= len(numbers) <= MOST_LANES)
    require(all(type(number) is int and number >= 0 for number in numbers))
    return numbers
