"""A directory of very many users: they are created, all of them are exported, and one is erased."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar, cast
from uuid import UUID

from bench.counted_store import CountedTable, Counts
from odometer.api.v1.directory import MOST_ROWS
from odometer.api.v1.export import page_of
from odometer.directory.columns import DirectoryHead, Row
from odometer.directory.upsert import NEW_ORGANIZATION, DirectoryEdit
from odometer.domain.errors import NotFound
from odometer.services.erasure import erase
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Table
from tests.support.forgetful_trail import FORGETFUL

ORGANIZATION: Final = "3f0c5d1e-7a52-4b8a-9f51-5d1f0e6b7c21"
NOW: Final = datetime(2026, 11, 18, 12, tzinfo=UTC)
DEPARTMENTS: Final = [str(UUID(int=number)) for number in range(20)]

Answer = TypeVar("Answer")


class Cost(NamedTuple):
    """What something asked of the table, and the seconds that it took, its rounds included."""

    counts: Counts
    seconds: float


class Page(NamedTuple):
    """A page of an export."""

    size: int
    lines: int
    cost: Cost


class ManyUsers:
    """One organization whose directory is in a file."""

    def __init__(self, home: Path) -> None:
        self.table = CountedTable(home / "directory")
        head = {**NEW_ORGANIZATION, "id": ORGANIZATION, "name": "Acme Corp", "created_at": 0}
        self.cold().create(DirectoryHead(1, head))
        departments = [("department", {"id": each, "name": each}) for each in DEPARTMENTS]
        self.cold().change(ORGANIZATION, NOW, partial(apply_all, departments))

    def cold(self) -> DirectoryStore:
        """The directory, for a process that knows nothing of it."""
        return DirectoryStore(cast("Table", self.table), BlockCache())

    def create(self, users: int) -> Iterator[Cost]:
        """Create users, as many with a request as it may carry, in one process."""
        random, warm = Random(7), self.cold()
        for first in range(0, users, MOST_ROWS):
            numbers = range(first, min(first + MOST_ROWS, users))
            rows = [("user", user_row(random, number)) for number in numbers]
            yield self.does(partial(warm.change, ORGANIZATION, NOW, partial(apply_all, rows)))[1]

    def export(self) -> Iterator[Page]:
        """Export everything, each page by a process that knows nothing."""
        first: int | None = 0
        while first is not None:
            (page, first), cost = self.does(partial(self._page, first))
            yield Page(len(page), page.count(b"\n"), cost)

    def _page(self, first: int) -> tuple[bytes, int | None]:
        return page_of(self.cold().open(ORGANIZATION), first)

    def erase(self, user: int, process: DirectoryStore) -> Cost:
        return self.does(partial(self._erase, f"user-{user}", process))[1]

    def _erase(self, user_id: str, process: DirectoryStore) -> None:
        """Erase somebody; whoever is erased already is refused."""
        with suppress(NotFound):
            erase(process, ORGANIZATION, user_id, NOW, FORGETFUL)

    def does(self, work: Callable[[], Answer]) -> tuple[Answer, Cost]:
        before, began = self.table.counts - Counts(), time.process_time()
        answer = work()
        counts = self.table.counts - before
        return answer, Cost(counts, time.process_time() - began + counts.seconds)


def apply_all(rows: Sequence[tuple[str, Row]], edit: DirectoryEdit) -> None:
    edit.meet(row for kind, row in rows if kind == "user")
    rejected = [done for kind, row in rows if (done := edit.apply(kind, row)).status != "created"]
    if rejected:
        raise RuntimeError(rejected[0])


def user_row(random: Random, number: int) -> Row:
    """A user with random names, who is in a department."""
    name = f"{UUID(int=random.getrandbits(128)).hex[:12]}@example.com"
    key = str(UUID(int=random.getrandbits(128)))
    departments = [DEPARTMENTS[number % len(DEPARTMENTS)]]
    who = {"id": f"user-{number}", "username": name, "user_key": key, "email": name}
    return {**who, "departments": departments}
