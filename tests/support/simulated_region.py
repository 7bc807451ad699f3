"""A deployment in an account, in counts: gateway, firewall, executions and tables.

They do what AWS documents, on a clock that is simulated; the limits are the real ones. A gateway
has a bucket of tokens for each path and verb. Lambda gives a request the process of the function
that was used last, or a new one while the account has executions left. A table takes so many units
a second. A firewall looks every half minute at what each address and key sent in the last minute.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple, cast

from odometer.access.limits import Asked, Limits, Loads
from odometer.domain.errors import Throttled
from odometer.services.limiter import Limiter
from odometer.services.tasks import Tasks
from odometer.storage.dynamo import Table
from odometer.storage.shared_loads import SharedLoads
from tests.support.shared_counts import SharedCounts

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = 60.0
FIREWALL_LOOKS_EVERY = 30.0
REFUSAL_SECONDS = 0.002


class Caller(NamedTuple):
    """Somebody who asks the same again and again."""

    name: str
    route: str
    per_second: float
    seconds: float = REFUSAL_SECONDS
    """What an answer takes."""
    units: int = 0
    has_key: bool = True

    @property
    def asked(self) -> Asked:
        return Asked.EVENTS if self.route.startswith("POST") else Asked.REPORTS


class Account(NamedTuple):
    """What a deployment and its account are set to."""

    limits: Limits = Limits()
    per_second: int = 200
    burst: int = 400
    executions: int = 100
    intake: int = 0
    """Executions that are kept for events."""
    table_units: int = 40_000
    firewall: int = 0
    """Requests a minute of one key or address; 0 is no firewall."""


@dataclass
class Tokens:
    """A bucket that fills up to its size; what it lacks is paid back before anybody gets more."""

    rate: float
    size: float
    left: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.size

    def take(self, amount: float, at: float) -> bool:
        self.left = min(self.size, self.left + (at - self.at) * self.rate)
        self.at = at
        if self.left <= 0:
            return False
        self.left -= amount
        return True


@dataclass
class Region:
    """Two minutes, request by request, of which the second is counted."""

    account: Account
    outcomes: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What became of requests, by caller."""
    counts: SharedCounts = field(default_factory=SharedCounts)
    most_executions: int = 0
    units: int = 0
    _gateway: dict[str, Tokens] = field(default_factory=dict)
    _free: defaultdict[str, list[Loads]] = field(default_factory=lambda: defaultdict(list))
    """Processes by function, the one used last at the end."""
    _busy: list[tuple[float, int, str, Loads]] = field(default_factory=list)
    _sent: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _stopped: set[str] = field(default_factory=set)
    _looked: float = 0.0
    _counts_now: bool = False

    def __post_init__(self) -> None:
        self._table = Tokens(self.account.table_units, self.account.table_units)

    def run(self, *callers: Caller) -> Region:
        for number, (at, caller) in enumerate(arrivals(callers)):
            if not self._counts_now and at >= MINUTE:
                self._begin_to_count()
            self._end_until(at)
            self.outcomes[f"{caller.name} {caller.asked}"][self._answer(caller, at, number)] += 1
        return self

    def _begin_to_count(self) -> None:
        self._counts_now, self.units, self.counts.writes = True, 0, 0
        self.most_executions = 0
        self.outcomes.clear()

    def _answer(self, caller: Caller, at: float, number: int) -> str:
        if self._is_stopped(caller.name, at):
            return "firewall"
        bucket = self._gateway.setdefault(
            caller.route, Tokens(self.account.per_second, self.account.burst)
        )
        if not bucket.take(1.0, at):
            return "gateway"
        if not self._has_room(caller.route):
            return "no execution"
        free = self._free[caller.route]
        loads = free.pop() if free else Loads()
        outcome, seconds = self._served(caller, loads, at)
        heapq.heappush(self._busy, (at + seconds, number, caller.route, loads))
        self.most_executions = max(self.most_executions, len(self._busy))
        return outcome

    def _served(self, caller: Caller, loads: Loads, at: float) -> tuple[str, float]:
        """What a function answers, and how long that takes."""
        if not caller.has_key:
            return "no key", REFUSAL_SECONDS
        shared = SharedLoads(cast("Table", self.counts))
        limits = self.account.limits
        limiter = Limiter(caller.name, caller.asked, limits, loads, shared, Tasks())
        now, end = (START + timedelta(seconds=each) for each in (at, at + caller.seconds))
        try:
            limiter.refuse_known("key", now)
            limiter.begin_sharing(now)
            limiter.admit({}, "key", now)
        except Throttled:
            return "limit", REFUSAL_SECONDS
        if not self._table.take(caller.units, at):
            return "table", caller.seconds
        self.units += caller.units
        limiter.count_work(caller.units, "key", end)
        return "served", caller.seconds

    def _has_room(self, route: str) -> bool:
        """Whether the account has an execution left: a kept one for events, another one else."""
        kept = [each for *_, each, _ in self._busy if each.startswith("POST")]
        if route.startswith("POST") and self.account.intake:
            return len(kept) < self.account.intake
        others = len(self._busy) - (len(kept) if self.account.intake else 0)
        return others < self.account.executions - self.account.intake

    def _end_until(self, at: float) -> None:
        while self._busy and self._busy[0][0] <= at:
            *_, route, loads = heapq.heappop(self._busy)
            self._free[route].append(loads)

    def _is_stopped(self, name: str, at: float) -> bool:
        if not self.account.firewall:
            return False
        self._sent[name].append(at)
        if at >= self._looked + FIREWALL_LOOKS_EVERY:
            self._looked += FIREWALL_LOOKS_EVERY
            last = {each: sum(t > at - MINUTE for t in sent) for each, sent in self._sent.items()}
            self._stopped = {each for each, sent in last.items() if sent > self.account.firewall}
        return name in self._stopped


def arrivals(callers: tuple[Caller, ...]) -> Iterator[tuple[float, Caller]]:
    """When each request of two minutes comes, at random and the same in every run."""
    random = Random(78)
    times = [
        (random.uniform(0, 2 * MINUTE), place)
        for place, caller in enumerate(callers)
        for _ in range(round(caller.per_second * 2 * MINUTE))
    ]
    return ((at, callers[place]) for at, place in sorted(times))
