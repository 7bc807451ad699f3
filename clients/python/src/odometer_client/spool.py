"""Events in files until they have been answered for.

A folder holds segments: files to which one process appends, one line for each event.

    <crc32 in hex> <stamp> <event in JSON>

`stamp` is what `clock.py` keeps with an event, or `-` if its time was given. The process that holds
the lock of a segment writes and sends it. The lock ends with the process, whatever ends it, and any
other process that uses the folder adopts what it has left. An event that is sent again has the same
id and the same time, so a segment that was sent in part is simply sent again.

`<segment>.again` holds the events of a segment that were refused for the time that a wrong clock
gave them, with the time that they are sent with from then on. Its stamps are their places in the
segment, since several events may have the same id.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4
from zlib import crc32

try:
    import fcntl
except ImportError:  # Windows: events are kept in memory
    fcntl = None  # type: ignore[assignment]

SEGMENT_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
MOST_ASIDE_BYTES = 8 * 1024 * 1024
GIVEN = "-"
TRIES = 3


class Record(NamedTuple):
    """An event as it is kept."""

    stamp: str
    content: bytes
    """The event in JSON."""
    place: int
    """Where its line begins."""


class Torn(NamedTuple):
    """A line that is not as it was written."""

    content: bytes
    place: int


Line = Record | Torn


def line_of(stamp: str, event: str) -> bytes:
    kept = f"{stamp} {event}".encode()
    return b"%08x %b\n" % (crc32(kept), kept)


def record_of(line: bytes, place: int) -> Line:
    said, _, kept = line.partition(b" ")
    if said != b"%08x" % crc32(kept):
        return Torn(line, place)
    stamp, _, event = kept.partition(b" ")
    return Record(stamp.decode(), event, place)


def lines_in(content: bytes, place: int) -> Iterator[Line]:
    """The lines from a place on, without empty ones, which follow a write that had failed."""
    for number, line in enumerate(content.split(b"\n")):
        if not number % 20:
            time.sleep(0)  # let the application go on: it should not wait for this
        if line:
            yield record_of(line, place)
        place += len(line) + 1


@dataclass
class Part:
    """Some of the events that wait, in the order in which they came."""

    sent: int = 0
    """Everything before this has been answered for, but for what rests."""
    answered: int = 0
    """The same, also in the middle of a chunk."""
    rests: dict[int, float] = field(default_factory=dict)
    """Places of events that are to be sent again, and after how many seconds."""
    rests_until: float = 0.0
    """By `time.monotonic`; some of its events are too early."""
    again: dict[int, Record] = field(default_factory=dict)
    """Events that got another time, by their places."""

    @property
    def size(self) -> int:
        """Where it ends by now."""
        raise NotImplementedError

    def chunk(self) -> tuple[list[Line], int]:
        """The next lines to send, and where they end."""
        raise NotImplementedError

    def correct(self, record: Record) -> None:
        """Send this from now on in place of the event at its place."""
        self.again[record.place] = record

    @property
    def is_done(self) -> bool:
        return self.sent >= self.size

    def answer(self, batch: list[Line], rests: dict[int, float]) -> None:
        """Send nothing of a batch again, but for what rests."""
        for line in batch:
            self.rests.pop(line.place, None)
        self.rests.update(rests)
        self.answered = max(self.answered, batch[-1].place + 1)

    def unanswered(self, content: bytes, place: int) -> list[Line]:
        """Lines that begin at a place, as they are to be sent."""
        return [
            self.again.get(line.place, line)
            for line in lines_in(content, place)
            if line.place >= self.answered or line.place in self.rests
        ]


@dataclass
class Memory(Part):
    """Events that no file could be written with."""

    content: bytes = b""

    @property
    def size(self) -> int:
        return len(self.content)

    def chunk(self) -> tuple[list[Line], int]:
        return self.unanswered(self.content, 0), self.size


@dataclass(kw_only=True)
class Segment(Part):
    """A file of events that this process holds."""

    path: Path
    descriptor: int
    ours: bool = True
    """Whether this process has written it."""
    sealed: bool = False
    """Whether nothing is appended any more."""
    torn: bool = False
    synced: int = 0

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def append(self, line: bytes) -> None:
        """Write a line; OSError if the disk does not take it.

        A signal handler may append in the middle of this, so nothing is added up here.
        """
        wanted, written = b"\n" + line if self.torn else line, 0
        try:
            written = os.write(self.descriptor, wanted)
        finally:
            self.torn = failed = written != len(wanted)
        if failed:
            os.ftruncate(self.descriptor, self.size - written)
            raise OSError("the disk is full")

    def chunk(self) -> tuple[list[Line], int]:
        content = os.pread(self.descriptor, CHUNK_BYTES, self.sent)
        end = content.rfind(b"\n") + 1
        is_last = len(content) < CHUNK_BYTES
        if self.sealed if is_last else not end:
            end = len(content)  # what has no end was torn
        return self.unanswered(content[:end], self.sent), self.sent + end

    def sync(self) -> None:
        """Have the disk itself hold what was written."""
        size = self.size
        if self.synced != size:
            os.fsync(self.descriptor)
            self.synced = size

    def correct(self, record: Record) -> None:
        """The same, whatever happens: a file remembers it before it is sent."""
        with open(self._corrections, "ab") as file:  # noqa: PTH123  a Path has no sync
            file.write(b"\n" + line_of(str(record.place), record.content.decode()))
            file.flush()
            os.fsync(file.fileno())
        if not self.again:
            sync_folder(self.path.parent)
        super().correct(record)

    def read_corrections(self) -> None:
        try:
            found = lines_in(self._corrections.read_bytes(), 0)
        except FileNotFoundError:
            return
        for each in found:
            if isinstance(each, Record) and each.stamp.isdecimal():
                place = int(each.stamp)
                self.again[place] = Record(GIVEN, each.content, place)

    @property
    def _corrections(self) -> Path:
        return self.path.with_suffix(".again")

    def empty(self) -> None:
        """Forget what was sent, and go on in the same file."""
        os.ftruncate(self.descriptor, 0)
        self.sent = self.answered = self.synced = 0
        if self.again:
            self.again = {}
            self._corrections.unlink(missing_ok=True)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._corrections.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the file to whoever wants it."""
        os.close(self.descriptor)


