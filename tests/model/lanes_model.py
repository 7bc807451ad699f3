"""Lanes in a hundred lines: how a number of logs and folds is raised while events keep coming.

An id belongs to lane `id % lanes`. A request reads the number of lanes from the directory, between
its stamp and its puts; the number may be raised at any time. The head follows the directory. Time
is short: what is put lands within `LANDS` ticks of its stamp. Workers yield before each write.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

LANDS: Final = 2
SETTLING: Final = 3
"""Ticks after which an entry is in the log or never will be."""

Worker = Iterator[None]


@dataclass(frozen=True)
class Head:
    """What is settled, by lane."""

    version: int = 0
    plan: int = 0
    upto: tuple[int, ...] = (0,)
    through: tuple[int, ...] = (0,)


def elders(lane: int) -> set[int]:
    """The lanes that had the ids of a lane before it was there."""
    return {lane % 2**bits for bits in range(lane.bit_length())}


def widened(numbers: tuple[int, ...], lanes: int) -> tuple[int, ...]:
    """A plan may be older than the last lanes: it has nothing of them."""
    return numbers + (0,) * (lanes - len(numbers))


@dataclass
class Tables:
    """The directory's number, logs by lane and stamp, folds by lane and number, one head."""

    lanes: int = 1
    now: int = 0
    log: dict[tuple[int, int, float], Sequence[int]] = field(default_factory=dict)
    folds: dict[tuple[int, int], tuple[Sequence[int], int]] = field(default_factory=dict)
    identities: dict[int, Sequence[int]] = field(default_factory=dict)
    plans: dict[int, tuple[int, ...]] = field(default_factory=dict)
    head: Head = field(default_factory=Head)

    def accept(self, ids: Sequence[int], key: float) -> Worker:
        stamp = self.now
        yield
        lanes = self.lanes
        for lane in {each % lanes for each in ids}:
            yield
            self.log[lane, stamp, key] = [each for each in ids if each % lanes == lane]

    def entries(self, lane: int, since: int) -> list[tuple[int, Sequence[int]]]:
        found = sorted(key for key in self.log if key[0] == lane and key[1] >= since)
        return [(key[1], self.log[key]) for key in found]

    def unsettled(self, lane: int, head: Head) -> list[tuple[Sequence[int], int]]:
        numbers = range(head.upto[lane] + 1, len(self.folds) + 2)
        return [self.folds[lane, number] for number in numbers if (lane, number) in self.folds]

    def is_open(self, lane: int, head: Head) -> bool:
        """Once all that others had accepted of its ids is settled; its first fold says so."""
        if not lane or (lane, 1) in self.folds:
            return True
        first = min((stamp for stamp, _ in self.entries(lane, 0)), default=self.now)
        opens = first + SETTLING
        return self.now > opens + SETTLING and all(
            stamp > opens
            for elder in elders(lane)
            for stamp, _ in self.entries(elder, head.through[elder])
        )

    def fold(self, lane: int, batch: Sequence[Sequence[int]], through: int) -> Worker:
        head = self.head
        if lane >= len(head.upto) or not self.is_open(lane, head):
            return
        yield
        tail = self.unsettled(lane, head)
        settled = chain.from_iterable(self.identities.values())
        counted = {*settled, *chain.from_iterable(ids for ids, _ in tail)}
        new = sorted(set(chain.from_iterable(batch)) - counted)
        last = max([head.through[lane], *(through for _, through in tail)])
        number = head.upto[lane] + len(tail) + 1
        yield
        if batch and (new or through > last):
            self.folds.setdefault((lane, number), (new, max(last, through)))

    def fold_outstanding(self, lane: int) -> Worker:
        landed, head = self.now - SETTLING, self.head
        if lane < len(head.upto):
            tail = self.unsettled(lane, head)
            since = max([head.through[lane], *(through for _, through in tail)])
            batch = [ids for _, ids in self.entries(lane, since)]
            yield from self.fold(lane, batch, landed)

    def settle(self) -> Worker:
        head = self.head
        yield
        if len(head.upto) < self.lanes:
            wide = (widened(numbers, self.lanes) for numbers in (head.upto, head.through))
            self.put(Head(head.version + 1, head.plan, *wide))
            return
        number = head.plan + 1
        lanes = range(len(head.upto))
        upto = tuple(head.upto[lane] + len(self.unsettled(lane, head)[:2]) for lane in lanes)
        yield
        if upto != head.upto:
            self.plans.setdefault(number, upto)
        if number not in self.plans:
            return
        upto = widened(self.plans[number], len(head.upto))
        ids, through = list[int](), list(head.through)
        for lane in lanes:
            for fold in range(head.upto[lane] + 1, upto[lane] + 1):
                some, passed = self.folds[lane, fold]
                ids, through[lane] = [*ids, *some], max(through[lane], passed)
        yield
        self.identities[number] = ids
        yield
        self.put(Head(head.version + 1, number, upto, tuple(through)))

    def put(self, head: Head) -> None:
        if head.version > self.head.version:
            self.head = head
