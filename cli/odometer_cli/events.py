"""`odometer import`: events from a file through the public API, many at a time, and only once.

What was acknowledged is noted beside the file, so that a second run goes on where the first one
ended. The note saves time and nothing else: an event that is sent again counts once.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from odometer.api.v1.events import BATCH, LARGEST_BODY, MOST_EVENTS
from odometer_cli.client import Client, content_of
from odometer_cli.deployment import Deployment
from odometer_cli.event_files import Format, Line, lines_of
from odometer_cli.failure import Misused
from odometer_cli.terminal import Bar, bar, err, named, show_json, show_values

MOST_SHOWN = 20
NOTE = ".imported"
REPEATS = "Events sent before, if any, are among the accepted; each counts once in every report."


@dataclass(frozen=True, slots=True)
class Part:
    """As many events as one request carries."""

    number: int
    lines: list[Line]

    @property
    def body(self) -> bytes:
        """A batch."""
        return b"[" + b",".join(line.content for line in self.lines) + b"]"


@dataclass(slots=True)
class Tally:
    """What became of all events."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, part: Part, receipt: Mapping[str, Any]) -> None:
        """Count the answer to a part."""
        self.accepted += receipt["accepted"]
        self.duplicate += receipt["duplicate"]
        self.rejected += receipt["rejected"]
        for error in receipt["errors"]:
            line = part.lines[error["index"]].place
            self.errors.append(f"line {line}: {error['code']}: {error['message']}")


class Note:
    """Which parts of a file are durable; it is worth nothing once the file has changed."""

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(file.name + NOTE)
        with file.open("rb") as content:
            self._heading = hashlib.file_digest(content, "sha256").hexdigest()
        lines = self._path.read_text().split() if self._path.exists() else []
        self._parts = set(lines[1:]) if lines[:1] == [self._heading] else set()
        self._path.write_text("\n".join([self._heading, *self._parts, ""]))

    def __contains__(self, part: Part) -> bool:
        return str(part.number) in self._parts

    def add(self, part: Part) -> None:
        """Keep that a part is durable."""
        with self._path.open("a") as note:
            note.write(f"{part.number}\n")

    def remove(self) -> None:
        """Forget everything: the file is done."""
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
        with at_hand(file) as content:
            tally = sent(client, content, form, connections)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{named(file)} cannot be read: {error}"
        raise Misused(message, "Name a file of NDJSON or CSV in UTF-8.") from error
    show(tally, as_json=as_json)
    raise typer.Exit(1 if tally.rejected else 0)


@contextmanager
def at_hand(file: Path) -> Iterator[Path]:
    """The file; of standard input a copy, for it is read more than once."""
    if str(file) != "-":
        yield file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "stdin"
        with copy.open("wb") as content:
            shutil.copyfileobj(sys.stdin.buffer, content)
        yield copy


def sent(client: Client, file: Path, form: Format, connections: int) -> Tally:
    """Send all that a file holds, but for what a run before has noted."""
    note = Note(file)
    with bar("Sending events", lines_in(file)) as progress:
        tally = send(client, parts(lines_of(file, form)), note, connections, progress)
    note.remove()
    return tally


def lines_in(file: Path) -> int:
    """About as many events as a file has."""
    with file.open("rb") as content:
        return sum(bool(line.strip()) for line in content)


def parts(lines: Iterable[Line]) -> Iterator[Part]:
    """Lines in order, as many at a time as one request may carry."""
    number, part, size = 0, list[Line](), 2
    for line in lines:
        if len(part) == MOST_EVENTS or (part and size + len(line.content) + 1 > LARGEST_BODY):
            yield Part(number, part)
            number, part, size = number + 1, [], 2
        part.append(line)
        size += len(line.content) + 1
    if part:
        yield Part(number, part)


def send(
    client: Client, all_parts: Iterator[Part], note: Note, connections: int, progress: Bar
) -> Tally:
    """Send parts over several connections, and note each as soon as it is durable."""
    tally = Tally()

    def sent(part: Part) -> tuple[Part, dict[str, Any] | None]:
        if part in note:
            return part, None
        return part, content_of(client.call("POST", "/v1/events", part.body, BATCH))

    def done(part: Part, receipt: dict[str, Any] | None) -> None:
        if receipt is None:
            tally.skipped += len(part.lines)
        else:
            tally.add(part, receipt)
            note.add(part)
        progress.advance(len(part.lines))

    with ThreadPoolExecutor(connections) as pool:
        for future in flowing(pool, sent, all_parts, 2 * connections):
            done(*future.result())
    return tally


def flowing(
    pool: ThreadPoolExecutor, work: Callable[[Part], Any], all_parts: Iterator[Part], at_once: int
) -> Iterator[Future[Any]]:
    """Futures as they are done; no more parts are read than are on their way."""
    waiting = {pool.submit(work, part) for part in islice(all_parts, at_once)}
    while waiting:
        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from finished
        waiting |= {pool.submit(work, part) for part in islice(all_parts, len(finished))}


def show(tally: Tally, *, as_json: bool) -> None:
    """How many events came to what, and why some do not count."""
    counts = {name: getattr(tally, name) for name in Tally.__slots__ if name != "errors"}
    if as_json:
        show_json({**counts, "errors": tally.errors})
    else:
        show_values(counts)
        show_errors(tally.errors)
    if not any(counts.values()):
        err.print("There are no events in it.")
    if tally.accepted:
        err.print(REPEATS)
    if tally.rejected:
        err.print(rejection(tally), style="red")


def show_errors(errors: list[str]) -> None:
    """Why the first of those that were rejected do not count."""
    for error in errors[:MOST_SHOWN]:
        err.print(error, style="red")
    if len(errors) > MOST_SHOWN:
        err.print(f"… and {len(errors) - MOST_SHOWN} more: --json lists all.")


def rejection(tally: Tally) -> str:
    """How much of the file does not count, and what to do."""
    events = tally.accepted + tally.duplicate + tally.rejected
    share = "Every event was" if events == tally.rejected else f"{tally.rejected} of {events} were"
    return f"{share} rejected. Correct those lines and run this again: nothing counts twice."
