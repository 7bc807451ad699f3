"""The users' register while it is changed: only the blocks that rows are about are in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from odometer.directory.columns import (
    BLOCK_ROWS,
    FAMILIES,
    USER_FAMILIES,
    Block,
    Columns,
    Row,
    history_blocks,
)
from odometer.directory.people import default_email
from odometer.directory.snapshot import Directory

MOST_OPENED: Final = 128
"""So many blocks of users may be in memory at once: rows about further ones are sent again."""
FAMILY_OF: Mapping[str, str] = {
    name: family for family, names in FAMILIES["users"].items() for name in names
}


class UserRegister:
    """Users by their numbers; it records which blocks were changed."""

    name = "users"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._size = directory.head.sizes[self.name]
        self._opened: dict[int, Columns] = {}
        self._inside: dict[int, set[Block]] = {}
        self.touched: set[Block] = set()

    def __len__(self) -> int:
        return self._size

    def open(self, numbers: Iterable[int]) -> None:
        """Read the blocks of some users at once, as far as there is room for them."""
        wanted = sorted({number // BLOCK_ROWS for number in numbers} - self._opened.keys())
        room = wanted[: max(0, MOST_OPENED - len(self._opened))]
        self._read(room)

    def has_room_for(self, numbers: Iterable[int]) -> bool:
        wanted = {number // BLOCK_ROWS for number in numbers} - self._opened.keys()
        return not wanted or len(self._opened) + len(wanted) <= MOST_OPENED

    def value(self, number: int, name: str) -> Any:
        return self._columns_of(number)[name][number % BLOCK_ROWS]

    def row(self, number: int) -> dict[str, Any]:
        return {name: self.value(number, name) for name in FAMILY_OF}

    def append(self, values: Row) -> int:
        number = self._size
        columns = self._columns_of(number)
        for name in FAMILY_OF:
            columns[name].append(values[name])
        self._size += 1
        self._touch(number, USER_FAMILIES)
        return number

    def change(self, number: int, values: Row) -> bool:
        """Set some values of a row; return whether any of them is new."""
        changed = {name: v for name, v in values.items() if self.value(number, name) != v}
        for name, value in changed.items():
            self._columns_of(number)[name][number % BLOCK_ROWS] = value
        self._touch(number, {FAMILY_OF[name] for name in changed})
        return bool(changed)

    def content(self, block: Block) -> Columns:
        columns, first = self._columns_of(block.rows.start), block.rows.start % BLOCK_ROWS
        rows = slice(first, first + block.size)
        return {name: columns[name][rows] for name in FAMILIES[self.name][block.family]}

    def rosters(self) -> Iterator[tuple[int, Columns]]:
        """The rosters of all users, those in memory first."""
        yield from list(self._opened.items())
        numbers = range(-(-self._directory.head.sizes[self.name] // BLOCK_ROWS))
        others = [number for number in numbers if number not in self._opened]
        yield from self._directory.stretches(others, ("roster",))

    def _columns_of(self, number: int) -> Columns:
        """The columns of a user's block; one that must be in memory is read in any case."""
        place = number // BLOCK_ROWS
        if place not in self._opened:
            if number == self._size and number % BLOCK_ROWS == 0:
                self._opened[place] = {name: [] for name in FAMILY_OF}
            else:
                self._read([place])
        return self._opened[place]

    def _read(self, places: Sequence[int]) -> None:
        for place, columns in self._directory.stretches(places, tuple(FAMILIES[self.name])):
            self._opened[place] = with_emails(columns)
            self._inside[place] = self._histories_inside(place)

    def _histories_inside(self, place: int) -> set[Block]:
        """The blocks of history to be made: a profile of the first format holds their content."""
        blocks = history_blocks(place)
        apart = self._directory.commits(blocks)
        return {b for b in blocks if b not in apart and any(self.content(b)["former"])}

    def _touch(self, number: int, families: Collection[str]) -> None:
        """Note which blocks are changed; a profile that is written again lets its history go."""
        place = number // BLOCK_ROWS
        for family in families:
            size = Block(self.name, family, 0).size
            self.touched.add(Block(self.name, family, number // size))
        if "profile" in families:
            self.touched.update(self._inside.get(place, ()))


def with_emails(columns: Columns) -> Columns:
    """Columns that can be changed, with the e-mail addresses that older rows may lack."""
    pairs = zip(columns["email"], columns["username"], strict=True)
    emails = [email or default_email(username) for email, username in pairs]
    return {name: list(column) for name, column in columns.items()} | {"email": emails}
