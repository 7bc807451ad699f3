"""The events of one process until they have been answered for: written here, read by the sender.

Two files take turns: whoever counts writes to one while the other is synced, sent and emptied, so
that no event waits for the disk to do any of that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from odometer_client.spool import SEGMENT_BYTES, Memory, Part, Segment, Spool

MOST_MEMORY_BYTES = 1024 * 1024


class Store:
    """A segment to append to, an empty one, those to be sent, and memory where no disk is."""

    def __init__(self, spool: Spool, max_bytes: int) -> None:
        self.spool, self.max_bytes = spool, max_bytes
        self.counted = self.dropped = self.unsent = 0
        self.disk_failure = ""
        self._room = max_bytes
        self._lock = threading.RLock()  # a signal handler may count, too
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._sealed: list[Segment] = []
        self._remembered: list[bytes] = []
        self._memories: list[Memory] = []
        self._memory_bytes = 0

    def keep(self, line: bytes) -> bool:
        """Keep an event; false if there is no room."""
        with self._lock:
            kept = self._room >= len(line) and (self._write(line) or self._remember(line))
            self._room -= len(line) if kept else 0
            self.counted += kept
            self.unsent += kept
            self.dropped += not kept
            return kept

    def _write(self, line: bytes) -> bool:
        if self.disk_failure:
            return False
        try:
            self._own_segment().append(line)
        except OSError as error:
            self.disk_failure = str(error)
            return False
        return True

    def _own_segment(self) -> Segment:
        if self._segment is None:
            made = self.spool.new_segment()
            if self._segment is not None:  # a signal handler was faster
                made.remove()
            else:
                self._segment = made
        return self._segment

    def _remember(self, line: bytes) -> bool:
        if self._memory_bytes + len(line) > MOST_MEMORY_BYTES:
            return False
        self._memory_bytes += len(line)
        self._remembered.append(line)
        return True

    def tidy(self) -> str:
        """Have the disk hold what was written and look how much room there is; what has failed."""
        failure, self.disk_failure = self.disk_failure, ""
        try:
            self._make_spare()
            written = self._segment if self._take_turns() else None
            for segment in self._segments():
                if segment is not written:
                    segment.sync()
        except OSError as error:
            failure = str(error)
        room = self.max_bytes - self.waiting_bytes()
        with self._lock:
            self._room = room
        return failure

    def _take_turns(self) -> bool:
        """Append to the empty segment, so that the other one lies still; false if there is none."""
        takes = bool(self._spare and self._segment and self._segment.size)
        if takes:
            self.seal()
        return takes

    def _make_spare(self) -> None:
        if self._segment and not self._spare and not self._sealed:
            self._spare = self.spool.new_segment()

    def drop(self) -> None:
        with self._lock:
            self.dropped += 1

    def waiting_bytes(self) -> int:
        """What waits, of all processes that share the spool."""
        try:
            return self.spool.size() + self._memory_bytes
        except OSError:
            return self._memory_bytes

    def own(self) -> Iterator[Part]:
        """What this process has counted and what it has adopted."""
        self.unsent = 0
        yield from self._take_memories()
        yield from list(self._sealed)
        if self._segment and not self._spare:
            yield self._segment

    def _take_memories(self) -> list[Memory]:
        """What is remembered by now, after what waits from former rounds."""
        with self._lock:
            if self._remembered:
                content, self._remembered = b"".join(self._remembered), []
                self._memories.append(Memory(content=content))
            return list(self._memories)

    def adopted(self) -> Iterator[Part]:
        """What other processes have left; this one keeps it from now on."""
        for segment in self.spool.left():
            self._sealed.append(segment)
            yield segment

    def sent(self, part: Part) -> None:
        """All of a part has been answered for, up to what came in the meantime."""
        if isinstance(part, Memory):
            self._memories.remove(part)
            with self._lock:
                self._memory_bytes -= part.size
        elif isinstance(part, Segment) and part.sealed:
            self._sealed.remove(part)
            self._put_by(part)
        elif isinstance(part, Segment):
            with self._lock:
                if part.is_done:
                    part.empty()
            if part.size > SEGMENT_BYTES:
                self.seal()

    def _put_by(self, part: Segment) -> None:
        """Keep a segment of ours that was sent for the next turn, if there is none."""
        if part.ours and self._spare is None:
            part.empty()
            part.sealed = part.torn = False
            self._spare = part
        else:
            part.remove()

    def seal(self) -> None:
        """Append to another segment from now on."""
        with self._lock:
            if self._segment:
                self._segment.sealed = True
                self._sealed.append(self._segment)
                self._segment, self._spare = self._spare, None

    def leave(self) -> None:
        """Let go of all files; whoever uses the spool next sends what is in them."""
        with self._lock:
            segments = self._segments()
            self._segment, self._spare, self._sealed = None, None, []
        for segment in segments:
            if segment.is_done and not segment.sealed:
                segment.remove()
            else:
                segment.close()

    def forget(self) -> None:
        """In a fork: the files are those of the parent, as is the lock that somebody may hold."""
        for segment in self._segments():
            segment.close()

    def _segments(self) -> list[Segment]:
        return [*self._sealed, *filter(None, [self._segment, self._spare])]