@dataclass(frozen=True)
class Spool:
    """A folder of segments."""

    folder: Path

    def new_segment(self) -> Segment:
        """A segment of this process; OSError where none can be made."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(TRIES):
            name = f"{time.time_ns():016x}-{uuid4().hex[:8]}.events"
            found = held(self.folder / name, os.O_CREAT | os.O_EXCL)
            if found:  # otherwise another process took it for one that was left
                sync_folder(self.folder)
                return found
        raise OSError("other processes take the files of this one")

    def left(self) -> Iterator[Segment]:
        """Segments that no process holds, oldest first; this process holds them from now on."""
        for path in sorted(self.folder.glob("*.events")):
            with suppress(OSError):
                found = held(path)
                if found:
                    found.ours, found.sealed = False, True
                    found.read_corrections()
                    yield found

    def size(self) -> int:
        """How many bytes wait in the folder."""
        with os.scandir(self.folder) as entries:
            return sum(size_of(each) for each in entries if each.name.endswith(".events"))

    def set_aside(self, lines: list[bytes]) -> None:
        """Keep what the API has refused in `rejected.ndjson`, so that somebody can look at it."""
        path = self.folder / "rejected.ndjson"
        if path.exists() and path.stat().st_size > MOST_ASIDE_BYTES:
            path.replace(path.with_name("rejected.former.ndjson"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            os.write(descriptor, b"".join(line + b"\n" for line in lines))
        finally:
            os.close(descriptor)


def held(path: Path, flags: int = 0) -> Segment | None:
    """A segment with its lock; None if another process has it, or it is gone."""
    if fcntl is None:
        raise OSError("this system has no locks of files")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return Segment(path=path, descriptor=descriptor)
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def sync_folder(folder: Path) -> None:
    """Have the disk itself hold the name of a new file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
