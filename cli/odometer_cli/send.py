"""`odometer send` sends one event that is typed, or all that come out of a pipe as they come."""

import csv
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Annotated, Any, BinaryIO, Final
from uuid import uuid4

import typer

from odometer.api.v1.events import MOST_EVENTS
from odometer_cli.client import Client
from odometer_cli.deployment import Deployment
from odometer_cli.event_files import (
    CSV_COLUMNS,
    FIXED,
    NUMBER_OR_QUOTED,
    Format,
    Line,
    Unreadable,
    fault_of,
    lines_in,
)
from odometer_cli.event_sending import ROOM, Part, Tally, post, show
from odometer_cli.failure import INTERRUPTED, Failure, Misused
from odometer_cli.output import (
    ProgressBar,
    count_of,
    err,
    is_interactive,
    progress_bar,
    show_failure,
    show_json,
)

SOURCE: Final = "odometer send"
GLANCE_SECONDS: Final = 0.2
"""So often it looks whether somebody has pressed Ctrl-C."""
MEASURES: Final = "Measures as NAME=VALUE, like tests=3; nothing or - to read standard input."
EPILOG = (
    "A stream is NDJSON, an event a line, or CSV. What has been read is sent when there are "
    f"{MOST_EVENTS} events, or --wait seconds after the first of them. Ctrl-C ends the reading, "
    "and what was read is sent; a second one ends it all and says what was not acknowledged. "
    f"{CSV_COLUMNS}"
)


def send(
    ctx: typer.Context,
    measures: Annotated[list[str] | None, typer.Argument(help=MEASURES)] = None,
    *,
    product: Annotated[str | None, typer.Option(help="What was used, by its id.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", "--subject", help="Who used it, by username or id.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="When; now if left out.")] = None,
    source: Annotated[str, typer.Option(help="What says so.")] = SOURCE,
    id: Annotated[  # noqa: A002
        str | None, typer.Option(help="Its id: what has been sent under it counts once.")
    ] = None,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option(help="Of a stream; by its first letter if left out.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds until fewer events are sent, too.")
    ] = 1.0,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Requests at a time.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="The counts, in JSON.")] = False,
) -> None:
    """Send one event that is typed, or all that come from standard input, each of them once."""
    deployment: Deployment = ctx.obj
    given = [each for each in measures or () if each != "-"]
    if product or given:
        event = event_typed(product, user, given, time, source, id)
        send_one(deployment.client, event, as_json=as_json)
    elif is_interactive() and not measures:
        raise Misused("There is no event.", "Give --product and --user, or pipe events into it.")
    else:
        stream = Stream(deployment.client, connections, wait)
        stream.send_all(standard_input(), format)
        stream.show(as_json=as_json)
        raise typer.Exit(stream.exit_code)


# one event


def event_typed(
    product: str | None,
    user: str | None,
    measures: list[str],
    time: str | None,
    source: str,
    id_: str | None,
) -> Line:
    if not (product and user):
        raise Misused("An event says who used what.", "Give both --product and --user.")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    attributes = {**FIXED, "id": id_ or str(uuid4()), "source": source, "subject": user}
    text = json.dumps({**attributes, "time": time or now})
    data = ", ".join([f'"product": {json.dumps(product)}', *map(member, measures)])
    content = f'{text[:-1]}, "data": {{{data}}}}}'.encode()
    if fault := fault_of(content):
        raise Misused(f"The event {fault}", "Give less of it.")
    return Line(1, content)


def member(measure: str) -> str:
    """A measure as JSON: a number, in its own digits, or a text."""
    name, equals, value = measure.partition("=")
    if not (name and equals):
        raise Misused(f"{measure}: expected NAME=VALUE.", "Like tests=3 or platform=web.")
    text = value if NUMBER_OR_QUOTED.fullmatch(value) else json.dumps(value)
    return f"{json.dumps(name)}: {text}"


def send_one(client: Client, line: Line, *, as_json: bool) -> None:
    tally, part = Tally(), Part(0, [line])
    tally.add(part, post(client, part))
    id_ = json.loads(line.content)["id"]
    if as_json:
        show_json({"id": id_, "accepted": tally.accepted, "errors": tally.errors})
    elif tally.rejected:
        err.print(tally.errors[0].partition(": ")[2], style="red")
    else:
        err.print(f"Accepted as {id_}: sent again with --id, it counts once.")
    raise typer.Exit(1 if tally.rejected else 0)


# a stream


