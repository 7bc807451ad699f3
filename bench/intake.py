"""A million events through the intake handler and the engine, in process, on a real engine.

    python -m bench intake --events 1000000

Nothing lost, nothing counted twice, how fast, what an event costs by step, and the CPU that the
handler takes, storage and log aside.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.progress import track

from bench.publish import publish
from odometer.bootstrap import process
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, epoch_ms, epoch_second
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.latest import received
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from odometer.engine.write.fold import LIMITS
from odometer.storage.dynamo import READS, Meter
from odometer.storage.queue import WorkQueue
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of, functions, proxy_event
from tests.support.usage_sender import fold, stream

AUTOMATION = MeteredProduct("automation", KINDS["test"])
USERS = 10_000
SPAN = timedelta(hours=6)
SENT_AGAIN = 0.02
ACCEPTED = 202
THOUSAND, BATCH, ROUNDS = 1_000, 100, 50
"""What the CPU of the handler is told of, and how often it is tried."""
CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
console = Console(file=sys.__stdout__)


@dataclass
class StepCosts:
    """What each step took: seconds, write units, read units."""

    steps: defaultdict[str, list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0])
    )
    step: str = ""

    def add_call(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """Botocore's answer to a call, with the units that it cost."""
        consumed = parsed.get("ConsumedCapacity", [])
        writes = model.name.startswith(("Put", "Update", "Delete", "BatchWrite"))
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self.steps[self.step][1 if writes else 2] += each["CapacityUnits"]

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Everything in here is this step's, and not that of the step around it."""
        around, self.step, began = self.step, step, time.perf_counter()
        yield
        took = time.perf_counter() - began
        self.steps[step][0] += took
        self.steps[around][0] -= took
        self.step = around


def main(words: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench intake", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=1_000)
    arguments = parser.parse_args(words)
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),  # it is the log of our functions
        stack_on_counting_engine() as stack,
    ):
        costs = StepCosts()
        stack.directories.change(ACME, datetime.now(UTC), everyone)
        process().dynamodb.meta.events.register("after-call.dynamodb", costs.add_call)
        with patch.object(WorkQueue, "send"):
            acknowledged = send_all(stack, costs, arguments.events, arguments.batch)
        check(acknowledged)
        text = f"{table(costs, len(acknowledged))}\n\n{cpu_of_handler(stack)}"
    print(f"\n{text}")
    if write:
        publish("intake", text)


def everyone(edit: DirectoryEdit) -> None:
    """The directory knows them all, as it does after the first day."""
    for user in range(USERS):
        edit.apply("user", {"username": subject_of(user)})


def subject_of(user: int) -> str:
    return f"user-{user}@example.com"


def send_all(stack: Stack, costs: StepCosts, total: int, batch: int) -> dict[str, int]:
    """Send, fold and settle; the tests that were acknowledged, by event."""
    key, random, log = admin_of(stack, ACME), Random(1), process().table("log")
    began, step = datetime.now(UTC) - SPAN, SPAN / total
    acknowledged: dict[str, int] = {}
    again: list[dict[str, Any]] = []
    engine = process().engine
    for first in track(range(0, total, batch), "Sending", console=console):
        numbers = range(first, min(first + batch, total) - len(again))
        events = [event(random, number, began + number * step) for number in numbers]
        acknowledged |= {each["id"]: each["data"]["tests"] for each in events}
        since = epoch_ms(datetime.now(UTC))
        with costs.of("accept"):
            accept(json.dumps([*events, *again]), key)
        again = random.sample(events, int(batch * SENT_AGAIN))
        entries = list(log.query(f"{ACME}#LOG", f"{since}", "~"))
        with costs.of("fold"):
            fold(stream(entries))
        if engine.folding.unsettled(ACME) >= LIMITS.tail:
            settle(costs)
    settle(costs)
    return acknowledged


def settle(costs: StepCosts) -> None:
    """What a worker does once the queue has told it that the tail is long."""
    with costs.of("settle"):
        while process().engine.settle(ACME, datetime.now(UTC)):
            pass


def accept(body: str, key: str) -> None:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = functions()["v1/send_events"](
        proxy_event("POST", "/v1/events", headers, body), CONTEXT
    )
    expect(answer["statusCode"], ACCEPTED)


def event(random: Random, number: int, moment: datetime) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"run-{number}",
        "source": random.choice(["ci/eu-1", "ci/us-1"]),
        "type": "usage",
        "subject": subject_of(random.randrange(USERS)),
        "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "data": {
            "product": "automation",
            "tests": random.randint(1, 5),
            "duration_ms": random.randrange(1_000, 600_000),
        },
    }


@dataclass
class Unstored:
    """A client that answers a read as it did before, and writes nothing."""

    client: Any
    answers: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return partial(self._answer, operation)

    def _answer(self, operation: str, **arguments: Any) -> Any:
        if operation not in READS:
            return {}
        read = f"{operation} {arguments}"
        if read not in self.answers:
            self.answers[read] = getattr(self.client, operation)(**arguments)
        return self.answers[read]


def cpu_of_handler(stack: Stack) -> str:
    """The least CPU that a warm handler took for a thousand events, with proof of the caller."""
    key, random, now = admin_of(stack, ACME), Random(2), datetime.now(UTC)
    times = [now - timedelta(seconds=20 * number) for number in range(THOUSAND)]
    events = [event(random, number, moment) for number, moment in enumerate(times)]
    bodies = [json.dumps(events[at : at + BATCH]) for at in range(0, THOUSAND, BATCH)]
    with patch.object(process(), "dynamodb", Unstored(process().dynamodb)):
        least = min(cpu_ms(bodies, key) for _ in range(ROUNDS))
    return (
        f"{least:.1f} ms of CPU take {THOUSAND:,} events in batches of {BATCH} in a warm handler, "
        "storage and log aside."
    )


def cpu_ms(bodies: Sequence[str], key: str) -> float:
    began = time.process_time()
    for body in bodies:
        accept(body, key)
    return (time.process_time() - began) * 1000


def check(acknowledged: dict[str, int]) -> None:
    """Every report says what was acknowledged, and nothing else."""
    now = datetime.now(UTC)
    view = View.latest(ACME, process().usage_store(Meter()), "UTC", epoch_second(now))
    used = measure(view, AUTOMATION, Period(now - 2 * SPAN, now))
    (found,) = received(view, ["automation"])
    counted = sum(found.whole.by_date.values()) if found.whole else 0
    expect(counted, len(acknowledged))
    expect(used.totals["tests"], sum(acknowledged.values()))
    console.print(f"{counted:,} events sent, {counted:,} counted, none twice")


def expect(found: int, wanted: int) -> None:
    """End here when something is lost or counted twice."""
    if found != wanted:
        raise SystemExit(f"{found:,} instead of {wanted:,}")


def table(costs: StepCosts, events: int) -> str:
    lines = [
        f"{events:,} events; load average {os.getloadavg()[0]:.1f}\n",
        "| step | seconds | events a second | write units an event | read units an event |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step in ("accept", "fold", "settle"):
        seconds, writes, reads = costs.steps[step]
        units = f"{writes / events:.4f} | {reads / events:.4f}"
        lines.append(f"| {step} | {seconds:.1f} | {events / seconds:,.0f} | {units} |")
    return "\n".join(lines)
