"""The settled ids of one UTC date: few as they are, many in four bytes each.

A run holds the first five bytes of many digests in their order. What it does not hold is not among
its ids; a match is confirmed by reading what is stored.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import iter_unpack
from typing import Final, Self

from odometer.domain.events import DIGEST_BYTES
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.engine.format import keys
from odometer.engine.store import Item, KeyRange

LARGEST_RUN: Final = 2**18
"""Runs are merged up to this many ids: to confirm a match in one, 3 MB are read."""
FEW: Final = 1_024
"""Up to so many ids of a date, 12 kB, are remembered whole, and no match has to be confirmed."""
_RUN_BYTES: Final = 1_500
_FEW_BYTES: Final = 300


@stored
def digests_of(item: Item) -> Iterator[bytes]:
    return cut(item["digests"])


def cut(joined: bytes) -> Iterator[bytes]:
    return (digest for (digest,) in iter_unpack(f"{DIGEST_BYTES}s", joined))


def weight_of(digests: Sequence[bytes]) -> int:
    """What remembering so many digests takes."""
    if len(digests) <= FEW:
        return DIGEST_BYTES * len(digests) + _FEW_BYTES
    return 4 * len(digests) + _RUN_BYTES


@frozen
class Few:
    """Some digests in their order, as they are."""

    first: str
    last: str
    """All stored items from the first to the last sort key hold the digests."""
    joined: bytes

    @property
    def weight(self) -> int:
        return len(self.joined) + _FEW_BYTES

    def __len__(self) -> int:
        return len(self.joined) // DIGEST_BYTES

    def __contains__(self, digest: bytes) -> bool:
        at = bisect_left(range(len(self)), digest, key=self._at)
        return at < len(self) and self._at(at) == digest

    def as_run(self) -> Run:
        return Run.of(self.first, self.last, list(cut(self.joined)))

    def _at(self, place: int) -> bytes:
        return self.joined[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]


@frozen
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
        return 4 * len(self) + _RUN_BYTES

    def __len__(self) -> int:
        return len(self.numbers)

    def as_run(self) -> Run:
        return self

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


def run_of(first: str, last: str, digests: Sequence[bytes]) -> Few | Run:
    """What remembers sorted digests best."""
    if len(digests) <= FEW:
        return Few(first, last, b"".join(digests))
    return Run.of(first, last, digests)


def joined(run: Few | Run, following: Few | Run) -> Few | Run:
    if isinstance(run, Few) and isinstance(following, Few):
        return run_of(run.first, following.last, sorted(cut(run.joined + following.joined)))
    return run.as_run() + following.as_run()


@dataclass(slots=True)
class DateIds:
    """The ids of one UTC date, as far as they are remembered."""

    plan: int = 0
    """What this plan and earlier ones have settled is in the runs."""
    read: str = keys.BOTTOM
    """All stored items up to this sort key are in the runs."""
    runs: list[Few | Run] = field(default_factory=list)

    @property
    def weight(self) -> int:
        return sum(run.weight for run in self.runs) + 300

    def copy(self) -> DateIds:
        return DateIds(self.plan, self.read, list(self.runs))

    def unread(self, pk: str, plan: int) -> KeyRange | None:
        """The items that a plan and earlier ones may have stored beyond the remembered ones."""
        last = keys.number(plan) + keys.TOP
        return KeyRange(pk, self.read + "\0", last) if self.plan < plan else None

    def certain(self, wanted: Collection[bytes]) -> set[bytes]:
        """The wanted digests that are remembered whole."""
        few = [run for run in self.runs if isinstance(run, Few)]
        return {digest for digest in wanted if any(digest in run for run in few)}

    def uncertain(self, pk: str, wanted: Collection[bytes]) -> list[KeyRange]:
        """Where it is stored whether others of the wanted digests are known."""
        return [
            KeyRange(pk, run.first, run.last)
            for run in self.runs
            if isinstance(run, Run) and any(map(run.may_hold, wanted))
        ]

    def learn(self, page: Sequence[Item], digests: Sequence[bytes]) -> None:
        """Remember the sorted digests of the items that follow the remembered ones."""
        run = run_of(page[0]["sk"], page[-1]["sk"], digests)
        self.read = run.last
        while self.runs and _is_merged(self.runs[-1], run):
            run = joined(self.runs.pop(), run)
        self.runs.append(run)


def _is_merged(run: Few | Run, following: Few | Run) -> bool:
    """Whether two runs become one: always where that stays small, else as they grow."""
    few = len(run) + len(following) <= FEW
    return few or len(run) <= len(following) <= LARGEST_RUN // 2
