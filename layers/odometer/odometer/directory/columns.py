"""The directory as columns: registers whose rows are numbered and never reused.

A register keeps its columns in families that are read together. A row number of the users'
register is the user's ordinal, which the usage engine counts by. Many users have pages, which name
the blocks of 65,536 users each, so that the head stays small.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple
from zlib import crc32

from odometer.domain.frozen import frozen
from odometer.domain.text import as_kept

Columns = dict[str, list[Any]]
Row = Mapping[str, Any]
"""One row, or as much of it as was sent."""

BLOCK_ROWS: Final = 1024
HISTORY_ROWS: Final = 256
PAGE_ROWS: Final = 65_536
NAMELESS: Mapping[str, Any] = {"id": "", "username": "", "user_key": "", "email": None}
"""The values of an erased user in the columns that hold names."""
NAMES: Final = ("id", "username", "user_key")
"""The columns by which a subject may name a user; no two users share a name in any of them."""

FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "users": {
        "roster": ("type", "role", "state", "team", "departments"),
        "names": NAMES,
        "profile": ("email", "verified", "created_at", "state_since", "updated_at"),
        "history": ("former",),
    },
    "teams": {"rows": ("id", "name", "is_default")},
    "departments": {"rows": ("id", "name")},
    "products": {"rows": ("id", "name", "kind")},
    "kinds": {"rows": ("id", "definition")},
}
FIRST_REGISTERS: Final = ("users", "teams", "departments", "products")
VALUES: Final = "values"
"""The register of the values of breakdowns: a block for each breakdown that has any."""
HISTORY: Final = "history"
"""The family of the states before the present one; a block of it is only made when it is needed."""
USER_FAMILIES: Final = tuple(family for family in FAMILIES["users"] if family != HISTORY)


class Block(NamedTuple):
    """The place of some rows of one family of one register, or of one page."""

    register: str
    family: str
    number: int

    @property
    def size(self) -> int:
        return HISTORY_ROWS if self.family == HISTORY else BLOCK_ROWS

    @property
    def rows(self) -> slice:
        return slice(self.number * self.size, (self.number + 1) * self.size)

    @property
    def has_roster(self) -> bool:
        """Whether it says who is in which team, or names the blocks that do."""
        return self.register == "pages" or (self.register, self.family) == ("users", "roster")

    @property
    def page(self) -> "Block":
        """The page that names this block of users."""
        return Block("pages", "users", self.number * self.size // PAGE_ROWS)


def history_blocks(number: int) -> list[Block]:
    """The blocks of history of the users of one block."""
    each = BLOCK_ROWS // HISTORY_ROWS
    return [Block("users", HISTORY, number * each + place) for place in range(each)]


@frozen
class DirectoryHead:
    """One version of a directory: what is small, and which blocks hold the rest."""

    version: int
    organization: dict[str, Any]
    license: dict[str, Any] | None = None
    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIRST_REGISTERS, 0))
    """How many rows each register has; one that came later is left out while it has none."""
    blocks: dict[Block, str] = field(default_factory=dict)
    """The commit of each block; where there are pages, they name the blocks of users."""
    erased: frozenset[int] = frozenset()
    """The users who are nobody any more: their rows count, and no reader sees who they were.

    Where there are pages, they name them."""
    erased_on_pages: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the organization may ask for instead of what every other one may."""

    @property
    def users(self) -> int:
        """How many users there are, without those who were erased."""
        return self.sizes["users"] - len(self.erased) - self.erased_on_pages

    @property
    def pages(self) -> list[Block]:
        return [block for block in self.blocks if block.register == "pages"]

    @property
    def roster(self) -> str:
        """Tells the blocks that say who is in which team from others, without reading any."""
        named = sorted(f"{block} {self.blocks[block]}" for block in self.blocks if block.has_roster)
        return f"{crc32(' '.join(named).encode()):08x}"

    def blocks_of(self, register: str, family: str) -> list[Block]:
        count = -(-self.sizes.get(register, 0) // Block(register, family, 0).size)
        return [Block(register, family, number) for number in range(count)]


def nameless(
    block: Block, columns: Columns, erased: Collection[int], first: int | None = None
) -> Columns:
    """The content of a block of users without the names of those who were erased.

    A slice of a block begins at another row than the block does.
    """
    first = block.rows.start if first is None else first
    places = [row - first for row in erased if first <= row < block.rows.stop]
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


def with_history_apart(columns: Columns) -> Columns:
    """A block of profiles; one of the first format holds the histories of its users, too."""
    if "history" not in columns:
        return columns
    histories = columns["history"]
    return {
        **{name: column for name, column in columns.items() if name != "history"},
        "created_at": [history[0][1] for history in histories],
        "state_since": [history[-1][1] for history in histories],
        "former": [history[:-1] for history in histories],
    }


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
