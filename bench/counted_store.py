"""A table on disk that counts what DynamoDB would: units, calls, and the rounds that wait in turn.

It lies in a file, so that the memory of a process is what the engine holds and not the table. A
round is what a caller waits for: reads of several key ranges go out 16 at once, puts of many items
in batches of 25, eight batches at once.
"""

import pickle
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any, Final

from odometer.engine.store import Item, KeyRange, Made, PagesOf, items_of
from odometer.storage.dynamo import BATCH_GET, BATCH_WRITE, BATCHES_AT_ONCE
from tests.support.later_writes import LaterWrites

PAGE_BYTES: Final = 1_000_000
READERS: Final = 16
READ_BYTES: Final = 4_096
WRITE_BYTES: Final = 1_024
ROUND_MS: Final = 5
"""What a round takes; it is counted and nobody waits."""


@dataclass
class Counts:
    """What was asked of the tables."""

    read_units: float = 0.0
    write_units: float = 0.0
    calls: int = 0
    rounds: int = 0

    @property
    def seconds(self) -> float:
        """The time that a caller has waited, at so many milliseconds a round."""
        return self.rounds * ROUND_MS / 1000

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read_units - other.read_units,
            self.write_units - other.write_units,
            self.calls - other.calls,
            self.rounds - other.rounds,
        )


@dataclass
class CountedStore:
    """One table in a file; several processes may use it in turn."""

    path: Path
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._rows = sqlite3.connect(self.path, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=OFF")
        self._rows.execute("PRAGMA synchronous=OFF")
        self._rows.execute("PRAGMA cache_size=-8000")
        self._rows.execute(
            "CREATE TABLE IF NOT EXISTS items (pk TEXT, sk TEXT, size INTEGER, item BLOB,"
            " PRIMARY KEY (pk, sk)) WITHOUT ROWID"
        )

    def get(self, pk: str, sk: str) -> Item | None:
        found = self._one(pk, sk)
        self._read(size_of(found) if found else 0, strong=True)
        self._waited(1)
        return found

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        found = [self._one(pk, sk) for sk in sks]
        for item in found:
            self._read(size_of(item) if item else 0, strong=True, calls=0)
        self.counts.calls += ceil(len(sks) / BATCH_GET)
        self._waited(ceil(len(sks) / BATCH_GET))
        return found

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        return self.pages_of_each([PagesOf(key_range, items_of) for key_range in key_ranges])

    def pages(self, key_range: KeyRange) -> Iterator[list[Item]]:
        for page in self._pages(key_range):
            self._waited(1)
            yield page

    def pages_of_each(self, several: Sequence[PagesOf[Made]]) -> list[Made]:
        made, pages = [], []
        for each in several:
            before = self.counts.calls
            made.append(each.make(self._pages(each.key_range)))
            pages.append(self.counts.calls - before)
        self._waited(max(ceil(sum(pages) / READERS), max(pages, default=0)))
        return made

    def put(self, item: Item) -> None:
        self._waited(1)
        self._store(item)

    def put_all(self, items: Iterable[Item]) -> None:
        count = 0
        for count, item in enumerate(items, 1):  # noqa: B007  it is how many they were
            self._store(item, calls=0)
        calls = ceil(count / BATCH_WRITE)
        self.counts.calls += calls
        self._waited(ceil(calls / BATCHES_AT_ONCE))

    def put_new(self, item: Item) -> bool:
        self._waited(1)
        free = self._one(item["pk"], item["sk"]) is None
        self._store(item if free else {})
        return free

    def put_newer(self, item: Item, by: str) -> bool:
        self._waited(1)
        stored = self._one(item["pk"], item["sk"])
        newer = stored is None or by not in stored or stored[by] < item[by]
        self._store(item if newer else {})
        return newer

    def put_all_newer(self, items: Iterable[Item], by: str) -> None:
        before = self.counts.rounds
        several = [self.put_newer(item, by) for item in items]
        self.counts.rounds = before + ceil(len(several) / READERS)

    def delete(self, pk: str, sk: str) -> None:
        self._waited(1)
        self.counts.calls += 1
        self.counts.write_units += 1
        self._rows.execute("DELETE FROM items WHERE pk = ? AND sk = ?", (pk, sk))

    def delete_all(self, keys: Iterable[tuple[str, str]]) -> None:
        some = list(keys)
        self._rows.executemany("DELETE FROM items WHERE pk = ? AND sk = ?", some)
        calls = ceil(len(some) / BATCH_WRITE)
        self.counts.calls += calls
        self.counts.write_units += len(some)
        self._waited(ceil(calls / BATCHES_AT_ONCE))

    @property
    def stored_bytes(self) -> int:
        return int(self._rows.execute("SELECT coalesce(sum(size), 0) FROM items").fetchone()[0])

    def _one(self, pk: str, sk: str) -> Item | None:
        row = self._rows.execute("SELECT item FROM items WHERE pk = ? AND sk = ?", (pk, sk))
        found = row.fetchone()
        return pickle.loads(found[0]) if found else None  # noqa: S301  we wrote it

    def _pages(self, key_range: KeyRange) -> Iterator[list[Item]]:
        pk, first, last, strong, limit, newest_first = key_range
        order = "DESC" if newest_first else "ASC"
        rows = self._rows.execute(
            f"SELECT item, size FROM items WHERE pk = ? AND sk BETWEEN ? AND ? ORDER BY sk {order}"  # noqa: S608  a word of ours
            f" LIMIT {-1 if limit is None else limit}",
            (pk, first, last),
        )
        page, size = list[Item](), 0
        for blob, bytes_of_item in rows:
            page.append(pickle.loads(blob))  # noqa: S301  we wrote it
            size += bytes_of_item
            if size >= PAGE_BYTES:
                self._read(size, strong=strong)
                yield page
                page, size = [], 0
        self._read(size, strong=strong)
        yield page

    def _store(self, item: Item, calls: int = 1) -> None:
        """Store an item; one that must not be stored costs the least write."""
        self.counts.calls += calls
        size = size_of(item)
        self.counts.write_units += max(1, ceil(size / WRITE_BYTES))
        if item:
            row = (item["pk"], item["sk"], size, pickle.dumps(dict(item)))
            self._rows.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)

    def _read(self, size: int, *, strong: bool, calls: int = 1) -> None:
        self.counts.calls += calls
        self.counts.read_units += max(1, ceil(size / READ_BYTES)) * (1 if strong else 0.5)

    def _waited(self, rounds: int) -> None:
        self.counts.rounds += rounds


