"""A question to the API: what it answers as a table, with all pages, or line by line."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from odometer_cli.client import Client
from odometer_cli.failure import Misused
from odometer_cli.output import err

CSV: Final = "text/csv"
LARGEST_PAGE: Final = 1_000
MOST_ROWS: Final = 100_000
"""So many rows are read page by page; a CSV answer has every row."""
FEW_ROWS: Final = 20

Params = Mapping[str, str | None]
AsCsv = Annotated[bool, typer.Option("--csv", help="Every row, as the API's own CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="All pages as one JSON document.")]
Limit = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_ROWS,
        help=f"Rows at most: {FEW_ROWS} in a table, {MOST_ROWS:,} in JSON by itself.",
    ),
]


def check_form(*, as_csv: bool, as_json: bool, limit: int | None) -> None:
    if as_csv and as_json:
        raise Misused("--csv and --json exclude each other.", "Give one of them.")
    if as_csv and limit:
        raise Misused("CSV has every row.", "Leave out --limit, or take --json.")


def target(path: str, params: Params) -> str:
    """A path with its query; what is not given is left out."""
    return f"{path}?{urlencode({name: value for name, value in params.items() if value})}"


def split(names: Sequence[str] | None) -> list[str]:
    """Names that were repeated, or have commas between them."""
    return [each.strip() for name in names or () for each in name.split(",") if each.strip()]


def joined(names: Sequence[str]) -> str | None:
    return ",".join(names) or None


def show_csv(client: Client, path: str, params: Params) -> None:
    """The table as the API writes it, which spreadsheets take for no formula."""
    body = client.call("GET", target(path, params), accept=CSV).content
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def all_pages(
    client: Client, path: str, params: Params, rows: str, most: int, decimal: Callable[[str], Any]
) -> dict[str, Any]:
    """The first page with the rows of those that follow, and the cursor after the last one."""
    first = page(client, path, {**params, "limit": str(min(most, LARGEST_PAGE))}, decimal)
    content, following = first, first["next_cursor"]
    while following and len(content[rows]) < most:
        left = most - len(content[rows])
        query = {**params, "limit": str(min(left, LARGEST_PAGE)), "cursor": following}
        found = page(client, path, query, decimal)
        if not found[rows]:
            break
        content[rows] += found[rows]
        following = found["next_cursor"]
    return {**content, "next_cursor": following}


def page(
    client: Client, path: str, params: Params, decimal: Callable[[str], Any]
) -> dict[str, Any]:
    found: dict[str, Any] = client.get(target(path, params), decimal)
    return found


def show_exact_json(content: object) -> None:
    """JSON with all digits of its decimals."""
    from odometer.web.exact import as_exact_json

    sys.stdout.write(as_exact_json(content, ", ", ": ") + "\n")


def exact(digits: str) -> Any:
    """A decimal that `show_exact_json` writes as it was read."""
    from odometer.web.exact import Decimal

    return Decimal(digits)


def tell_more(shown: int, total: int) -> None:
    """Say that there are more rows than were shown."""
    if shown < total:
        enough = min(total, MOST_ROWS)
        err.print(f"{shown:,} of {total:,}: --limit {enough} shows more, --csv every row.")
