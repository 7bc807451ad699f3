"""What a request does at once with other things; all of it is over before the answer."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import field
from time import monotonic
from typing import Any, TypeVar

from odometer.domain.frozen import frozen

Made = TypeVar("Made")


@frozen
class Tasks:
    """The tasks of one request. They may wait for tasks that began before, for no later ones."""

    pool: Executor | None = None
    """Without one, a task is done at once."""
    _begun: list[Future[Any]] = field(default_factory=list)

    def begin(self, do: Callable[[], Made]) -> Future[Made]:
        task = self.pool.submit(do) if self.pool else done(do)
        self._begun.append(task)
        return task

    def finish(self, until: float) -> None:
        """Wait for whatever nobody waited for, and for none of its errors.

        A function is frozen after its answer, and would go on with half a call much later.
        """
        for task in self._begun:
            with suppress(Exception):
                task.result(timeout=max(0.0, until - monotonic()))


def done(do: Callable[[], Made]) -> Future[Made]:
    task = Future[Made]()
    try:
        task.set_result(do())
    except Exception as error:  # noqa: BLE001  whoever takes the result meets it
        task.set_exception(error)
    return task
