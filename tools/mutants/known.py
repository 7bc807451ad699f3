"""What is known so far, outside of git: what tests reach, and which mutants they notice."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.mutants.faults import Function, Mutant

FILE: Final = Path(".local/mutants/known.sqlite")
TABLES = """
CREATE TABLE IF NOT EXISTS test (id INTEGER PRIMARY KEY, name TEXT UNIQUE, file TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS file (name TEXT PRIMARY KEY, digest TEXT);
CREATE TABLE IF NOT EXISTS reach (
    module TEXT, function TEXT, test INTEGER, lines BLOB, PRIMARY KEY (module, function, test)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reach_by_test ON reach (test);
CREATE TABLE IF NOT EXISTS result (
    module TEXT, function TEXT, digest TEXT, mutant TEXT,
    end TEXT, test TEXT, tests TEXT, seconds REAL, patience REAL,
    PRIMARY KEY (module, function, digest, mutant)
) WITHOUT ROWID;
"""
IMPORTS: Final = "(imports)"
"""Stands for what runs before any test does."""
EVERY_TEST: Final = 1e9
"""The patience of whoever has tried all tests."""


@dataclass(frozen=True)
class Test:
    """A test with the seconds of a processor that it takes."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Result:
    """What became of a mutant."""

    end: str
    """`killed`, `slow` (it ran on and on), `survived`, `unreached`; `invalid` (it is no code), or
    `lost` (the function was not found, so the mutant is tried again)."""
    test: str
    """Which test noticed."""
    tests: str
    """A digest of the tests that it was tried with."""
    seconds: float
    patience: float


Reaching = tuple[Test, str, int]
"""A test, its file, and the lines that it reaches, as bits."""


class Known:
    """The file, one transaction for each thing learned."""

    def __init__(self, path: Path = FILE) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(TABLES)

    def digests(self) -> dict[str, str]:
        """The test files whose reach is known, and what they were."""
        return dict(self._db.execute("SELECT name, digest FROM file"))

    def forget(self, file: str) -> None:
        mine = "SELECT id FROM test WHERE file = ?"
        self._db.execute(f"DELETE FROM reach WHERE test IN ({mine})", (file,))  # noqa: S608  question marks
        self._db.execute("DELETE FROM test WHERE file = ?", (file,))
        self._db.execute("DELETE FROM file WHERE name = ?", (file,))

    def learn_reach(
        self, file: str, digest: str, tests: Sequence[tuple[Test, dict[tuple[str, str], int]]]
    ) -> None:
        """What each test of a file reaches: by module and function the lines, as bits."""
        self._db.execute("BEGIN")
        self.forget(file)
        for test, reached in tests:
            added = "INSERT OR REPLACE INTO test (name, file, seconds) VALUES (?, ?, ?)"
            number = self._db.execute(added, (test.name, file, test.seconds)).lastrowid
            rows = [
                (module, function, number, lines.to_bytes(lines.bit_length() // 8 + 1, "little"))
                for (module, function), lines in reached.items()
            ]
            self._db.executemany("INSERT OR REPLACE INTO reach VALUES (?, ?, ?, ?)", rows)
        self._db.execute("INSERT OR REPLACE INTO file VALUES (?, ?)", (file, digest))
        self._db.execute("COMMIT")

    def reaching(self, function: Function) -> list[Reaching]:
        rows = self._db.execute(
            "SELECT name, seconds, file, lines FROM reach JOIN test ON test = id "
            "WHERE module = ? AND function = ?",
            (function.module, function.name),
        )
        return [
            (Test(name, seconds), file, int.from_bytes(lines, "little"))
            for name, seconds, file, lines in rows
        ]

    def reaching_module(self, module: str) -> list[Reaching]:
        """The tests that reach any function of a module; which lines is not told."""
        rows = self._db.execute(
            "SELECT DISTINCT name, seconds, file FROM reach JOIN test ON test = id "
            "WHERE module = ? AND name <> ?",
            (module, IMPORTS),
        )
        return [(Test(name, seconds), file, 0) for name, seconds, file in rows]

    def reached_by(self, test: str) -> dict[tuple[str, str], int]:
        """The lines that a test reaches, as bits, by module and function."""
        asked = "SELECT module, function, lines FROM reach JOIN test ON test = id WHERE name = ?"
        return {
            (module, function): int.from_bytes(lines, "little")
            for module, function, lines in self._db.execute(asked, (test,))
        }

    def killers(self, module: str) -> list[tuple[str, str, int]]:
        """By function, the tests that have noticed mutants of a module, and how many."""
        counted = (
            "SELECT function, test, COUNT(*) FROM result "
            "WHERE module = ? AND test <> '' GROUP BY function, test"
        )
        return list(self._db.execute(counted, (module,)))

    def result(self, mutant: Mutant) -> Result | None:
        function = mutant.function
        row = self._db.execute(
            "SELECT end, test, tests, seconds, patience FROM result "
            "WHERE module = ? AND function = ? AND digest = ? AND mutant = ?",
            (function.module, function.name, function.digest, mutant.name),
        ).fetchone()
        return Result(*row) if row else None

    def learn(self, mutant: Mutant, result: Result) -> None:
        function = mutant.function
        self._db.execute(
            "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                function.module,
                function.name,
                function.digest,
                mutant.name,
                *(result.end, result.test, result.tests, result.seconds, result.patience),
            ),
        )

    def knows_test(self, name: str) -> bool:
        return bool(self._db.execute("SELECT 1 FROM test WHERE name = ?", (name,)).fetchone())
