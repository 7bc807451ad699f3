"""What a request does at once with other things; all of it is over before the answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar

from odometer.domain.frozen import frozen
from odometer.engine.store import Item, KeyRange
from odometer.storage.aws import Call, answered, drop
from odometer.storage.dynamo import Table

Made = TypeVar("Made")


@frozen
class Tasks:
    """The tasks of one request. They may wait for tasks that began before, for no later ones."""

    pool: Executor | None = None
    """Without one, a task is done at once."""
    _begun: list[Future[Any]] = field(default_factory=list)
    _sent: list["Reading[Any]"] = field(default_factory=list)

    def begin(self, do: Callable[[], Made]) -> Future[Made]:
        task = self.pool.submit(do) if self.pool else done(do)
        self._begun.append(task)
        return task

    def read(self, table: Table, key_ranges: Sequence[KeyRange]) -> Callable[[], list[list[Item]]]:
        """Ask for key ranges at once; what gives their items when they are needed."""
        call = table.begin_read(key_ranges)
        if call is None:
            return self.begin(partial(table.read, key_ranges)).result
        self._sent.append(Reading(call))
        return self._sent[-1].result

    def finish(self, until: float) -> None:
        """Wait for whatever nobody waited for, and for none of its errors; drop what was only sent.

        A function is frozen after its answer, and would go on with half a call much later.
        """
        for task in self._begun:
            with suppress(Exception):
                task.result(timeout=max(0.0, until - monotonic()))
        for reading in self._sent:
            drop(reading.call)


@dataclass(slots=True, eq=False)
class Reading(Generic[Made]):
    """A call that was sent, and is answered for whoever needs it first."""

    call: Call[Made]
    _lock: Lock = field(default_factory=Lock)
    _read: Future[Made] | None = None

    def result(self) -> Made:
        with self._lock:
            if self._read is None:
                self._read = done(partial(answered, self.call))
        return self._read.result()


def done(do: Callable[[], Made]) -> Future[Made]:
    task = Future[Made]()
    try:
        task.set_result(do())
    except Exception as error:  # noqa: BLE001  whoever takes the result meets it
        task.set_exception(error)
    return task
