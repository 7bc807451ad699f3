"""`Meter`: counts usage without waiting, and sees to it that each event counts once.

meter = Meter("billing/eu-1", spool="/var/lib/billing/odometer")    # ODOMETER_URL, ODOMETER_KEY
meter.count("chat", user="ada@example.com", interactions=1)
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from itertools import count
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from odometer_client.clock import Clock, formatted
from odometer_client.sender import Sender
from odometer_client.settings import USER_AGENT, address, bearer
from odometer_client.spool import GIVEN, Spool, line_of
from odometer_client.store import Store
from odometer_client.trouble import Troubles

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_BYTES = 256 * 1024 * 1024
LONGEST_EVENT = 64 * 1024
TIMEOUT_SECONDS = 15.0
MANY = 500
"""So many events are sent before the interval ends."""
Value = int | Decimal | str | None


@dataclass(frozen=True)
class Stats:
    """What became of events, as this process knows it."""

    counted: int
    """Events that were kept, to be sent."""
    dropped: int
    """Events that could not be kept; the log says why."""
    sent: int
    """Events that were accepted: those that were sent twice, twice."""
    rejected: int
    """Events that were refused; `rejected.ndjson` in the spool has them."""
    torn: int
    """Lines of the spool that were not as they had been written."""
    waiting_bytes: int
    """What waits in the spool, of all processes that share it."""
    failures: int
    """How many requests in a row have come to nothing."""
    last_failure: str


class Meter:
    """Counts usage; it never raises, and waits for nothing but a write to a file."""

    def __init__(
        self,
        source: str,
        *,
        spool: str | os.PathLike[str],
        url: str | None = None,
        key: str | None = None,
        interval: float = 1.0,
        max_bytes: int = MOST_BYTES,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        where, auth = address(url), bearer(key)

        def connect() -> httpx.Client:
            return httpx.Client(
                base_url=where,
                auth=auth,
                timeout=TIMEOUT_SECONDS,
                headers={"User-Agent": USER_AGENT},
                transport=transport,
            )

        self.source = source
        self._clock = clock or Clock()
        self._begin(connect, Store(Spool(Path(spool)), max_bytes), interval)
        METERS.add(self)

    def _begin(self, connect: Callable[[], httpx.Client], store: Store, interval: float) -> None:
        """Begin with an empty store: in a new process, of which a fork is one."""
        self._troubles = Troubles()
        self._store = store
        self._sender = Sender(store, connect, self._clock, self._troubles, interval)
        self._name, self._numbers = uuid4().hex, count()

    def count(
        self,
        product: str,
        *,
        user: str,
        time: datetime | None = None,
        id: str | None = None,  # noqa: A002  this is what an event calls it
        **data: Value,
    ) -> None:
        """Count a use of a product: measures, breakdowns and the platform are named as they are.

        `time` is now and `id` is a new one if they are not given. Give an `id` where the same use
        may be counted again, by a job that is repeated: of the same `time`, it counts once.
        """
        try:
            self._keep(self._line(product, user, time, id, data))
        except Exception as error:  # noqa: BLE001  an application does not fail for its usage
            self._store.drop()
            self._troubles.tell("event", f"An event of {product!r} is dropped: {error!r}")

    def _keep(self, line: bytes) -> None:
        if not self._store.keep(line):
            words = "The spool is full: new events are dropped until there is room again."
            self._troubles.tell("full", words)
        if not self._sender.is_running or self._store.unsent >= MANY:
            self._sender.wake()

    def _line(
        self,
        product: str,
        user: str,
        time: datetime | None,
        name: str | None,
        data: dict[str, Value],
    ) -> bytes:
        stamp = GIVEN if time else self._clock.stamp()
        second = instant_of(time) if time else formatted(int(self._clock.now()))
        values = "".join([f",{quoted(key)}:{written(value)}" for key, value in data.items()])
        line = line_of(
            stamp,
            f'{{"specversion":"1.0","id":{quoted(name or f"{self._name}-{next(self._numbers)}")},'
            f'"source":{quoted(self.source)},"type":"usage","subject":{quoted(user)},'
            f'"time":"{second}","data":{{"product":{quoted(product)}{values}}}}}',
        )
        if len(line) > LONGEST_EVENT:
            raise ValueError("it is too long")
        return line

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything that was counted has been answered for; false if time was short.

        Call it where the process may be stopped without notice, as at the end of a Lambda.
        """
        return self._sender.flush(timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, and end the thread. What was not sent is sent by the next process."""
        return self._sender.close(timeout)

    def stats(self) -> Stats:
        store, sender = self._store, self._sender
        return Stats(
            counted=store.counted,
            dropped=store.dropped,
            sent=sender.sent,
            rejected=sender.rejected,
            torn=sender.torn,
            waiting_bytes=store.waiting_bytes(),
            failures=sender.failures,
            last_failure=sender.last_failure,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Meter({self.source!r}, spool={str(self._store.spool.folder)!r})"

    def _after_fork(self) -> None:
        """The parent goes on with its file and its thread, and this process begins anew."""
        former, sender = self._store, self._sender
        sender.forget()
        self._begin(sender.connect, Store(former.spool, former.max_bytes), sender.interval)


METERS: weakref.WeakSet[Meter] = weakref.WeakSet()


def after_fork() -> None:
    for meter in list(METERS):
        meter._after_fork()  # noqa: SLF001  meters are told here, and nowhere else


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)


def written(value: Value) -> str:
    """A value in JSON; a decimal keeps its digits, and a float has those that Python shows."""
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"{value!r} is no number and no text")
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise ValueError(f"{value!r} is no number")
    return format(exact, "f")


def instant_of(time: datetime) -> str:
    """A given time in UTC; without a zone it would be a guess."""
    if time.tzinfo is None:
        raise ValueError("its time has no time zone")
    return f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"
