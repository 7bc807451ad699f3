"""Several workers on one store, of which one runs at a time, in an order that a seed decides."""

import threading
from collections.abc import Callable, Sequence
from random import Random

from tests.support.memory_store import Killed, MemoryStore

CHANGES = 0.15
"""How often another worker goes on when the store is used."""


class Interleaving:
    """Several workers of which one runs at a time; another may go on at any use of a store.

    The same worker mostly goes on, so that one may sleep while others do a lot.
    """

    def __init__(self, random: Random, stores: Sequence[MemoryStore]) -> None:
        self._random = random
        self._stores = stores
        self._turns: dict[int, threading.Semaphore] = {}
        self._writes: dict[int, int] = {}
        self._back = threading.Semaphore(0)
        self._failures: list[BaseException] = []

    def run(self, *workers: tuple[Callable[[], object], int]) -> None:
        """Let workers run, in the order that the choices make, to their end or their death.

        A worker comes with the number of writes before which it dies.
        """
        for store in self._stores:
            store.before_each = self._pause
        threads = [threading.Thread(target=self._work, args=worker) for worker in workers]
        for thread in threads:
            thread.start()
            self._back.acquire()
        while self._turns:
            waiting = [thread.ident or 0 for thread in threads if thread.ident in self._turns]
            self._turns[self._random.choice(waiting)].release()
            self._back.acquire()
        for thread in threads:
            thread.join()
        for store in self._stores:
            store.before_each = lambda _: None
        if self._failures:
            raise self._failures[0]

    def _work(self, worker: Callable[[], object], writes: int) -> None:
        me = threading.get_ident()
        self._turns[me], self._writes[me] = threading.Semaphore(0), writes
        try:
            self._pause("start")
            worker()
        except Killed:
            pass
        except BaseException as failure:  # noqa: BLE001 - it is raised again by `run`
            self._failures.append(failure)
        finally:
            del self._turns[me]
            self._back.release()

    def _pause(self, verb: str) -> None:
        me = threading.get_ident()
        if verb == "start" or self._random.random() < CHANGES:
            self._back.release()
            self._turns[me].acquire()
        self._writes[me] -= verb == "put"
        if self._writes[me] < 0:
            raise Killed
