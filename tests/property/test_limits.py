"""Limits hold whatever processes do at once: bounded above, and no refusal below them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import given
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
        """Nobody gets more than the limit and a hundredth of it for each process."""
        most = self.limits.in_window(Asked.REPORTS)
        held_back = {name: -(-each // 100) * len(self.skews) for name, each in most.items()}
        in_flight = {"requests": 0, "work": 2 * DEAREST * len(self.skews)}
        for (name, _, *key), amount in self.admitted.items():
            share = self.limits.key_percent / 100 if key else 1
            assert amount <= most[name] * share + held_back[name] + in_flight[name]


limits = st.builds(
    Limits,
    requests=st.integers(1, 30),
    read_units=st.integers(1, 200),
    key_percent=st.sampled_from([100, 60, 20]),
)
steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(KEYS),
        st.integers(0, DEAREST),
        st.sampled_from([0, 0, 0, 0, 0.4, 3.0]),
    ),
    min_size=200,
    max_size=600,
)


def run(tenant: Tenant, turns: list[tuple[int, str, int, float]]) -> None:
    """Let a process take one step in each turn, and begin its next request when it has ended."""
    for process, key, work, seconds in turns:
        tenant.now += timedelta(seconds=seconds)
        at = process % len(tenant.skews)
        step = tenant.going.setdefault(at, tenant.request(at, key, work))
        if next(step, "ended") == "ended":
            del tenant.going[at]


@given(limits, st.lists(st.floats(-CLOCKS_DIFFER, CLOCKS_DIFFER), min_size=1, max_size=4), steps)
def test_no_more_than_the_limit_and_a_hundredth_of_it_for_each_process(
    limits: Limits, skews: list[float], turns: list[tuple[int, str, int, float]]
) -> None:
    tenant = Tenant(limits, skews)
    run(tenant, turns)
    tenant.check_bounds()


@given(limits, steps, st.sets(st.integers(0, 600)))
def test_nobody_is_refused_below_a_limit_while_counts_cannot_be_shared(
    limits: Limits, turns: list[tuple[int, str, int, float]], failing: set[int]
) -> None:
    tenant = Tenant(limits, [0.0, 0.0, 0.0])
    for at, turn in enumerate(turns):
        tenant.counts.fails = at in failing
        run(tenant, [turn])


@given(st.integers(1, 30), st.lists(st.floats(-CLOCKS_DIFFER, CLOCKS_DIFFER), min_size=4), steps)
def test_who_keeps_to_the_limit_by_any_clock_is_never_refused(
    requests: int, skews: list[float], turns: list[tuple[int, str, int, float]]
) -> None:
    """In any ten seconds, and as much more as clocks differ, fewer requests than the limit."""
    tenant = Tenant(Limits(requests=requests), skews[:4])
    longest = timedelta(seconds=WINDOW_SECONDS + 2 * CLOCKS_DIFFER)
    for process, key, work, seconds in turns:
        tenant.now += timedelta(seconds=seconds)
        recent = [each for each in tenant.times if each > tenant.now - longest]
        if len(recent) < requests * WINDOW_SECONDS:
            before = len(tenant.times)
            for _ in tenant.request(process, key, work):
                pass
            assert len(tenant.times) == before + 1
