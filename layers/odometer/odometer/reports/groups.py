"""Figures of groups beside those of a comparison period, and groups in the order of a figure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple

from odometer.reports.columns import Column, Counted
from odometer.reports.figures import change_tenths
from odometer.reports.ranking import Direction, Ranking

LAST_OF_ALL: Final = "\U0010ffff"
"""Sorts behind every name and id."""
NAME: Final = "name"
CHANGE: Final = "_change"


class Compared(NamedTuple):
    """What was counted in a period, and in the one that it is compared with, if there is one."""

    now: Counted
    before: Counted | None = None

    def value(self, column: Column) -> int | None:
        return column.value.of(self.now)

    def compare_value(self, column: Column) -> int | None:
        return column.value.of(self.before) if self.before else None

    def change(self, column: Column) -> int | None:
        """In tenths of a percent; none from nothing, from what nobody knows, or to it."""
        value = self.value(column)
        return None if value is None else change_tenths(value, self.compare_value(column))


class Order(NamedTuple):
    """By what groups are ranked: a column, its change, or their names."""

    column: Column | None
    by_change: bool
    direction: Direction

    def key(self, group: Compared) -> int | float:
        """The figure of a group; what has none comes last."""
        if self.column is None:
            return 0
        found = group.change(self.column) if self.by_change else group.value(self.column)
        last = inf if self.direction is Direction.ASCENDING else -inf
        return last if found is None else found


@dataclass(frozen=True)
class Names:
    """How groups are called, by their places; None is a group without a name."""

    ids: Callable[[Sequence[int]], Iterable[str]]
    names: Callable[[Sequence[int]], Iterable[str | None]]


def ranked(groups: Mapping[int, Compared], names: Names, order: Order, words: str) -> Ranking:
    """The groups with some words in their name, in order; equal ones in the order of ids."""
    places = sorted(groups)
    if words:
        pairs = zip(places, names.names(places), strict=True)
        places = [place for place, name in pairs if words.casefold() in (name or "").casefold()]
    keys: list[Any] = [order.key(groups[place]) for place in places]
    if order.column is None:
        keys = [name_key(name, order.direction) for name in names.names(places)]
    return Ranking(places, keys, order.direction, names.ids)


def name_key(name: str | None, direction: Direction) -> str:
    """Names in either case; what has none comes last."""
    if name is None:
        return LAST_OF_ALL if direction is Direction.ASCENDING else ""
    return name.casefold()
