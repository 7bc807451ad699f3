"""How many round trips a request waits for one after the other: its hops.

    with counted_hops() as counted:
        stack.get(path, key)
    counted.hops, counted.calls, counted.rounds

Every thread has a clock. A call begins when it is sent, and whoever reads its answer goes on one
later, at once or after other things. A task begins when it was handed to a pool, or when a worker
of the pool is free; who takes its result goes on when it has ended. So calls that can go out
together count once. No time is measured: a busy machine counts the same.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from io import BufferedReader, BytesIO
from threading import Lock, local
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from odometer.storage.connections import Connection, Reply

TARGET = "x-amz-target"
READS = frozenset({"BatchGetItem", "GetItem", "Query"})


class Thread(local):
    """The clock of a thread, the pool that it belongs to, and its last call."""

    now = 0
    pool: ThreadPoolExecutor | None = None
    call_began = 0
    verb = ""


@dataclass(eq=False)
class Task:
    """Something that a pool does, and when it has ended."""

    future: Future[Any] = field(default_factory=Future)
    ended: int = 0


@dataclass
class Hops:
    """The calls of a block by the round in which they go out, and what they cost."""

    begun: list[int] = field(default_factory=list)
    rounds: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """The verbs that go out together."""
    hops: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    bytes_read: int = 0
    _thread: Thread = field(default_factory=Thread)
    _tasks: dict[ThreadPoolExecutor, list[Task]] = field(default_factory=lambda: defaultdict(list))
    _task_of: WeakKeyDictionary[Future[Any], Task] = field(default_factory=WeakKeyDictionary)
    _lock: Lock = field(default_factory=Lock)

    @property
    def calls(self) -> int:
        return len(self.begun)

    def call(self) -> None:
        """One call goes out, and the thread waits for its answer."""
        self._thread.call_began = self._thread.now
        self.begun.append(self._thread.now)
        self._thread.now += 1

    def verb(self, name: str) -> None:
        """The verb of the call that went out last."""
        self._thread.verb = name
        with self._lock:
            self.rounds[self._thread.call_began][name] += 1

    def sent(self, verb: str) -> int:
        """One call goes out, and nobody waits for its answer yet; when that was."""
        self.begun.append(self._thread.now)
        with self._lock:
            self.rounds[self._thread.now][verb] += 1
        return self._thread.now

    def waited(self, began: int, verb: str) -> None:
        """The thread has waited for the answer to a call that was sent."""
        self._thread.now, self._thread.verb = max(self._thread.now, began + 1), verb

    def answered(self, content: bytes | bytearray) -> None:
        """The units that an answer says it has cost, and its bytes."""
        consumed = json.loads(content or "{}").get("ConsumedCapacity", [])
        each = consumed if isinstance(consumed, list) else [consumed]
        units = sum(one["CapacityUnits"] for one in each)
        with self._lock:
            self.bytes_read += len(content)
            self.read_units += units if self._thread.verb in READS else 0
            self.write_units += 0 if self._thread.verb in READS else units

    def submitted(
        self, pool: ThreadPoolExecutor, submit: Callable[..., Future[Any]], do: Callable[[], Any]
    ) -> Future[Any]:
        """Hand a task to a pool; it begins now, or when a worker has done what came before."""
        begins, task = self._thread.now, Task()
        tasks, workers = self._tasks[pool], pool._max_workers  # noqa: SLF001  no other way
        is_nested = self._thread.pool is pool
        before = tasks[-workers] if len(tasks) >= workers and not is_nested else None

        def run() -> Any:
            if before:
                wait_for(before.future)
            self._thread.now = max(begins, before.ended if before else 0)
            self._thread.pool = pool
            try:
                return do()
            finally:
                task.ended = self._thread.now

        task.future = submit(pool, run)
        self._task_of[task.future] = task
        tasks.append(task)
        return task.future

    def taken(self, future: Future[Any]) -> None:
        """A thread has waited for a result, and goes on when it was there."""
        task = self._task_of.get(future)
        self._thread.now = max(self._thread.now, task.ended if task else 0)

    def finish(self) -> None:
        """Keep the clock of whoever has asked, then wait for tasks that nobody waited for."""
        self.hops = self._thread.now
        for tasks in [*self._tasks.values()]:
            for task in tasks:
                wait_for(task.future)


@contextmanager
def posts_counted_by(counted: Hops) -> Iterator[None]:
    """Count the calls of our own client; those of botocore go through `http.client`."""
    send, reply = Connection.send, Connection.reply
    under_way: dict[Connection, tuple[int, str]] = {}

    def counted_send(connection: Connection, headers: Mapping[str, str], body: bytes) -> None:
        verb = headers[TARGET].rpartition(".")[2]
        under_way[connection] = counted.sent(verb), verb  # one at a time on each connection
        send(connection, headers, body)

    def counted_reply(connection: Connection) -> Reply:
        counted.waited(*under_way.pop(connection))
        answer = reply(connection)
        counted.answered(answer.content)
        return answer

    with (
        patch.object(Connection, "send", counted_send),
        patch.object(Connection, "reply", counted_reply),
    ):
        yield


def wait_for(future: Future[Any]) -> None:
    """Wait until a task has ended, or was cancelled."""
    with suppress(CancelledError):
        future.exception()


@contextmanager
def counted_hops() -> Iterator[Hops]:
    """The hops and calls of this block; `hops` and all calls are known when it has ended."""
    counted = Hops()
    submit, result = ThreadPoolExecutor.submit, Future.result
    request, header = HTTPConnection.putrequest, HTTPConnection.putheader
    begin = HTTPResponse.begin

    def counted_submit(
        pool: ThreadPoolExecutor, do: Callable[..., Any], /, *words: Any, **named: Any
    ) -> Future[Any]:
        return counted.submitted(pool, submit, lambda: do(*words, **named))

    def counted_result(future: Future[Any], timeout: float | None = None) -> Any:
        try:
            return result(future, timeout)
        finally:
            counted.taken(future)

    def counted_request(connection: HTTPConnection, *words: Any, **named: Any) -> None:
        counted.call()
        request(connection, *words, **named)

    def counted_header(connection: HTTPConnection, name: Any, *values: Any) -> None:
        if str(name).lower() == TARGET:
            word = values[0].decode() if isinstance(values[0], bytes) else str(values[0])
            counted.verb(word.rpartition(".")[2])
        header(connection, name, *values)

    def counted_answer(response: HTTPResponse) -> None:
        begin(response)
        if response.length is not None:
            with response.fp as sent:
                content = sent.read(response.length)
            response.fp = BufferedReader(BytesIO(content))
            counted.answered(content)

    with (
        patch.object(ThreadPoolExecutor, "submit", counted_submit),
        patch.object(Future, "result", counted_result),
        patch.object(HTTPConnection, "putrequest", counted_request),
        patch.object(HTTPConnection, "putheader", counted_header),
        patch.object(HTTPResponse, "begin", counted_answer),
        posts_counted_by(counted),
    ):
        try:
            yield counted
        finally:
            counted.finish()