class CountedTable(LaterWrites, CountedStore):
    """The same for what reads and changes single items: the directory and its credentials."""

    def get_many(
        self, keys: Sequence[tuple[str, str]], *, consistent: bool = False
    ) -> dict[tuple[str, str], Item]:
        found = {key: item for key in keys if (item := self._one(*key))}
        for item in found.values():
            self._read(size_of(item), strong=consistent, calls=0)
        self.counts.calls += ceil(len(keys) / BATCH_GET)
        self._waited(ceil(len(keys) / BATCH_GET))
        return found

    def query(
        self, pk: str, low: str, high: str, *, consistent: bool = False, limit: int | None = None
    ) -> Iterator[Item]:
        return chain.from_iterable(self.pages(KeyRange(pk, low, high, consistent, limit)))

    def put_if(self, item: Item, attribute: str, expected: Any) -> bool:
        stored = self._one(item["pk"], item["sk"])
        return self._put_where(item, holds=stored is not None and stored[attribute] == expected)

    def change(self, pk: str, sk: str, values: Item, **expected: Any) -> bool:
        stored = self._one(pk, sk)
        holds = stored is not None and expected.items() <= stored.items()
        return self._put_where({**(stored or {}), **values}, holds=holds)

    def _put_where(self, item: Item, *, holds: bool) -> bool:
        self._waited(1)
        self._store(item if holds else {})
        return holds


def size_of(item: Item) -> int:
    """The bytes that an item is billed for."""
    return sum(len(name) + weight_of(value) for name, value in item.items())


def weight_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    return len(value) if isinstance(value, bytes) else len(str(value)) // 2 + 2
