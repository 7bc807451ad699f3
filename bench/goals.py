"""The goals of speed beside the figures that are published: nobody types what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from bench.results import OURS, lined_up

USERS = 10_000
NEW, AGAIN = "whole days", "whole days, asked again"
NOT_MEASURED = "not measured yet"


class Goal(NamedTuple):
    """What is measured, how much it may be at most, and how much it was before the first change."""

    words: str
    most: Sequence[float]
    before: str
    figures: Callable[[str], Sequence[float]]
    """What a document says of it; a `LookupError` where it says nothing."""

    def row(self, document: str) -> list[str]:
        most = " / ".join(f"{each:g}" for each in self.most)
        try:
            figures = self.figures(document)
        except LookupError:
            return [self.words, most, self.before, NOT_MEASURED, ""]
        now = " / ".join(f"{each:.4g}" for each in figures)
        met = [figure <= most for figure, most in zip(figures, self.most, strict=True)]
        return [self.words, most, self.before, now, said_of(met)]


def said_of(met: Sequence[bool]) -> str:
    return "yes" if all(met) else "in part" if any(met) else "no"


def table(document: str) -> str:
    head = ["what", "goal, at most", "before", "now", "met?"]
    return lined_up(head, (goal.row(document) for goal in GOALS), left=(0, 4))


def rows_of(text: str) -> Iterator[dict[str, str]]:
    """The rows of all tables, by the heads of their columns."""
    of_tables = (line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|"))
    lines = [[cell.strip() for cell in cells] for cells in of_tables]
    head: list[str] = []
    for cells, following in pairwise([*lines, []]):
        if following and is_rule(following):
            head = cells
        elif not is_rule(cells) and len(cells) == len(head):
            yield dict(zip(head, cells, strict=True))


def is_rule(cells: Sequence[str]) -> bool:
    """Whether it is the line between the head of a table and its rows."""
    return set("".join(cells)) <= {"-", ":"}


def part_of(document: str, name: str) -> str:
    """What is between the markers of a part."""
    return document.split(f"<!-- bench {name} -->")[1].split(
        f"<!-- end of bench {name} -->", maxsplit=1
    )[0]


def row_of(text: str, *first: str) -> dict[str, str]:
    """The first row whose first cells are these."""
    rows = (row for row in rows_of(text) if [*row.values()][: len(first)] == [*first])
    found = next(rows, None)
    if found is None:
        raise LookupError(first)
    return found


def compared(document: str, *first: str) -> dict[str, str]:
    """A row of what came of asking everybody about 10,000 users."""
    of_users = part_of(document, "compare").split(f"**{USERS:,} users**")[1]
    return row_of(re.split(r"\*\*[\d,]+ users\*\*", of_users)[0], *first)


def number(cell: str) -> float:
    """The number that a cell begins with."""
    return float(cell.split(maxsplit=1)[0].replace(",", ""))


def milliseconds(document: str) -> list[float]:
    return [number(compared(document, words, "366")[OURS]) for words in (NEW, AGAIN)]


def quickest_of_many_users(document: str) -> list[float]:
    return [number(row_of(part_of(document, "ranking"), "all")["100,000 users, new days"])]


def against_duckdb(document: str, words: str) -> list[float]:
    rows = (compared(document, words, days) for days in ("28", "90", "366"))
    return [round(number(row[OURS]) / number(row["DuckDB"]), 2) for row in rows]


def round_trips(document: str) -> list[float]:
    route = "GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users"
    cold = row_of(document.split(f"## Every route: {USERS:,} users")[1], route)
    warm = compared(document, NEW, "366", OURS)["hops"]
    return [number(warm), number(cold["cold: hops / calls"])]


def coldest_start(document: str) -> list[float]:
    return [max(number(row["times bare"]) for row in list(rows_of(part_of(document, "start")))[1:])]


def intake(document: str) -> list[float]:
    found = re.search(r"([\d.]+) ms of CPU take 1,000 events", part_of(document, "intake"))
    if found is None:
        raise LookupError("intake")
    return [float(found[1])]


def dollars(document: str) -> list[float]:
    return [
        number(compared(document, NEW, days, OURS)["$ for 1,000"]) for days in ("28", "90", "366")
    ]


GOALS = (
    Goal(
        "a ranking, 366 days, milliseconds of the processor: new days / asked again",
        [10, 10],
        "27 to 32",
        milliseconds,
    ),
    Goal(
        "the same against DuckDB, new days: 28 / 90 / 366",
        [1.2, 1.2, 0.7],
        "3.2 to 4.4 / 2.0",
        lambda document: against_duckdb(document, NEW),
    ),
    Goal(
        "the same against DuckDB, asked again: 28 / 90 / 366",
        [1.2, 1.2, 0.7],
        "not shown",
        lambda document: against_duckdb(document, AGAIN),
    ),
    Goal(
        "a ranking of 100,000 users, 366 days, the quickest of 100, milliseconds",
        [100],
        "not shown",
        quickest_of_many_users,
    ),
    Goal("round trips one after the other, warm / cold", [2, 4], "6 / 10 to 13", round_trips),
    Goal("the slowest cold start, times a bare boto3 handler", [1], "2.2", coldest_start),
    Goal("1,000 events accepted, milliseconds of the processor", [10], "24", intake),
    Goal("dollars for 1,000 rankings: 28 / 90 / 366", [0.006] * 3, "0.016", dollars),
)
