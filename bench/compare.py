"""The users of an app, ranked: the handler beside DuckDB and SQLite over daily roll-ups.

One run, one machine, every engine asked the same question in turn. The peers are embedded, warm,
without a network and without a caller to prove; the handler is asked as the gateway asks it, and
answers from an engine behind a socket. Every answer is held against the raw arrays before any time
is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from bench.apps import Site, days, query, site
from odometer.reports.figures import rounded

ROUNDS = 7
PAGE = 50
LENGTHS = (1, 28, 90, 366)
Row = tuple[str, int, int]
Page = tuple[list[Row], int]
Ask = Callable[[date, date], Page]

RANKING = """
    SELECT id, (2 * sum(active_ms) + count(*)) / (2 * count(*)) AS average, count(*) AS days
    FROM usage JOIN users USING (user_no)
    WHERE day BETWEEN {first} AND {last} GROUP BY id
"""
"""Half away from zero in whole numbers; a roll-up has one row for a day, so rows are days."""
SCHEMA = """
    CREATE TABLE usage
        (day INT, user_no INT, active_ms INT, PRIMARY KEY (day, user_no)) WITHOUT ROWID;
    CREATE TABLE users (user_no INT PRIMARY KEY, id TEXT);
"""
PAGE_OF = "SELECT * FROM ({ranking}) ORDER BY average DESC, id LIMIT {page}"
COUNT_OF = "SELECT count(DISTINCT user_no) FROM usage WHERE day BETWEEN {first} AND {last}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1_000, 10_000])
    for users in parser.parse_args().users:
        with site(users) as deployment, tempfile.TemporaryDirectory() as folder:
            compare(deployment, Path(folder))


def compare(deployment: Site, folder: Path) -> None:
    """Ask everybody, check every answer, then take the time."""
    engines = {"handler": handler(deployment), **peers(deployment, folder)}
    print(f"\n{deployment.dense.users:,} users; load average {os.getloadavg()[0]:.1f}")
    print("| days | " + " | ".join(f"{name} ms" for name in engines) + " |")
    print("| ---: |" + " ---: |" * len(engines))
    for length in LENGTHS:
        first, last = days(length, 3)
        expected = oracle(deployment, first, last)
        for name, ask in engines.items():
            if ask(first, last) != expected:
                raise RuntimeError(f"{name} is wrong about {length} days")
        print(f"| {length} | {' | '.join(shown(timed(engines, first, last)))} |")


def timed(engines: Mapping[str, Ask], first: date, last: date) -> list[float]:
    """The median of some rounds, in each of which every engine is asked once."""
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, ask in engines.items():
            began = time.perf_counter()
            ask(first, last)
            taken[name].append(1000 * (time.perf_counter() - began))
    return [statistics.median(times) for times in taken.values()]


def shown(medians: Sequence[float]) -> Iterator[str]:
    """Milliseconds, and how many times ours that is."""
    for median in medians:
        yield f"{median:.1f} ({median / medians[0]:.1f})"


def oracle(deployment: Site, first: date, last: date) -> Page:
    """The page and the count from the raw arrays."""
    sums, counts = [0] * deployment.dense.users, [0] * deployment.dense.users
    for day, used in deployment.dense.days.items():
        if first <= day <= last:
            for user, active_ms in enumerate(used.duration_ms):
                sums[user] += active_ms
                counts[user] += bool(active_ms)
    rows = [
        (deployment.ids[user], rounded(sums[user], count), count)
        for user, count in enumerate(counts)
        if count
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:PAGE], len(rows)


def handler(deployment: Site) -> Ask:
    """The function of the endpoint, as Lambda calls it."""

    def ask(first: date, last: date) -> Page:
        length = (last - first).days + 1
        asked = query(length, compared=False, departments=False, ago=3)
        answer: Any = json.loads(deployment.get(asked).text)
        rows = [
            (row["user"]["id"], row["avg_time_ms_per_day"]["value"], row["days_active"])
            for row in answer["data"]
        ]
        return rows, answer["total_count"]

    return ask


def peers(deployment: Site, folder: Path) -> dict[str, Ask]:
    """The same days in the engines beside it, sorted by day and user."""
    usage, users = folder / "usage.csv", folder / "users.csv"
    usage.write_text("".join(lines(deployment)))
    users.write_text("".join(f"{user},{word}\n" for user, word in enumerate(deployment.ids)))
    duck = duckdb.connect(str(folder / "usage.duckdb"), config={"threads": 1})
    duck.read_csv(str(usage), header=False, names=["day", "user_no", "active_ms"]).create("usage")
    duck.read_csv(str(users), header=False, names=["user_no", "id"]).create("users")
    lite = sqlite3.connect(folder / "usage.sqlite")
    lite.executescript(SCHEMA)
    lite.executemany("INSERT INTO usage VALUES (?, ?, ?)", split(usage))
    lite.executemany("INSERT INTO users VALUES (?, ?)", split(users))
    return {"DuckDB": sql(duck.execute, "//"), "SQLite": sql(lite.execute, "/")}


def split(table: Path) -> Iterator[list[str]]:
    """The rows of a file."""
    with table.open() as rows:
        yield from (row.rstrip().split(",") for row in rows)


def lines(deployment: Site) -> Iterator[str]:
    """Day, user and milliseconds of everyone who used the app on a day."""
    for day, used in deployment.dense.days.items():
        for user, active_ms in enumerate(used.duration_ms):
            if active_ms:
                yield f"{day.toordinal()},{user},{active_ms}\n"


def sql(execute: Callable[[str], Any], whole_division: str) -> Ask:
    """The page and the count in SQL."""

    def ask(first: date, last: date) -> Page:
        ends = {"first": first.toordinal(), "last": last.toordinal()}
        ranking = RANKING.format(**ends).replace(" / ", f" {whole_division} ")
        page = execute(PAGE_OF.format(ranking=ranking, page=PAGE)).fetchall()
        return [(user, int(average), count) for user, average, count in page], execute(
            COUNT_OF.format(**ends)
        ).fetchall()[0][0]

    return ask


if __name__ == "__main__":
    main()
