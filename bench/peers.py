"""The same usage in other engines: daily roll-ups sorted by day and user, and an item for each.

All are embedded or on this machine, warm, with one thread and without a caller to prove. A page and
its count are one statement.
"""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from chdb.session import Session

from bench.daily_usage import END
from bench.deployment import CountingDeployment, in_department
from bench.question import PAGE, Ask, Engine, Page, Question, Row, averaged, ranked
from odometer.storage.dynamo import Meter, Table, Value
from tests.support.apps import APP
from tests.support.memory_directory import ACME
from tests.support.stack import create_tables

os.environ["POLARS_MAX_THREADS"] = "1"
import polars as pl

SCHEMA = """
    CREATE TABLE usage
        (day INT, user_no INT, active_ms INT, PRIMARY KEY (day, user_no)) WITHOUT ROWID;
    CREATE TABLE users (user_no INT PRIMARY KEY, id TEXT, here INT);
"""
FIGURES = """
    SELECT user_no, {average} AS {name}, count(*) AS {days}
    FROM usage WHERE day BETWEEN {first} AND {last} GROUP BY user_no
"""
"""Half away from zero in whole numbers; a roll-up has one row for a day, so rows are days."""
RANKING = """
    SELECT id, average, days, {compared}, count(*) OVER () AS total
    FROM ({now}) AS now JOIN users USING (user_no) {before}
    WHERE here OR {everybody} ORDER BY average DESC, id LIMIT {page}
"""
MOST_ITEMS = 500_000
"""More take longer to load, and to read, than anybody would wait."""
LOADERS, BATCH = 4, 500


def peers(deployment: CountingDeployment, folder: Path) -> list[Engine]:
    """Everybody else, with all that there is to know."""
    usage, users = folder / "usage.csv", folder / "users.csv"
    usage.write_text(
        "".join(f"{day.toordinal()},{user},{ms}\n" for day, user, ms in rows(deployment))
    )
    users.write_text(
        "".join(
            f"{user},{word},{in_department(user):d}\n" for user, word in enumerate(deployment.ids)
        )
    )
    return [
        Engine("DuckDB", ask_duckdb(folder)),
        Engine("chDB", ask_clickhouse(folder)),
        Engine("Polars", ask_polars(folder)),
        Engine("SQLite", ask_sqlite(folder)),
        dynamodb_items(deployment),
    ]


def rows(deployment: CountingDeployment, since: date = date.min) -> Iterator[tuple[date, int, int]]:
    """Day, user and milliseconds of everyone who used the app on a day."""
    for day, used in deployment.usage[APP].days.items():
        if day >= since:
            for user, active_ms in enumerate(used.duration_ms):
                if active_ms:
                    yield day, user, active_ms


def ask_duckdb(folder: Path) -> Ask:
    database = duckdb.connect(str(folder / "usage.duckdb"), config={"threads": 1})
    for name, columns in COLUMNS.items():
        found = database.read_csv(str(folder / f"{name}.csv"), header=False, names=list(columns))
        found.create(name)
    return ask_sql(lambda words: database.execute(words).fetchall(), "({}) // ({})")


def ask_sqlite(folder: Path) -> Ask:
    database = sqlite3.connect(folder / "usage.sqlite")
    database.executescript(SCHEMA)
    for name in COLUMNS:
        with (folder / f"{name}.csv").open() as lines:
            split = (line.rstrip().split(",") for line in lines)
            database.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", split)  # noqa: S608
    database.commit()
    return ask_sql(lambda words: database.execute(words).fetchall(), "({}) / ({})")


def ask_clickhouse(folder: Path) -> Ask:
    session: Any = Session(str(folder / "click"))
    session.query("CREATE DATABASE bench; SET max_threads = 1")
    session.query("USE bench")
    for name, columns in COLUMNS.items():
        schema = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        file = f"file('{folder / name}.csv', CSV, '{schema}')"
        order = ", ".join(list(columns)[: 2 if name == "usage" else 1])
        session.query(f"CREATE TABLE {name} ({schema}) ENGINE = MergeTree ORDER BY ({order})")
        session.query(f"INSERT INTO {name} SELECT * FROM {file}")  # noqa: S608

    def execute(words: str) -> list[tuple[Any, ...]]:
        answer = session.query(f"{words} SETTINGS max_threads = 1", "CSV")
        lines = str(answer).splitlines()
        return [(word, *map(number, figures)) for word, *figures in csv.reader(lines)]

    return ask_sql(execute, "intDiv({}, {})")


