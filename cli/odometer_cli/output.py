"""Prints tables and results to stdout, progress and failures to stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from odometer_cli.failure import Failure

if TYPE_CHECKING:
    from rich.progress import Progress

UNBROKEN_COLUMNS = frozenset({"key_id", "status"})
"""Columns that are copied by hand or searched for: never broken."""

PIPE_WIDTH = 10_000
"""A width in which whoever reads through a pipe gets a line for every row."""

AS_IT_IS: Mapping[str, Any] = {"highlight": False, "markup": False, "emoji": False}
"""Names are shown as they are, also one like `[red]` or `:smile:`."""

out = Console(**AS_IT_IS, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(**AS_IT_IS, soft_wrap=True, stderr=True)


def is_interactive() -> bool:
    """Whether a question can be answered here."""
    return sys.stdin.isatty()


def file_name(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)


def count_of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def show_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def show_values(values: Mapping[str, Any]) -> None:
    """Print a line for each value."""
    width = max(map(len, values))
    for name, value in values.items():
        out.print(f"{name:<{width}}  {cell(value)}")


def show_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in UNBROKEN_COLUMNS)
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in columns))
    out.print(table)


def show_columns(columns: Sequence[tuple[str, Sequence[str], bool]]) -> None:
    """Print a table whose columns are known: heading, cells, and whether these are numbers."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading, _, is_number in columns:
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in zip(*(cells for _, cells, _ in columns), strict=True):
        table.add_row(*row)
    out.print(table)


def show_failure(failure: Failure) -> None:
    err.print(printable(failure.what), style="red")
    if failure.remedy:
        err.print(printable(failure.remedy))


def printable(text: str) -> str:
    """A text that tells no terminal what to do, whoever wrote it."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else printable(str(value))


class ProgressBar:
    """The progress of a long piece of work."""

    def __init__(self, progress: "Progress", title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def advance(self, steps: int) -> None:
        self._progress.advance(self._task, steps)


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[ProgressBar]:
    """A progress bar, if stderr is a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal) as shows:
        yield ProgressBar(shows, title, total)
