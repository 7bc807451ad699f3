"""How much one organization may ask of a deployment, so that others are served beside it.

A process counts what it serves in memory, ten seconds at a time. Once its count is a hundredth of a
limit, it adds the count to the one that all processes share, and learns what they have counted. So
a quiet organization costs nothing, and of a busy one each process holds back a hundredth at most.
"""

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from odometer.domain.errors import Throttled
from odometer.domain.frozen import frozen

WINDOW_SECONDS: Final = 10
"""Clocks of processes may differ by a second or two; no client waits for longer than 1.5 of it."""
SPREAD_SECONDS: Final = 5
"""Those who were refused come back within so many seconds of the next window."""
PARTS: Final = 100
"""A process shares its count when it is such a part of a limit."""
MOST_NAMES: Final = 100
"""So many counts are shared by one write, whose expression may have 4 kB, or else it is refused."""
OF_KEY: Final = "#"


class Asked(StrEnum):
    """What is counted apart: reports that are refused stop no events, and the other way round."""

    REPORTS = "reports"
    EVENTS = "events"


@frozen
class Limits:
    """What an organization may ask for in a second, on average over a window; 0 is no limit."""

    requests: int = 0
    """Of reports and everything else, and as many that send events."""
    read_units: int = 0
    events: int = 0
    key_percent: int = 100
    """How much of each limit one key may use."""

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        return cls(**json.loads(text or "{}"))

    def with_own(self, own: Mapping[str, Any]) -> "Limits":
        """The limits of an organization that has some of its own."""
        return Limits(**{name: own.get(name, getattr(self, name)) for name in LIMITS})

    def in_window(self, asked: Asked) -> dict[str, int]:
        """What may be counted in one window, by the names of counts."""
        work = self.events if asked is Asked.EVENTS else self.read_units
        limits = {"requests": self.requests, "work": work}
        return {name: limit * WINDOW_SECONDS for name, limit in limits.items() if limit}


LIMITS: Final = ("requests", "read_units", "events", "key_percent")


@dataclass(slots=True)
class Load:
    """What an organization has asked for in one window, as one process knows it."""

    most: Mapping[str, int] = field(default_factory=dict)
    """What may be counted in the window; nothing is refused before it is known."""
    key_percent: int = 100
    counted: Counter[str] = field(default_factory=Counter)
    """Counted here and not shared yet."""
    due: dict[str, None] = field(default_factory=dict)
    """The counts that are a part of their limit by now, and so are shared next."""
    shared: Mapping[str, int] = field(default_factory=dict)
    """What all processes had shared when this one did last."""

    def limit(self, limits: Limits, asked: Asked) -> None:
        self.most, self.key_percent = limits.in_window(asked), limits.key_percent

    def count(self, name: str, amount: int, key_id: str) -> None:
        if amount and name in self.most:
            self.add({name: amount, of_key(name, key_id): amount})

    def add(self, amounts: Mapping[str, int]) -> None:
        self.counted.update(amounts)
        for name in amounts:
            if self.counted[name] * PARTS >= self.most.get(name.partition(OF_KEY)[0], 0):
                self.due[name] = None

    @property
    def is_worth_sharing(self) -> bool:
        return bool(self.due)

    def take(self) -> Mapping[str, int]:
        """What is shared now, and no more counted here: of the organization, and of busy keys.

        A key that asks little is not shared, so that however many keys there are, all processes
        share about as many counts as a limit has parts.
        """
        names = list(dict.fromkeys((*self.most, *self.due)))[:MOST_NAMES]
        for name in names:
            self.due.pop(name, None)
        return {name: self.counted.pop(name) for name in names if name in self.counted}

    def exceeded(self, key_id: str) -> str:
        """The limit that is used up, of the organization or else of the key; none is empty."""
        for name, most in self.most.items():
            if self.known(name) >= most:
                return name
            if self.known(of_key(name, key_id)) * 100 >= most * self.key_percent:
                return f"{name} of key"
        return ""

    def known(self, name: str) -> int:
        return self.shared.get(name, 0) + self.counted[name]


def of_key(name: str, key_id: str) -> str:
    return f"{name}{OF_KEY}{key_id}"


class Loads:
    """The loads of all organizations that a process serves in the present window."""

    def __init__(self) -> None:
        self.window = 0
        self._loads: dict[tuple[str, Asked], Load] = {}

    def of(self, organization: str, asked: Asked, now: datetime) -> Load:
        if self.window != window_of(now):
            self.window, self._loads = window_of(now), {}
        return self._loads.setdefault((organization, asked), Load())


def window_of(now: datetime) -> int:
    """The second in which the window began."""
    second = int(now.timestamp())
    return second - second % WINDOW_SECONDS


def refusal(now: datetime) -> Throttled:
    """What a caller is told whose limit is used up: to come back when the window is over.

    Not all in the same second, for the next window would be used up by then.
    """
    left = window_of(now) + WINDOW_SECONDS - int(now.timestamp())
    return Throttled(left + secrets.randbelow(SPREAD_SECONDS))