def number(text: str) -> int | None:
    return None if text == "\\N" else int(text)


COLUMNS = {
    "usage": {"day": "Int32", "user_no": "Int32", "active_ms": "Int64"},
    "users": {"user_no": "Int32", "id": "String", "here": "Int8"},
}
"""Of both files."""


def ask_sql(execute: Callable[[str], list[Any]], division: str) -> Ask:
    """A page in SQL, which engines divide whole numbers in each by another sign."""
    average = division.format("2 * sum(active_ms) + count(*)", "2 * count(*)")

    def figures(name: str, days: str, ends: tuple[date, date]) -> str:
        first, last = (day.toordinal() for day in ends)
        return FIGURES.format(average=average, name=name, days=days, first=first, last=last)

    def ask(question: Question) -> Page:
        before = question.before and figures("formerly", "former_days", question.before)
        words = RANKING.format(
            now=figures("average", "days", question.range),
            compared="coalesce(formerly, 0)" if before else "NULL",
            before=f"LEFT JOIN ({before}) AS before USING (user_no)" if before else "",
            everybody=int(not question.departments),
            page=PAGE,
        )
        found = execute(words)
        page: list[Row] = [
            (word, int(average), days, then) for word, average, days, then, _ in found
        ]
        return page, found[0][-1] if found else 0

    return ask


def ask_polars(folder: Path) -> Ask:
    usage, users = (
        pl.read_csv(folder / f"{name}.csv", has_header=False, new_columns=list(columns)).lazy()
        for name, columns in COLUMNS.items()
    )
    total, count = pl.col("active_ms").sum(), pl.len().cast(pl.Int64)

    def figures(name: str, ends: tuple[date, date]) -> pl.LazyFrame:
        first, last = (day.toordinal() for day in ends)
        average = ((2 * total + count) // (2 * count)).alias(name)
        within = usage.filter(pl.col("day").is_between(first, last))
        return within.group_by("user_no").agg(average, count.alias("days"))

    def ask(question: Question) -> Page:
        found = figures("average", question.range).join(users, on="user_no")
        if question.departments:
            found = found.filter(pl.col("here") == 1)
        formerly = pl.lit(None, pl.Int64).alias("formerly")
        if question.before:
            before = figures("formerly", question.before).drop("days")
            found = found.join(before, on="user_no", how="left")
            formerly = pl.col("formerly").fill_null(0)
        answer = found.select("id", "average", "days", formerly).collect()
        page = answer.sort(["average", "id"], descending=[True, False]).head(PAGE)
        return page.rows(), answer.height

    return ask


def dynamodb_items(deployment: CountingDeployment) -> Engine:
    """A DynamoDB table with an item for each user and day, on the engine that we are on."""
    a_day = max(1, deployment.users * 9 // 20)
    since = END - timedelta(MOST_ITEMS // a_day)
    create_tables(deployment.client, ["items"])
    table = Table("items", Meter(), deployment.client)
    whole: list[dict[str, Value]] = [
        {"pk": ACME, "sk": f"{day}#{user:06}", "active_ms": active_ms}
        for day, user, active_ms in rows(deployment, since)
    ]
    with ThreadPoolExecutor(LOADERS) as loaders:
        cuts = range(0, len(whole), BATCH)
        list(loaders.map(lambda at: table.put_all(whole[at : at + BATCH]), cuts))

    def averages(ends: tuple[date, date]) -> dict[int, tuple[int, int]]:
        sums, counts = [0] * deployment.users, [0] * deployment.usage[APP].users
        for item in table.query(ACME, f"{ends[0]}#", f"{ends[1]}#~"):
            user = int(str(item["sk"])[11:])
            sums[user] += int(str(item["active_ms"]))
            counts[user] += 1
        return averaged(sums, counts)

    def ask(question: Question) -> Page:
        table.meter.read_units = 0.0
        before = averages(question.before) if question.before else {}
        found: list[Row] = [
            (
                deployment.ids[user],
                *figures,
                before.get(user, (0, 0))[0] if question.before else None,
            )
            for user, figures in averages(question.range).items()
            if in_department(user) or not question.departments
        ]
        return ranked(found)

    return Engine("an item per user and day", ask, lambda: table.meter.read_units, since)
