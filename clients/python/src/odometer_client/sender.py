"""The thread that sends what a store keeps."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue

import httpx

from odometer_client.answers import EventFault
from odometer_client.clock import CORRECTED_SECONDS, Clock, formatted
from odometer_client.delivery import (
    Delivered,
    Pause,
    Paused,
    Plain,
    Split,
    Verdict,
    batches,
    body_of,
    refused_aside,
    torn_aside,
    verdict_on,
)
from odometer_client.operations import as_json
from odometer_client.reading import parsed
from odometer_client.spool import GIVEN, Line, Part, Record, Segment, Torn
from odometer_client.store import Store
from odometer_client.trouble import Troubles

AHEAD, TOO_OLD = "time_ahead", "time_too_old"
SOON_SECONDS = 3_600.0
REST_SECONDS = 15.0


class Sender:
    """Sends what a store keeps, in rounds, from a thread that begins with the first event."""

    def __init__(
        self,
        store: Store,
        connect: Callable[[], httpx.Client],
        clock: Clock,
        troubles: Troubles,
        interval: float,
    ) -> None:
        self.store, self.connect, self.interval = store, connect, interval
        self.sent = self.rejected = self.torn = self.failures = 0
        self.last_failure = ""
        self._clock, self._troubles = clock, troubles
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()  # which a signal handler may use
        self._is_woken = False
        self._round_over = threading.Condition()
        self._answered = 0
        """Of so many events that were counted, each has been answered for."""
        self._not_before = 0.0
        self._closing = False
        self._http: httpx.Client | None = None
        self._compressed = True

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def wake(self) -> None:
        """Send now, and begin to send if this is the first event."""
        if self._thread is None and self._starting.acquire(blocking=False):
            try:
                self._start()
            finally:
                self._starting.release()
        self._wake_up()

    def _wake_up(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self._wakes.put(None)

    def _wait(self) -> None:
        """Wait until there is something to do, at most for the interval."""
        with suppress(Empty):
            self._wakes.get(timeout=self.interval)
        self._is_woken = False

    def _start(self) -> None:
        self._closing = False
        thread = threading.Thread(target=self._run, name="odometer-meter", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # at the end of a process there are no new threads
            self._troubles.tell("thread", f"Usage is kept and not sent: {error}.")
            return
        self._thread = thread
        atexit.register(self.close)

    def flush(self, timeout: float) -> bool:
        wanted = self.store.counted
        self.wake()
        with self._round_over:
            return self._round_over.wait_for(lambda: self._answered >= wanted, timeout)

    def close(self, timeout: float = 2.0) -> bool:
        atexit.unregister(self.close)
        if self._thread is None and not self.store.unsent:
            return True
        until = time.monotonic() + timeout
        flushed, thread = self.flush(timeout), self._thread
        self._closing = True
        self._wake_up()
        if thread:
            thread.join(max(0.1, until - time.monotonic()))
        return flushed

    def forget(self) -> None:
        """This is another process now, and the thread is in the former one."""
        atexit.unregister(self.close)
        self.store.forget()

    def _run(self) -> None:
        while not self._closing:
            self._wait()
            try:
                self._round()
            except Exception as error:  # noqa: BLE001  the next round may do better
                self._failed(Pause("unexpected", f"{type(error).__name__}: {error}"))
        self._end()

    def _end(self) -> None:
        self.store.leave()
        if self._http:
            self._http.close()
            self._http = None
        self._thread = None

    def _round(self) -> None:
        counted = self.store.counted  # before the files take turns: all of these are sent
        if failure := self.store.tidy():
            self._troubles.tell("disk", f"Usage is kept in memory only: {failure}.")
        if time.monotonic() < self._not_before:
            return
        try:
            waiting = [part for part in self.store.own() if not self._deliver(part)]
            self._tell(counted, [part for part in waiting if getattr(part, "ours", True)])
            for part in self.store.adopted():
                self._deliver(part)
        except Paused as paused:
            self._failed(paused.pause)

    def _tell(self, counted: int, waiting: list[Part]) -> None:
        """Tell those who flush that a round is over."""
        if not waiting:
            with self._round_over:
                self._answered = counted
                self._round_over.notify_all()

    def _failed(self, pause: Pause) -> None:
        self._not_before = time.monotonic() + pause.after(self.failures)
        self.failures += 1
        self.last_failure = pause.message
        self._troubles.tell(f"send {pause.kind}", f"Usage is kept and sent later: {pause.message}")

    def _deliver(self, part: Part) -> bool:
        """Send a part, as far as it goes now; false if some of it has to wait."""
        if time.monotonic() < part.rests_until:
            return False
        rest = self._deliver_all(part)
        if rest is None:
            self.store.sent(part)
            return True
        if isinstance(part, Segment) and not part.sealed:
            self.store.seal()
        part.sent, part.rests_until = min(part.rests), time.monotonic() + rest
        if not rest:
            self._wake_up()
        return False

    def _deliver_all(self, part: Part) -> float | None:
        """Send what is there by now; after how many seconds some of it is to be sent again."""
        until = part.size
        while part.sent < until:
            lines, end = part.chunk()
            if end == part.sent:
                break
            for batch in batches(lines):
                self._deliver_batch(part, batch)
            part.sent = end
        return max(part.rests.values(), default=None)

    def _deliver_batch(self, part: Part, batch: list[Line]) -> None:
        """Send events, and set aside what does not count; after that the batch is answered for."""
        refused = self._send([each for each in batch if isinstance(each, Record)])
        aside = [torn_aside(each.content) for each in batch if isinstance(each, Torn)]
        self.torn += len(aside)
        rests = {}
        for record, fault in refused:
            rest = self._rest_of(part, record, fault)
            if rest is None:
                aside.append(self._refuse(record, fault))
            else:
                rests[record.place] = rest
        self._set_aside(aside)
        part.answer(batch, rests)

    def _refuse(self, record: Record, fault: EventFault) -> bytes:
        self.rejected += 1
        words = f"Usage was refused, see rejected.ndjson: {fault.code}, {fault.message}"
        self._troubles.tell(f"refused {fault.code}", words)
        return refused_aside(record, fault.code, fault.message)

    def _set_aside(self, lines: list[bytes]) -> None:
        try:
            if lines:
                self.store.spool.set_aside(lines)
        except OSError as error:
            self._troubles.tell("aside", f"Events that were refused are not kept: {error}")

    def _send(self, batch: list[Record]) -> list[tuple[Record, EventFault]]:
        """Send events in one batch, or in parts that the API takes; those that it refused."""
        todo, refused = [batch] if batch else [], []
        while todo:
            part = todo.pop()
            verdict = self._ask(part)
            if isinstance(verdict, Delivered):
                refused += [(part[fault.index], fault) for fault in verdict.faults]
                self.sent += len(part) - len(verdict.faults)
            elif len(part) > 1:
                todo += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                refused.append((part[0], EventFault(0, None, verdict.code, verdict.message)))
        return refused

    def _ask(self, batch: list[Record]) -> Delivered | Split:
        """Send one batch; `Paused` if nothing is known of it."""
        verdict = self._ask_once(batch, compressed=self._compressed)
        if isinstance(verdict, Plain):
            verdict = self._ask_once(batch, compressed=False)
            self._compressed = not isinstance(verdict, Delivered)
        if isinstance(verdict, Plain | Pause):
            raise Paused(verdict if isinstance(verdict, Pause) else Pause("plain", "refused"))
        self._worked()
        return verdict

    def _ask_once(self, batch: list[Record], *, compressed: bool) -> Verdict:
        self._http = self._http or self.connect()
        body, headers = body_of(batch, compressed=compressed)
        try:
            response = self._http.post("/v1/events", content=body, headers=headers)
        except httpx.RequestError as error:
            return Pause("network", f"{type(error).__name__}: {error}")
        self._clock.hear(response.headers.get("date", ""))
        if self._clock.error_seconds:
            words = f"The clock of this machine is {self._clock.error_seconds:+.0f} seconds off."
            self._troubles.tell("clock", words)
        packed = "Content-Encoding" in headers
        return verdict_on(response, len(batch), compressed=packed)

    def _worked(self) -> None:
        if self.failures:
            self._troubles.over("send")
        self.failures, self.last_failure = 0, ""

    def _rest_of(self, part: Part, record: Record, fault: EventFault) -> float | None:
        """In how many seconds to send a refused event again; None for never."""
        told = self._clock.told
        if fault.code not in (AHEAD, TOO_OLD) or told is None:
            return None
        content = parsed(record.content)
        second = second_of(content["time"])
        if second is None:
            return None
        happened = None if record.place in part.again else self._clock.happened(record.stamp)
        if happened is not None and abs(second - happened) > CORRECTED_SECONDS:
            timely = as_json({**content, "time": formatted(int(happened))})
            return self._correct(part, Record(GIVEN, timely, record.place))
        comes_soon = fault.code == AHEAD and second - told.second < SOON_SECONDS
        return REST_SECONDS if comes_soon else None

    def _correct(self, part: Part, record: Record) -> float:
        """Give an event, which does not count yet, the time at which it happened."""
        try:
            part.correct(record)
        except OSError as error:
            self._troubles.tell("disk", f"The time of events cannot be corrected: {error}.")
            return REST_SECONDS
        return 0.0


def second_of(time: str) -> float | None:
    """The second of an event's time; None if this Python cannot read it."""
    try:
        return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
    except (OverflowError, ValueError):
        return None
