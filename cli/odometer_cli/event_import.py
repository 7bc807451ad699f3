"""`odometer import` sends the events of a file through the public API, many at a time.

A second file beside it says which parts were acknowledged, so that the next run goes on from there.
It only saves time: an event that is sent again counts once.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from odometer_cli.client import Client
from odometer_cli.deployment import Deployment
from odometer_cli.event_files import CSV_COLUMNS, Format, lines_of
from odometer_cli.event_sending import Part, Tally, parts, post, show
from odometer_cli.failure import Misused
from odometer_cli.output import ProgressBar, err, file_name, progress_bar

SUFFIX = ".imported"
EPILOG = CSV_COLUMNS


class ProgressFile:
    """Says which parts of a file were acknowledged, as long as the file does not change."""

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(file.name + SUFFIX)
        with file.open("rb") as content:
            self._heading = hashlib.file_digest(content, "sha256").hexdigest()
        lines = self._path.read_text().split() if self._path.exists() else []
        self._parts = set(lines[1:]) if lines[:1] == [self._heading] else set()
        self._path.write_text("\n".join([self._heading, *self._parts, ""]))

    def __contains__(self, part: Part) -> bool:
        return str(part.number) in self._parts

    def add(self, part: Part) -> None:
        with self._path.open("a") as progress:
            progress.write(f"{part.number}\n")

    def remove(self) -> None:
        self._path.unlink()


def import_file(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="NDJSON, an event a line, or CSV, an event a row; - for stdin.")
    ],
    *,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option(help="By the name of the file; NDJSON from stdin.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Requests at a time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Every error, in JSON.")] = False,
) -> None:
    """Send the events of a file; run it again after any failure, nothing counts twice.

    `accepted` counts what was taken, events that were sent before included. The exit code is 1 when
    any event was rejected.
    """
    deployment: Deployment = ctx.obj
    client, form = deployment.client, format or Format.of(file)
    try:
        with readable_copy(file) as content:
            tally = import_events(client, content, form, connections)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file_name(file)} cannot be read: {error}"
        raise Misused(message, "Name a file of NDJSON or CSV in UTF-8.") from error
    except KeyboardInterrupt:
        err.print("Interrupted. Run it again: nothing counts twice.", style="yellow")
        raise
    show(tally, tally.counts, as_json=as_json)
    raise typer.Exit(1 if tally.rejected else 0)


@contextmanager
def readable_copy(file: Path) -> Iterator[Path]:
    """The file, or a copy of standard input, because it is read more than once."""
    if str(file) != "-":
        yield file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "stdin"
        with copy.open("wb") as content:
            shutil.copyfileobj(sys.stdin.buffer, content)
        yield copy


def import_events(client: Client, file: Path, form: Format, connections: int) -> Tally:
    """Send the events of a file that no earlier run has sent."""
    acknowledged = ProgressFile(file)
    with progress_bar("Sending events", lines_in(file)) as progress:
        tally = send(client, parts(lines_of(file, form)), acknowledged, connections, progress)
    acknowledged.remove()
    return tally


def lines_in(file: Path) -> int:
    """How many lines of a file are not blank: about as many as it has events."""
    with file.open("rb") as content:
        return sum(bool(line.strip()) for line in content)


def send(
    client: Client,
    all_parts: Iterator[Part],
    acknowledged: ProgressFile,
    connections: int,
    progress: ProgressBar,
) -> Tally:
    """Send parts over several connections, and note each as soon as it is acknowledged."""
    tally = Tally()

    def receipt_of(part: Part) -> tuple[Part, dict[str, Any] | None]:
        if part in acknowledged:
            return part, None
        return part, post(client, part)

    with ThreadPoolExecutor(connections) as pool:
        for future in completed(pool, receipt_of, all_parts, 2 * connections):
            part, receipt = future.result()
            if receipt is None:
                tally.skipped += len(part.lines)
            else:
                tally.add(part, receipt)
                acknowledged.add(part)
            progress.advance(len(part.lines))
    return tally


def completed(
    pool: ThreadPoolExecutor, work: Callable[[Part], Any], all_parts: Iterator[Part], at_once: int
) -> Iterator[Future[Any]]:
    """Futures as they complete; no more parts are read than are being sent."""
    waiting = {pool.submit(work, part) for part in islice(all_parts, at_once)}
    while waiting:
        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from finished
        waiting |= {pool.submit(work, part) for part in islice(all_parts, len(finished))}
