"""Rows in an order, with the same rules wherever rows are put in one."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

Row = TypeVar("Row")
Key = str | int | None


class Direction(StrEnum):
    """Which end of an order comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


def in_order(rows: Sequence[Row], key: Callable[[Row], Key], direction: Direction) -> list[Row]:
    """Rows by a key, whichever way; those without one last, equal ones as they stood."""
    keys: list[Any] = list(map(key, rows))
    present = [at for at, found in enumerate(keys) if found is not None]
    present.sort(key=keys.__getitem__, reverse=direction is Direction.DESCENDING)
    absent = (row for row, found in zip(rows, keys, strict=True) if found is None)
    return [*map(rows.__getitem__, present), *absent]
