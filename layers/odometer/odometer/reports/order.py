"""Rows in an order, with the same rules wherever rows are put in one."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

Row = TypeVar("Row")
Key = str | int | None


class Direction(StrEnum):
    """Which end of an order comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


def in_order(rows: Sequence[Row], key: Callable[[Row], Key], direction: Direction) -> list[Row]:
    """Rows by a key, whichever way; those without one last, equal ones as they stood."""
    keyed = [(key(row), row) for row in rows]
    present = [pair for pair in keyed if pair[0] is not None]
    present.sort(key=lambda pair: pair[0], reverse=direction is Direction.DESCENDING)  # type: ignore[arg-type,return-value]
    return [row for _, row in present] + [row for found, row in keyed if found is None]
