"""`odometer directory`: put, export and erase members of an organization by the public API."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from odometer_cli.client import pages, segment
from odometer_cli.deployment import Deployment
from odometer_cli.directory_rows import RowResult, put_rows, read_rows
from odometer_cli.output import err, out, progress_bar, show_json, show_rows

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Members of an organization.")

MOST_SHOWN = 20
EXPORT = "/v1/directory/export"


@app.command("put")
def put_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON document or NDJSON lines; - for stdin.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Every result, in JSON.")] = False,
) -> None:
    """Create and change members; sending the same file again changes nothing."""
    deployment: Deployment = ctx.obj
    client, rows = deployment.client, read_rows(file)
    with progress_bar("Putting the directory", len(rows)) as progress:
        results = list(put_rows(client, rows, progress.advance))
    rejected = [result for result in results if result.is_rejected]
    if as_json:
        show_json([{"place": each.row.place, **each.values} for each in results])
    else:
        show_tally(results)
        show_rejected(rejected)
    raise typer.Exit(1 if rejected else 0)


@app.command()
def export(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to; stdout if left out.")] = None,
) -> None:
    """Write the whole directory as the lines that `put` takes, page by page."""
    deployment: Deployment = ctx.obj
    with progress_bar("Exporting the directory", None) as progress:
        received = counted(pages(deployment.client, EXPORT), progress.advance)
        with file.open("wb") if file else nullcontext(sys.stdout.buffer) as written:
            written.writelines(received)
            written.flush()


@app.command()
def erase(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="Id of the user, as `export` shows it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a user for good, keys included; what they used stays in every total."""
    if not yes:
        typer.confirm(f"Erase user {user_id}? There is no way back", abort=True, err=True)
    deployment: Deployment = ctx.obj
    deployment.client.call("DELETE", f"/v1/users/{segment(user_id)}")
    out.print(f"{user_id} is erased.")


def counted(received: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """Pages, whose lines are shown as progress."""
    for page in received:
        advance(page.count(b"\n"))
        yield page


def show_tally(results: list[RowResult]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for result in results:
        place = (result.row.kind, result.status)
        counts[place] = counts.get(place, 0) + 1
    rows = [{"kind": kind, "status": status, "rows": n} for (kind, status), n in counts.items()]
    show_rows(("kind", "status", "rows"), rows)


def show_rejected(rejected: list[RowResult]) -> None:
    for result in rejected[:MOST_SHOWN]:
        err.print(f"{result.row.place}: {result.reason}", style="red")
    if len(rejected) > MOST_SHOWN:
        err.print(f"… and {len(rejected) - MOST_SHOWN} more: --json lists all.")
