"""Reports as answers: JSON by default, every row as CSV or NDJSON, and what they are made from."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from itertools import chain
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from odometer.domain.errors import Incomplete
from odometer.domain.frozen import frozen
from odometer.domain.time import Period, format_seconds, instant_of_ms
from odometer.reports.figures import one_decimal
from odometer.storage.dynamo import Meter
from odometer.web.cursors import content_without_expiry
from odometer.web.exact import as_exact_json
from odometer.web.messages import CSV, JSON, Request, Response, preferred_type
from odometer.web.models import Answer

VARY = "Accept, Accept-Encoding"
THROUGH = "data_through"
SIGNS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"  # also full-width
FORMULA = re.compile(rf'^(?=[\t\r\n]|\s*{SIGNS})|;(?=[\s"]*{SIGNS})')
"""Where a formula begins: in a cell, or after what many countries' spreadsheets split cells at."""


Page = TypeVar("Page", bound=BaseModel)


@frozen
class Report(Generic[Page]):
    """An answer about usage: one page of it as JSON, or every row of it in lines."""

    page: Page
    rows: Callable[[], Iterable[Answer | Mapping[str, Any]]]
    periods: Sequence[Period] = ()
    """The periods that it covers; a list of the directory covers none."""
    through_ms: int | None = None
    partial: bool = False
    columns: Sequence[str] = ()
    """The first columns of a table, also of one without rows."""
    narrowed_by: Sequence[str] = ("from", "to")
    """The parameters that make fewer rows of it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cursor_expires: bool = True

    def response(
        self, request: Request, meter: Meter, fallback_type: str | None = None
    ) -> Response:
        """The report in the form that the client accepts; a complete one has an ETag."""
        media_type = preferred_type(request.header("accept"), otherwise=fallback_type)
        body = self._body(media_type)
        headers = {**self._provenance(meter.read_units), **self._caching(body), **self.headers}
        if client_has(headers.get("ETag"), request.header("if-none-match")):
            return Response(304, headers=headers)
        return Response(200, body, media_type, headers, self.narrowed_by)

    def _body(self, media_type: str) -> bytes:
        if media_type == JSON:
            return self.page.model_dump_json().encode()
        if self.partial:
            raise Incomplete
        rows = self.rows()
        text = as_csv(map(content_of, rows), self.columns) if media_type == CSV else as_lines(rows)
        return text.encode()

    def _provenance(self, read_units: float) -> dict[str, str]:
        through = (
            {}
            if self.through_ms is None
            else {"X-Data-Through": format_seconds(instant_of_ms(self.through_ms))}
        )
        ranges = {"X-Query-Range": ", ".join(map(str, self.periods))} if self.periods else {}
        return {**through, **ranges, "X-Read-Units": str(one_decimal(read_units))}

    def _caching(self, body: bytes) -> dict[str, str]:
        """A partial answer is never kept."""
        if self.partial:
            return {"Cache-Control": "no-store"}
        tag = hashlib.sha256(self._content(body)).hexdigest()[:32]
        return {"Cache-Control": "private, no-cache", "ETag": f'W/"{tag}"', "Vary": VARY}

    def _content(self, body: bytes) -> bytes:
        """The body for its ETag, without what tells nothing new.

        Two cursors to the same page count as the same, and so does what is complete up to now. A
        cursor that never expires stays the same.
        """
        cursor, through = (getattr(self.page, name, None) for name in ("next_cursor", THROUGH))
        if through:
            body = body.replace(f'"{THROUGH}":"{through}"'.encode(), b"")
        if not (self.cursor_expires and isinstance(cursor, str)):
            return body
        return body.replace(cursor.encode(), content_without_expiry(cursor))


def client_has(tag: str | None, if_none_match: str) -> bool:
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag is not None and (tag.removeprefix("W/") in tags or tags == ["*"])


def content_of(row: Answer | Mapping[str, Any]) -> Mapping[str, Any]:
    return row.model_dump(mode="json") if isinstance(row, Answer) else row


def as_lines(rows: Iterable[Answer | Mapping[str, Any]]) -> str:
    return "".join(f"{line_of(row)}\n" for row in rows)


def line_of(row: Answer | Mapping[str, Any]) -> str:
    """A row as JSON; one that is no model may have exact decimals."""
    if isinstance(row, Answer):
        return json.dumps(row.model_dump(mode="json"), ensure_ascii=False)
    return as_exact_json(row, ", ", ": ")


def as_csv(rows: Iterable[Mapping[str, Any]], first: Iterable[str] = ()) -> str:
    """A table whose columns are the names of the JSON, nested ones joined by dots."""
    flat = [dict(flattened(row)) for row in rows]
    text = io.StringIO()
    columns = list(dict.fromkeys(chain(first, *flat)))
    nested = {name[:at] for name in columns for at, letter in enumerate(name) if letter == "."}
    shown = [name for name in columns if name not in nested]  # null in place of an object
    writer = csv.DictWriter(text, shown, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: without_formula(value) for name, value in row.items()} for row in flat)
    return text.getvalue()


def flattened(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def without_formula(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, nor any element of a list in it."""
    if isinstance(value, list):
        return ";".join(map(cell_text, value))
    if isinstance(value, bool):
        return json.dumps(value)
    return FORMULA.sub(r"\g<0>'", value) if isinstance(value, str) else value


def cell_text(element: object) -> str:
    """An element of a list in a cell; an object is shown by its name."""
    if isinstance(element, dict) and "name" in element:
        element = element["name"]
    return str(without_formula(element)) if isinstance(element, str) else json.dumps(element)


@cache
def columns_of(row: type[Answer], prefix: str = "") -> Sequence[str]:
    columns: list[str] = []
    for name, column in row.model_fields.items():
        inner = column.annotation
        if isinstance(inner, type) and issubclass(inner, Answer):
            columns += columns_of(inner, f"{prefix}{name}.")
        else:
            columns.append(prefix + name)
    return columns
