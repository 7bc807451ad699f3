"""The directory as columns: four registers whose rows are numbered and never reused.

A register keeps its columns in families that are read together. A row number of the users'
register is the user's ordinal, which the usage engine counts by.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from odometer.domain.text import as_kept

Columns = dict[str, list[Any]]
Row = Mapping[str, Any]
"""One row, or as much of it as was sent."""

BLOCK_ROWS = 1024
NAMELESS: Mapping[str, Any] = {"id": "", "username": "", "user_key": "", "email": None}
"""The values of an erased user in the columns that hold names."""

FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "users": {
        "roster": ("type", "role", "state", "team", "departments"),
        "names": ("id", "username", "user_key"),
        "profile": ("email", "verified", "history", "updated_at"),
    },
    "teams": {"rows": ("id", "name", "is_default")},
    "departments": {"rows": ("id", "name")},
    "products": {"rows": ("id", "name", "kind")},
}


class Block(NamedTuple):
    """The place of up to 1,024 rows of one family of one register."""

    register: str
    family: str
    number: int

    @property
    def rows(self) -> slice:
        return slice(self.number * BLOCK_ROWS, (self.number + 1) * BLOCK_ROWS)


@dataclass(frozen=True, slots=True)
class DirectoryHead:
    """One version of a directory: what is small, and which blocks hold the rest."""

    version: int
    organization: dict[str, Any]
    license: dict[str, Any] | None = None
    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0))
    blocks: dict[Block, str] = field(default_factory=dict)
    erased: frozenset[int] = frozenset()
    """The users who are nobody any more: their rows count, and no reader sees who they were."""

    def blocks_of(self, register: str, family: str) -> list[Block]:
        count = -(-self.sizes[register] // BLOCK_ROWS)
        return [Block(register, family, number) for number in range(count)]


def nameless(block: Block, columns: Columns, erased: Collection[int]) -> Columns:
    """The content of a block of users without the names of those who were erased."""
    first, end = block.rows.start, block.rows.stop
    places = [row - first for row in erased if first <= row < end]
    if not places or block.register != "users":
        return columns
    return {
        name: without(column, places, NAMELESS[name]) if name in NAMELESS else column
        for name, column in columns.items()
    }


def without(column: list[Any], places: Collection[int], blank: object) -> list[Any]:
    """A column with a blank at some places; an older one may end before them."""
    blanked = list(column)
    for place in places:
        if place < len(column):
            blanked[place] = blank
    return blanked


class Register:
    """A whole register that can be changed; it records which blocks were."""

    def __init__(self, name: str, columns: Columns) -> None:
        self.name = name
        self.columns = columns
        self.touched: set[Block] = set()

    def __len__(self) -> int:
        return len(self.columns["id"])

    def row(self, number: int) -> dict[str, Any]:
        return {name: column[number] for name, column in self.columns.items()}

    def append(self, values: Mapping[str, Any]) -> int:
        number = len(self)
        for name, column in self.columns.items():
            column.append(values[name])
        self.touched.update(self._blocks_of(number, self.columns))
        return number

    def change(self, number: int, values: Mapping[str, Any]) -> bool:
        """Set some values of a row; return whether any of them is new."""
        changed = {
            name: value for name, value in values.items() if self.columns[name][number] != value
        }
        for name, value in changed.items():
            self.columns[name][number] = value
        self.touched.update(self._blocks_of(number, changed))
        return bool(changed)

    def content(self, block: Block) -> Columns:
        return {name: self.columns[name][block.rows] for name in FAMILIES[self.name][block.family]}

    def _blocks_of(self, number: int, names: Mapping[str, Any]) -> Iterator[Block]:
        for family, members in FAMILIES[self.name].items():
            if any(name in names for name in members):
                yield Block(self.name, family, number // BLOCK_ROWS)

    def position(self, column: str, value: object) -> int | None:
        values = self.columns[column]
        return values.index(value) if value in values else None

    def named(self, name: str) -> int | None:
        by_id = self.position("id", as_kept(name))
        return self.position("name", name) if by_id is None else by_id

    def find(self, row: Row) -> int | None:
        """The number of the row that a sent row is about: by its id if it has one, or its name."""
        column = "name" if row.get("id") is None else "id"
        return self.position(column, row.get(column))