def standard_input() -> BinaryIO:
    """Standard input, apart from what the interpreter closes at its end while somebody reads."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except (OSError, ValueError):
        return sys.stdin.buffer


class Reader(Thread):
    """Reads ahead, so that whoever sends can tell that nothing comes."""

    def __init__(self, content: BinaryIO, form: Format | None) -> None:
        super().__init__(daemon=True)
        self._content, self._form = content, form
        self.found: Queue[Line | Unreadable | Failure | None] = Queue(2 * MOST_EVENTS)
        self.is_stopped = False

    def run(self) -> None:
        end: Failure | None = None
        try:
            for line in lines_in(self._content, self._form or form_of(self._content)):
                self.found.put(line)
                if self.is_stopped:
                    break
        except Failure as failure:
            end = failure
        except (OSError, ValueError, csv.Error) as error:
            end = Misused(f"standard input cannot be read: {error}", "Give NDJSON or CSV in UTF-8.")
        self.found.put(end)


def form_of(content: BinaryIO) -> Format:
    """Lines of JSON begin with a brace; in a table, the names of columns come first."""
    first = content.peek(1) if isinstance(content, BufferedReader) else b"{"
    return Format.NDJSON if first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"") else Format.CSV


class Stream:
    """Events that are sent as they come, and what became of them."""

    def __init__(self, client: Client, connections: int, wait_seconds: float) -> None:
        self._client, self._wait_seconds = client, wait_seconds
        self._pool = ThreadPoolExecutor(connections)
        self._most_sending = 2 * connections
        self._sending: dict[Future[dict[str, Any]], Part] = {}
        self._batch: list[Line] = []
        self._size, self._begun = 0, 0.0
        self._progress: ProgressBar | None = None
        self.tally = Tally()
        self.unsent: list[Line] = []
        self.failure: Failure | None = None
        self.interrupts = 0

    def send_all(self, content: BinaryIO, form: Format | None) -> None:
        """Send until there is no more; what was read and not acknowledged is known in the end."""
        reader = Reader(content, form)
        with progress_bar("Sending events", None) as self._progress, interruptible(self):
            reader.start()
            try:
                self._send_what_comes(reader)
                self._flush()
                self._collect(0)
            except KeyboardInterrupt:
                self._client.is_hurried = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        sending = [line for part in self._sending.values() for line in part.lines]
        self.unsent += [*sending, *self._batch]

    def _send_what_comes(self, reader: Reader) -> None:
        while not self.failure:
            try:
                found = reader.found.get(timeout=GLANCE_SECONDS)
            except Empty:
                if self.interrupts:
                    return
                self._flush_if_due()
                self._collect(self._most_sending)
                continue
            reader.is_stopped = bool(self.interrupts)
            if isinstance(found, Line):
                self._take(found)
            elif isinstance(found, Unreadable):
                self.tally.reject(str(found))
            else:
                self.failure = found
                return

    def _take(self, line: Line) -> None:
        if self._size + len(line.content) + 1 > ROOM:
            self._flush()
        if not self._batch:
            self._begun = monotonic()
        self._batch.append(line)
        self._size += len(line.content) + 1
        self._flush_if_due()

    def _flush_if_due(self) -> None:
        is_due = monotonic() - self._begun >= self._wait_seconds
        if self._batch and (is_due or len(self._batch) == MOST_EVENTS):
            self._flush()

    def _flush(self) -> None:
        """Send what has been read, once there is a connection for it."""
        self._collect(self._most_sending - 1)
        if self._batch and not self.failure:
            part = Part(0, self._batch)
            self._sending[self._pool.submit(post, self._client, part)] = part
            self._batch, self._size = [], 0

    def _collect(self, most_left: int) -> None:
        """Wait until no more than so many parts are on their way, and note what became of them."""
        while self._sending:
            enough = len(self._sending) <= most_left
            finished, _ = wait(self._sending, 0 if enough else None, FIRST_COMPLETED)
            for future in finished:
                self._note(future)
            if enough:
                return

    def _note(self, future: Future[dict[str, Any]]) -> None:
        part = self._sending.pop(future)
        try:
            self.tally.add(part, future.result())
        except Failure as failure:
            self.failure = failure
            self.unsent += part.lines
        if self._progress:
            self._progress.advance(len(part.lines))

    # the end

    @property
    def exit_code(self) -> int:
        if self.failure:
            return self.failure.exit_code
        if self.interrupts:
            return INTERRUPTED
        return 1 if self.tally.rejected else 0

    def show(self, *, as_json: bool) -> None:
        """Say what became of everything that was read."""
        counts = {name: count for name, count in self.tally.counts.items() if name != "skipped"}
        counts["unsent"] = len(self.unsent)
        if as_json or any(counts.values()) or not self.failure:
            show(self.tally, counts, as_json=as_json)
        if self.unsent:
            places = [line.place for line in self.unsent]
            err.print(
                f"Not acknowledged: {count_of(len(places), 'event')} of lines {min(places)} to "
                f"{max(places)}. Send them again: what has arrived counts once.",
                style="red",
            )
        if self.failure:
            show_failure(self.failure)


@contextmanager
def interruptible(stream: Stream) -> Iterator[None]:
    """Count what Ctrl-C wants: the first ends the reading, the second everything."""

    def interrupt(*_: object) -> None:
        stream.interrupts += 1
        if stream.interrupts > 1:
            raise KeyboardInterrupt
        err.print("Sending what was read. Ctrl-C again ends that, too.")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
