"""When events happened, also where the clock of the machine is wrong or jumps.

Each event keeps the time that its clock showed and how long the machine had been running. Once an
answer says what time it is, the second tells when an event really happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

WRONG_SECONDS = 300.0
"""The API takes events that are so much ahead."""
CORRECTED_SECONDS = 600.0
"""An event that was refused for its time, and whose clock was wrong by more, gets another time."""
LAST_SECOND = 32_503_680_000


def clock_of_uptime() -> Callable[[], float]:
    """What tells for how many seconds the machine has been running, asleep or not."""
    if not hasattr(time, "clock_gettime"):  # Windows
        return time.monotonic
    return partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


uptime = clock_of_uptime()
"""Chosen once, because every event asks it."""


def boot() -> str:
    """The name of this run of the machine; outside of Linux, of this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return uuid4().hex[:8]


class Moment(NamedTuple):
    """What time it was, in seconds since 1970, when the machine had been running for so long."""

    second: float
    uptime: float


@lru_cache(maxsize=4)
def formatted(second: int) -> str:
    """A second as events write it; years that cannot be written become ones that can."""
    bounded = min(max(second, 0), LAST_SECOND)
    return f"{datetime.fromtimestamp(bounded, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Clock:
    """The clock of this machine, and the last time that a server told."""

    wall: Callable[[], float] = time.time
    uptime: Callable[[], float] = uptime
    boot: str = ""
    told: Moment | None = None
    error_seconds: float = 0.0
    """By how much this machine is ahead, as far as it matters."""

    def __post_init__(self) -> None:
        self.boot = self.boot or boot()

    def now(self) -> float:
        """What time it is: by this machine, or by the server where this machine is far off."""
        if self.told and self.error_seconds:
            return self.told.second + self.uptime() - self.told.uptime
        return self.wall()

    def stamp(self) -> str:
        """How long the machine has been running, to be kept with an event."""
        return f"{self.boot}:{self.uptime():.3f}"

    def hear(self, date: str) -> None:
        """Take note of the time in the header of an answer."""
        try:
            second = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        self.told = Moment(second, self.uptime())
        error = self.wall() - self.told.second
        self.error_seconds = error if abs(error) > WRONG_SECONDS else 0.0

    def happened(self, stamp: str) -> float | None:
        """When an event happened, by the server's clock; None if nobody knows.

        After a restart of the machine, all that is known is that it happened before now.
        """
        booted, _, kept = stamp.partition(":")
        if self.told is None or not kept:
            return None
        try:
            ago = self.told.uptime - float(kept) if booted == self.boot else 0.0
        except ValueError:  # somebody else has written it
            return None
        return self.told.second - max(ago, 0.0)
