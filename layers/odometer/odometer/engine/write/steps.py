"""Steps: long work in a fixed order, which goes on after the last step done, whoever does it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import quote

T = TypeVar("T")

BUDGET: Final = 5_000
"""Items that one call reads and writes, about: some seconds of work."""
SAVED_AFTER: Final = 1_000
"""Items after which it is written down which step was the last; small plans never get there."""


class Lost(Exception):
    """What earlier steps had left for a step is not there; the next call makes it again first."""


class Step(NamedTuple):
    """A part of the work; doing it again changes nothing."""

    name: str
    """Sorts after the names of all steps that must be done before."""
    items: int
    """About how many items are read and written, and never 0."""
    do: Callable[[], Mapping[str, int] | None]
    """Returns by product and year the bytes that came late."""

    def of(self, whole: str) -> Self:
        """The step as a part of some whole that has its place among others."""
        return self._replace(name=f"{whole}#{self.name}")


class Reached(NamedTuple):
    """The last step done, and the bytes that came late by then."""

    done: str = ""
    late: Mapping[str, int] = {}


class Progress(NamedTuple):
    """Steps that are done, of all."""

    done: int
    of: int

    @classmethod
    def along(cls, steps: Iterable[Step], done: str) -> Self:
        names = [step.name for step in steps]
        return cls(sum(name <= done for name in names), len(names))


class Taken(NamedTuple):
    """What came of taking steps."""

    reached: Reached
    finished: bool


def take(
    steps: Iterable[Step], start: Reached, budget: int, save: Callable[[Reached], object]
) -> Taken:
    """Do the steps after the start, one at least, until about as many items have been touched.

    A step that lacks what was lost ends this, and is not done.
    """
    reached, spent, unsaved = start, 0, 0
    for step in (step for step in steps if step.name > start.done):
        enough = spent >= max(budget, 1)
        if unsaved >= SAVED_AFTER or enough:
            save(reached)
            unsaved = 0
        if enough:
            return Taken(reached, finished=False)
        try:
            reached = Reached(step.name, Counter(reached.late) + Counter(step.do() or {}))
        except Lost:
            save(reached)
            return Taken(reached, finished=False)
        spent, unsaved = spent + step.items, unsaved + step.items
    return Taken(reached, finished=True)


def in_names(identifier: str) -> str:
    """An id as the names of steps have it: `#` sorts before all of its characters, `}` after them.

    Ids may hold anything but `#` and `%`; those of letters, digits, `-`, `.` and `_` stay the same.
    """
    return quote(identifier, safe="%").replace("~", "%7E")


def groups(shards: int, at_once: int) -> Iterator[tuple[str, range]]:
    """Shards some at a time, by the last one that a full group has, so that more change no name."""
    for first in range(0, shards, at_once):
        yield f"{first + at_once - 1:07d}", range(first, min(first + at_once, shards))


def some_of(many: Iterable[T], at_once: int) -> Iterator[list[T]]:
    left = iter(many)
    while some := list(islice(left, at_once)):
        yield some
