"""Directory rows, read from a file and sent to `PUT /v1/directory`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odometer.api.v1.directory import LARGEST_BODY, LISTS, MOST_ROWS, ORDER
from odometer.directory.upsert import Status
from odometer.web.messages import NDJSON
from odometer_cli.batches import batches
from odometer_cli.client import Client, content_of
from odometer_cli.failure import Misused, Unreachable
from odometer_cli.output import file_name

NOT_SENT = "Nothing was sent. Correct it and run this again."


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and its place in the file."""

    place: str
    kind: str
    line: bytes

    @classmethod
    def of(cls, place: str, kind: str, content: object) -> "Row":
        """A row as a line of NDJSON, in which a product's own kind is `product_kind`."""
        if not isinstance(content, dict):
            raise Misused(f"{place} is not a JSON object", NOT_SENT)
        values = dict(content)
        own = {"product_kind": values.pop("kind")} if "kind" in values else {}
        return cls(place, kind, json.dumps({"kind": kind, **values, **own}).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class RowResult:
    """A row, and what the server did with it."""

    row: Row
    values: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.values["status"])

    @property
    def is_rejected(self) -> bool:
        return self.status == Status.REJECTED

    @property
    def reason(self) -> str:
        return f"{self.values.get('code')}: {self.values.get('message')}"


def read_rows(file: Path) -> list[Row]:
    """The rows of a file; rows that others refer to come first."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(
            f"{file_name(file)} cannot be read: {error}", "Name a file of JSON or NDJSON in UTF-8."
        ) from error
    rows = list(rows_in(text, file_name(file)))
    return sorted(rows, key=lambda row: ORDER.index(row.kind) if row.kind in ORDER else len(ORDER))


def rows_in(text: str, name: str) -> Iterator[Row]:
    """The rows of one JSON document or of NDJSON."""
    if not text.strip():
        raise Misused(f"{name} is empty.", "Name a file of JSON or NDJSON.")
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise Misused(f"{name} is nested too deeply.", NOT_SENT) from error
    except json.JSONDecodeError as error:
        if not follows_a_line(text, error):
            raise Misused(f"{name} is not JSON: {error}", NOT_SENT) from error
        document = None
    except ValueError as error:  # a number of thousands of digits
        raise Misused(f"{name} cannot be read: {error}", NOT_SENT) from error
    if isinstance(document, dict) and not isinstance(document.get("kind"), str):
        yield from rows_of_document(document)
    else:
        yield from rows_of_lines(text)


def follows_a_line(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text begins with a whole line of JSON: then each line is a row."""
    return error.msg == "Extra data" and "\n" not in text[: error.pos].strip()


def rows_of_document(document: dict[str, Any]) -> Iterator[Row]:
    for name, content in document.items():
        if name in LISTS and isinstance(content, list):
            for index, values in enumerate(content):
                yield Row.of(f"{name}[{index}]", LISTS[name], values)
        else:
            yield Row.of(name, name, content)


def rows_of_lines(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield row_of_line(number, line.strip())


def row_of_line(number: int, line: str) -> Row:
    """A row of a line, which is sent unchanged: the server checks its content."""
    try:
        values = json.loads(line)
        return Row(f"line {number}", str(values["kind"]), line.encode() + b"\n")
    except json.JSONDecodeError as error:
        message = f"line {number} is not JSON: {error.msg}: column {error.colno}"
        raise Misused(message, NOT_SENT) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        message = f"line {number} is not a JSON object with a kind"
        raise Misused(message, NOT_SENT) from error


def parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in order, as many at a time as one request may carry."""
    return batches(rows, lambda row: len(row.line), MOST_ROWS, LARGEST_BODY[NDJSON])


def put_rows(
    client: Client, rows: Sequence[Row], advance: Callable[[int], None]
) -> Iterator[RowResult]:
    """Send rows part by part; rows that the server had no time for are sent again."""
    for part in parts(rows):
        left = part
        while left:
            pairs = zip(left, send_rows(client, left), strict=True)
            results = [RowResult(row, values) for row, values in pairs]
            done = [each for each in results if each.status != Status.NOT_ATTEMPTED]
            if not done:
                message = f"{left[0].place} was not reached within the time of a request"
                raise Unreachable(message, "Run the command again: it goes on where this ended.")
            yield from done
            advance(len(done))
            left = [each.row for each in results if each.status == Status.NOT_ATTEMPTED]


def send_rows(client: Client, rows: Sequence[Row]) -> list[dict[str, Any]]:
    body = b"".join(row.line for row in rows)
    response = client.call("PUT", "/v1/directory", body, NDJSON)
    results: list[dict[str, Any]] = content_of(response)["results"]
    return results
