"""Many at once on an engine that is atomic: what was acknowledged counts, and counts once."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event as NewEntries
from typing import Any

import pytest

from odometer.bootstrap import Process, Settings, process
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, epoch_second
from odometer.engine.format.decisions import ALL
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.latest import received
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from odometer.services.engine import Engine
from odometer.storage.dynamo import Meter
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of
from tests.support.usage_sender import ago, log_of, receipt, send, usage_event

pytestmark = pytest.mark.engine

AUTOMATION = MeteredProduct("automation", KINDS["test"])
CONNECTIONS = 16
SECONDS = 60 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 4


@pytest.fixture
def stack() -> Iterator[Stack]:
    with stack_on_counting_engine() as stack:
        yield stack


def a_process() -> Engine:
    """An engine that shares no memory with another."""
    return Process(Settings.from_env()).engine


def view_of(now: datetime) -> View:
    store = process().usage_store(Meter())
    return View.latest(ACME, store, "UTC", epoch_second(now))


def figures(now: datetime) -> tuple[int, int]:
    """How many tests reports know of, and how many events coverage knows of."""
    view = view_of(now)
    whole = Period(now - timedelta(days=800), now + timedelta(days=2))
    (found,) = received(view, ["automation"])
    events = sum(found.whole.by_date.values()) if found.whole else 0
    return measure(view, AUTOMATION, whole).totals["tests"], events


def test_the_same_event_sent_a_thousand_times_at_once_counts_once(stack: Stack) -> None:
    key, event = admin_of(stack, ACME), usage_event()
    work = a_process()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        folds = [pool.submit(work.fold_outstanding, ACME, datetime.now(UTC)) for _ in range(3)]
        answers = list(pool.map(lambda _: send(stack, key, event).json, range(1000)))
        folds += [
            pool.submit(a_process().fold_outstanding, ACME, datetime.now(UTC)) for _ in range(3)
        ]
        _ = [fold.result() for fold in folds]
    assert answers == [receipt(1)] * 1000
    now = datetime.now(UTC)
    assert figures(now) == (1, 1)
    work.settle(ACME, now)
    assert figures(now) == (1, 1)


def test_of_many_bodies_sent_at_once_under_one_key_one_is_taken(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    bodies = [[usage_event(f"body {number}")] for number in range(4)]

    def sent(number: int) -> tuple[int, int, bool]:
        reply = send(stack, key, bodies[number % 4], idempotency_key="the one")
        return number % 4, reply.status, "Idempotent-Replayed" in reply.headers

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = list(pool.map(sent, range(64)))
    (taken,) = {body for body, status, _ in answers if status == 202}
    assert Counter((body == taken, *rest) for body, *rest in answers) == {
        (True, 202, False): 1,
        (True, 202, True): 15,
        (False, 409, False): 48,
    }
    a_process().fold_outstanding(ACME, datetime.now(UTC))
    assert figures(datetime.now(UTC)) == (1, 1)


@dataclass
class Rush:
    """Writers, and everything that the engine does, until the time is over."""

    stack: Stack
    key: str
    over: NewEntries = field(default_factory=NewEntries)
    acknowledged: set[str] = field(default_factory=set)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def write(self, seed: int) -> int:
        """Send new events, and some that were sent before; how many batches."""
        random, batches = Random(seed), 0
        while not self.over.is_set():
            new = [self.event(random, f"{seed}/{batches}/{n}") for n in range(random.randint(1, 9))]
            again = random.choices(self.sent, k=2) if self.sent else []
            reply = send(self.stack, self.key, [*new, *again])
            assert reply.status == 202, reply.text
            self.acknowledged.update(event["id"] for event in new)
            self.sent += new[:1]
            batches += 1
        return batches

    def event(self, random: Random, name: str) -> dict[str, Any]:
        days = random.choice([0, 0, 0, 0, 1, 3, 8, 40, 400])
        subject = f"user-{random.randrange(40)}"
        return usage_event(name, subject=subject, time=ago(days=days, minutes=1))

    def engine(self, work: Callable[[Engine, Random], object]) -> Callable[[int], int]:
        """Do something of the engine's again and again, in a process of one's own."""

        def run(seed: int) -> int:
            engine, random, times = a_process(), Random(seed), 0
            while not self.over.is_set():
                work(engine, random)
                times += 1
            return times

        return run


def fold_new(stack: Stack) -> Callable[[Engine, Random], object]:
    def some(engine: Engine, random: Random) -> None:
        if entries := log_of(stack, ACME):
            chosen = random.choices(entries, k=4)
            engine.fold_new(ACME, chosen, datetime.now(UTC))

    return some


def settle_days_later(engine: Engine, random: Random) -> None:
    """Also with a clock that is ahead, so that days are sealed while events come to them."""
    engine.settle(ACME, datetime.now(UTC) + timedelta(days=random.choice([0, 0, 2])))


def rebuild(engine: Engine, random: Random) -> None:
    if random.random() < 0.2:
        engine.rebuilding.request(ACME, ALL, "UTC")
    engine.rebuild(ACME, datetime.now(UTC))


def test_writers_and_the_whole_engine_at_once_lose_and_double_nothing(stack: Stack) -> None:
    rush = Rush(stack, admin_of(stack, ACME))
    outstanding = rush.engine(lambda engine, _: engine.fold_outstanding(ACME, datetime.now(UTC)))
    crowd = [*[rush.write] * CONNECTIONS, *[outstanding, rush.engine(fold_new(stack))] * 2]
    crowd += [rush.engine(settle_days_later), rush.engine(rebuild)] * 2
    with ThreadPoolExecutor(len(crowd)) as pool:
        running = [pool.submit(work, seed) for seed, work in enumerate(crowd)]
        time.sleep(SECONDS)
        rush.over.set()
        turns = [work.result() for work in running]
    assert all(turns), turns
    later, engine = datetime.now(UTC) + timedelta(minutes=10), a_process()
    engine.fold_outstanding(ACME, later)
    assert figures(later) == (len(rush.acknowledged),) * 2
    later += timedelta(days=3)
    engine.settle(ACME, later)
    while engine.rebuild(ACME, later):
        pass
    assert figures(later) == (len(rush.acknowledged),) * 2
    assert [drift for each in engine.verify(ACME, later) for drift in each.drifts] == []
