"""Limits hold whatever processes do at once: bounded above, and no refusal below them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.access.limits import WINDOW_SECONDS, Asked, Limits, Loads, window_of
from odometer.domain.errors import Throttled
from odometer.services.limiter import Limiter
from odometer.services.tasks import Tasks
from odometer.storage.dynamo import Table
from odometer.storage.shared_loads import SharedLoads
from tests.support.shared_counts import SharedCounts

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = ("one", "two")
DEAREST = 40
PARTS = 5
"""Of a limit, so that a process holds back several requests of the few that there are."""
CLOCKS_DIFFER = 2.0


@dataclass
class Tenant:
    """An organization whose requests several processes serve, and all that it got."""

    limits: Limits
    skews: list[float]
    counts: SharedCounts = field(default_factory=SharedCounts)
    now: datetime = START
    admitted: Counter[Any] = field(default_factory=Counter)
    """Requests and work, by window, and by window and key."""
    times: list[datetime] = field(default_factory=list)
    """When requests were admitted, by a clock that is right."""
    loads: defaultdict[int, Loads] = field(default_factory=lambda: defaultdict(Loads))
    going: dict[int, Iterator[None]] = field(default_factory=dict)

    def request(self, process: int, key: str, work: int) -> Iterator[None]:
        """One request in its steps, between which others may go on."""
        shared = SharedLoads(cast("Table", self.counts))
        loads = self.loads[process]
        limiter = Limiter("acme", Asked.REPORTS, self.limits, loads, shared, Tasks())
        clock = self.clock(process)
        try:
            limiter.refuse_known(key, clock)
            yield
            limiter.begin_sharing(clock)
            yield
            limiter.admit({}, key, clock)
        except Throttled:
            self.check_refused(limiter.told["limited"], window_of(clock), key)
            return
        self.times.append(self.now)
        self.note("requests", 1, window_of(clock), key)
        yield
        self.note("work", work, window_of(self.clock(process)), key)
        limiter.count_work(work, key, self.clock(process))

    def clock(self, process: int) -> datetime:
        return self.now + timedelta(seconds=self.skews[process])

    def note(self, name: str, amount: int, window: int, key: str) -> None:
        self.admitted[name, window] += amount
        self.admitted[name, window, key] += amount

    def check_refused(self, exceeded: str, window: int, key: str) -> None:
        """Nobody is refused below the limit that is named."""
        name, _, of_key = exceeded.partition(" of ")
        most = self.limits.in_window(Asked.REPORTS)[name]
        if of_key:
            assert self.admitted[name, window, key] * 100 >= most * self.limits.key_percent
        else:
            assert self.admitted[name, window] >= most

    def check_bounds(self) -> None:
        """Nobody gets more than the limit and a part of it for each process."""
        most = self.limits.in_window(Asked.REPORTS)
        held_back = {name: -(-each // PARTS) * len(self.skews) for name, each in most.items()}
        in_flight = {"requests": 0, "work": 2 * DEAREST * len(self.skews)}
        for (name, _, *key), amount in self.admitted.items():
            share = self.limits.key_percent / 100 if key else 1
            assert amount <= most[name] * share + held_back[name] + in_flight[name]


limits = st.builds(
    Limits,
    requests=st.integers(1, 3),
    read_units=st.integers(1, 60),
    key_percent=st.sampled_from([100, 60, 20]),
)
steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(KEYS),
        st.integers(0, DEAREST),
        st.sampled_from([0.0] * 30 + [0.4, 3.0]),
    ),
    min_size=80,
    max_size=120,
)


@pytest.fixture(autouse=True, scope="module")
def parts() -> Iterator[None]:
    with patch("odometer.access.limits.PARTS", PARTS):
        yield


def run(tenant: Tenant, turns: list[tuple[int, str, int, float]]) -> None:
    """Let a process take some steps in each turn, and begin its next request when it has ended."""
    for process, key, work, seconds in turns:
        tenant.now += timedelta(seconds=seconds)
        at = process % len(tenant.skews)
        going = tenant.going.setdefault(at, tenant.request(at, key, work))
        for _ in range(1 + work % 4):
            if next(going, "ended") == "ended":
                tenant.going.pop(at, None)


@settings(max_examples=max(60, settings().max_examples // 7))
@given(limits, st.lists(st.floats(-CLOCKS_DIFFER, CLOCKS_DIFFER), min_size=1, max_size=4), steps)
def test_no_more_than_the_limit_and_a_hundredth_of_it_for_each_process(
    limits: Limits, skews: list[float], turns: list[tuple[int, str, int, float]]
) -> None:
    tenant = Tenant(limits, skews)
    run(tenant, turns)
    tenant.check_bounds()


@settings(max_examples=max(60, settings().max_examples // 7))
@given(limits, steps, st.integers(1, 4))
def test_nobody_is_refused_below_a_limit_while_counts_cannot_be_shared(
    limits: Limits, turns: list[tuple[int, str, int, float]], every: int
) -> None:
    tenant = Tenant(limits, [0.0, 0.0, 0.0])
    for at, turn in enumerate(turns):
        tenant.counts.fails = at % 5 < every
        run(tenant, [turn])


@settings(max_examples=max(60, settings().max_examples // 7))
@given(st.integers(1, 3), st.lists(st.floats(-CLOCKS_DIFFER, CLOCKS_DIFFER), min_size=4), steps)
def test_who_keeps_to_the_limit_by_any_clock_is_never_refused(
    requests: int, skews: list[float], turns: list[tuple[int, str, int, float]]
) -> None:
    """In any ten seconds, and as much more as clocks differ, fewer requests than the limit."""
    tenant = Tenant(Limits(requests=requests), skews[:4])
    longest = timedelta(seconds=WINDOW_SECONDS + 2 * CLOCKS_DIFFER)
    for process, key, work, seconds in turns:
        tenant.now += timedelta(seconds=6 * seconds)
        recent = [each for each in tenant.times if each > tenant.now - longest]
        if len(recent) < requests * WINDOW_SECONDS:
            before = len(tenant.times)
            for _ in tenant.request(process, key, work):
                pass
            assert len(tenant.times) == before + 1
