"""The settled ids of one UTC date, in four bytes each.

A run holds the first five bytes of many digests in their order. What it does not hold is not among
its ids; a match is confirmed by reading what is stored.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from struct import iter_unpack
from typing import Final, Self

from odometer.domain.events import DIGEST_BYTES
from odometer.engine.format import keys
from odometer.engine.store import Item, KeyRange, Store

LARGEST_RUN: Final = 2**18
"""Runs are merged up to this many ids: to confirm a match in one, 3 MB are read."""
_RUN_BYTES: Final = 1_500


def digests_of(item: Item) -> Iterator[bytes]:
    return (digest for (digest,) in iter_unpack(f"{DIGEST_BYTES}s", item["digests"]))


def weight_of(digests: Sequence[bytes]) -> int:
    """What remembering so many digests takes."""
    return 4 * len(digests) + _RUN_BYTES


@dataclass(frozen=True, slots=True)
class Run:
    """The beginnings of many digests: the first byte follows from the place, four are stored."""

    first: str
    last: str
    """All stored items from the first to the last sort key hold the digests."""
    starts: array[int]
    """Where the digests with each first byte begin, and the end."""
    numbers: array[int]

    @classmethod
    def of(cls, first: str, last: str, digests: Sequence[bytes]) -> Self:
        """The run of sorted digests."""
        joined = b"".join(digests)
        planes = bytearray(4 * len(digests))
        for place in range(4):
            planes[place::4] = joined[4 - place :: DIGEST_BYTES]
        numbers = array("I", bytes(planes))
        if sys.byteorder == "big":
            numbers.byteswap()
        firsts = joined[::DIGEST_BYTES]
        starts = array("I", (bisect_left(firsts, byte) for byte in range(257)))
        return cls(first, last, starts, numbers)

    @property
    def weight(self) -> int:
        return 4 * len(self.numbers) + _RUN_BYTES

    def may_hold(self, digest: bytes) -> bool:
        number, end = int.from_bytes(digest[1:5], "big"), self.starts[digest[0] + 1]
        at = bisect_left(self.numbers, number, self.starts[digest[0]], end)
        return at < end and self.numbers[at] == number

    def __add__(self, following: Self) -> Self:
        starts, numbers = array("I", [0]), array("I")
        for own, other in zip(pairwise(self.starts), pairwise(following.starts), strict=True):
            both = self.numbers[slice(*own)] + following.numbers[slice(*other)]
            numbers.extend(sorted(both))
            starts.append(len(numbers))
        return type(self)(self.first, following.last, starts, numbers)


@dataclass(slots=True)
class DateIds:
    """The ids of one UTC date, as far as they are remembered."""

    plan: int = 0
    """What this plan and earlier ones have settled is in the runs."""
    read: str = keys.BOTTOM
    """All stored items up to this sort key are in the runs."""
    runs: list[Run] = field(default_factory=list)

    @property
    def weight(self) -> int:
        return sum(run.weight for run in self.runs) + 300

    def copy(self) -> DateIds:
        return DateIds(self.plan, self.read, list(self.runs))

    def unread(self, pk: str, plan: int) -> KeyRange | None:
        """The items that a plan and earlier ones may have stored beyond the remembered ones."""
        last = keys.number(plan) + keys.TOP
        return KeyRange(pk, self.read + "\0", last) if self.plan < plan else None

    def remembered(self, store: Store, pk: str, wanted: Collection[bytes]) -> Iterator[bytes]:
        """The wanted digests that are in the runs."""
        for run in self.runs:
            if matches := {digest for digest in wanted if run.may_hold(digest)}:
                stored = chain.from_iterable(store.pages(KeyRange(pk, run.first, run.last)))
                for item in stored:
                    yield from matches.intersection(digests_of(item))

    def learn(self, page: Sequence[Item], digests: Sequence[bytes]) -> None:
        """Remember the sorted digests of the items that follow the remembered ones."""
        run = Run.of(page[0]["sk"], page[-1]["sk"], digests)
        self.read = run.last
        while self.runs and len(self.runs[-1].numbers) <= len(run.numbers) <= LARGEST_RUN // 2:
            run = self.runs.pop() + run
        self.runs.append(run)
