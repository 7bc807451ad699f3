"""Events in files: lines of JSON, or the rows of a table."""

import csv
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Self

from odometer.api.v1.events import LARGEST_BODY
from odometer.domain.events import EVENT_TYPE
from odometer.domain.kinds import KINDS
from odometer.domain.numbers import LONGEST_NUMBER
from odometer_cli.failure import Misused

REQUIRED = ("id", "source", "subject", "time", "product")
MEASURES = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.measures))
FIXED = {"specversion": "1.0", "type": EVENT_TYPE}
DATA = ("product", "platform", *MEASURES)
COLUMNS = ("id", "source", "subject", "time", *DATA, *FIXED)
PREFIX = "data."
OWN = re.compile(r"data\.[a-z][a-z0-9_]{0,31}")
"""A column of a measure or a breakdown of an organization's own kind."""
NUMBER_OR_QUOTED = re.compile(
    r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?" + r'|"[^"\\\x00-\x1f]*"'
)
CSV_COLUMNS = (
    f"Columns of a CSV file, in any order: {', '.join(REQUIRED)}; "
    f"as many of these as the kind of product measures: {', '.join(MEASURES)}; "
    f"platform for apps. What is part of `data` may be called so: {PREFIX}tests is tests. "
    f"Measures and breakdowns of your own kinds stand in columns like {PREFIX}pages: a cell that "
    'is a number is one, any other is text, as is "2024" in quotes. An empty cell is left out.'
)
CORRECT = "Correct it and run this again: nothing counts twice."


class Format(StrEnum):
    """How events stand in a file."""

    NDJSON = "ndjson"
    CSV = "csv"

    @classmethod
    def of(cls, file: Path) -> Self:
        return cls("csv" if file.suffix.lower() == ".csv" else "ndjson")


@dataclass(frozen=True, slots=True)
class Line:
    """One event, and where it stands in its file."""

    place: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that no request can carry, and why."""

    place: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.place} {self.reason}"


def lines_of(file: Path, form: Format) -> Iterator[Line]:
    """The events of a file that has nothing else in it."""
    with file.open("rb") as content:
        for line in lines_in(content, form):
            if isinstance(line, Unreadable):
                raise Misused(str(line), CORRECT)
            yield line


def lines_in(content: BinaryIO, form: Format) -> Iterator[Line | Unreadable]:
    """What stands in a file or comes out of a pipe, as soon as it is there."""
    for place, text in texts_of(content, form):
        reason = fault_of(text) if isinstance(text, bytes) else text
        yield Unreadable(place, reason) if reason else Line(place, text)  # type: ignore[arg-type]


def texts_of(content: BinaryIO, form: Format) -> Iterator[tuple[int, bytes | str]]:
    """Events in JSON by the numbers of their lines, or why there is none."""
    return rows_of_table(content) if form is Format.CSV else lines_of_json(content)


def lines_of_json(content: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for place, line in enumerate(content, 1):
        if text := line.removeprefix(BOM_UTF8).strip():
            yield place, text


def fault_of(line: bytes) -> str | None:
    """Why a line is no JSON object that a request can carry; what is in it the server judges."""
    if len(line) + len("[]") > LARGEST_BODY:
        return f"is larger than a request may be: {LARGEST_BODY} bytes"
    try:
        is_object = isinstance(json.loads(line.decode()), dict)
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg}: column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"is not JSON: {error}"
    return None if is_object else "is not an event: expected an object"


def rows_of_table(content: BinaryIO) -> Iterator[tuple[int, bytes | str]]:
    reader = csv.reader((line.removeprefix(BOM_UTF8).decode() for line in content), strict=True)
    columns = columns_of(heading_of(reader))
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"is not CSV: {error}"
            continue
        if row:
            yield reader.line_num, event_of(row, columns) or "has more cells than there are columns"


def heading_of(reader: Iterator[list[str]]) -> list[str]:
    try:
        return next(reader, [])
    except csv.Error as error:
        raise Misused(f"line 1 is not CSV: {error}", CORRECT) from error


def columns_of(heading: Sequence[str]) -> list[str]:
    """What the cells of each row are, by the first one."""
    columns = [column_of(name.strip()) for name in heading]
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS and not OWN.fullmatch(name)]
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    faults = (("is missing", missing), ("is unknown", unknown), ("stands twice", twice))
    for fault, names in faults:
        if names:
            raise Misused(f"A column {fault}: {', '.join(names)}.", f"{CSV_COLUMNS}")
    return columns


def column_of(name: str) -> str:
    """What is in a column; of a kind's own, its name keeps its prefix."""
    known = name.removeprefix(PREFIX)
    return known if known in COLUMNS else name


def event_of(row: Sequence[str], columns: Sequence[str]) -> bytes | None:
    """A row of a table as an event; an empty cell is nothing. None if there are too many cells."""
    if len(row) > len(columns):
        return None
    cells = {name: cell for name, cell in zip(columns, row, strict=False) if cell}
    data = {name: cell for name, cell in cells.items() if name in DATA or OWN.fullmatch(name)}
    attributes = {name: cell for name, cell in {**FIXED, **cells}.items() if name not in data}
    members = (f"{json.dumps(n.removeprefix(PREFIX))}: {said(n, c)}" for n, c in data.items())
    return f'{json.dumps(attributes)[:-1]}, "data": {{{", ".join(members)}}}}}'.encode()


def said(name: str, cell: str) -> str:
    """A cell as JSON: a number, in its own digits, where one is meant and one stands there."""
    if name.startswith(PREFIX) and NUMBER_OR_QUOTED.fullmatch(cell):
        return cell
    is_number = cell.isascii() and cell.isdigit() and len(cell) <= LONGEST_NUMBER
    return str(int(cell)) if name in MEASURES and is_number else json.dumps(cell)
