"""A storm of late events through a running deployment, over HTTP, while others send new ones.

    DEMO_ENV=.local/demo.env python -m bench.late_storm            # after `make up`

One sender of one organization sends 100,000 events of the two years that are kept, of 10,000
people, every twentieth twice. Four writers send what is new into the same organization and four
into others, every fifth batch twice. Two watchers ask for reports of each, and note when every new
event shows. At the end nothing waits, `verify` finds nothing, and every user's figures in ragged
periods are those that the events add up to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from os import getloadavg
from random import Random
from statistics import median
from threading import Event
from typing import Final

import httpx

from bench.live_organizations import (
    PATIENCE_SECONDS,
    REPORT,
    Organization,
    Sent,
    asked,
    backlog,
    connection_of_its_own,
    counted,
    deployment_here,
    differs,
    expect_settled,
    has_steps,
    import_of,
    last_hour,
    new_organization,
    windows,
)
from odometer.domain.time import format_seconds
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import ago, usage_event

PEOPLE: Final = 10_000
SHARED: Final = "automation"
OWN: Final = ("app-automation", "hyperexecute", "realtime", "realdevice")
"""The products of the writers in the organization of the storm, which brings events of them too."""
LATE: Final = "ci/late"
"""The source of all late events."""
PROMISE_SECONDS: Final = 60
CALM_SECONDS: Final = 60
PAUSE_SECONDS: Final = 1.0
HTTP_ACCEPTED: Final = 202


@dataclass
class Writer:
    """Sends what is new of one product, and knows what its reports show of it."""

    organization: Organization
    product: str
    most: int
    """The most events of a batch."""
    sent: list[Sent] = field(default_factory=list)
    tests: int = 0
    acknowledged: deque[tuple[float, int]] = field(default_factory=deque)
    """When a batch was, and all tests up to and with it: as long as no report shows them."""
    shown: list[tuple[float, float]] = field(default_factory=list)
    """When a batch was acknowledged, and the seconds until a report showed it."""
    too_many: int = 0
    """Tests that a report showed and that nobody had sent."""
    again: int = 0
    """How often a request had to be sent again."""

    def batch(self, random: Random) -> list[Sent]:
        events = [self.event(random) for _ in range(random.randint(1, self.most))]
        self.sent += events
        self.tests += sum(event["data"]["tests"] for event in events)
        return events

    def event(self, random: Random) -> Sent:
        tests = random.randrange(1, 9)
        data = {"product": self.product, "tests": tests, "duration_ms": 1_000 * tests}
        who, name = f"person-{random.randrange(PEOPLE)}", f"{random.getrandbits(64):x}"
        new = {"source": f"writer/{self.product}", "time": ago(seconds=1)}
        return usage_event(name, subject=who, data=data, **new)

    def see(self, tests: int) -> None:
        """Take the tests that a report shows."""
        self.too_many = max(self.too_many, tests - self.tests)
        while self.acknowledged and self.acknowledged[0][1] <= tests:
            at, _ = self.acknowledged.popleft()
            self.shown.append((at, time.monotonic() - at))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.late_storm", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    many = parser.parse_args().events
    print(f"load average {getloadavg()[0]:.1f} before")
    with deployment_here() as deployment, ThreadPoolExecutor(10) as pool:
        acme, *others = (new_organization(deployment, f"Storm {n}") for n in range(5))
        writers = [Writer(acme, product, 1 + 9 * (n % 2)) for n, product in enumerate(OWN)]
        neighbours = [Writer(other, SHARED, 1 + 9 * (n % 2)) for n, other in enumerate(others)]
        both, ended, seen = [*writers, *neighbours], Event(), Event()
        sending = [pool.submit(write, deployment, writer, ended) for writer in both]
        watching = [pool.submit(watch, deployment, some, seen) for some in (writers, neighbours)]
        time.sleep(CALM_SECONDS)
        late, began = list(storm(many)), time.monotonic()
        try:
            print(f"sent in {import_of(deployment, acme.key, late, connections=1):.1f} s")
            expect_late_settled(deployment, acme, many, began)
        finally:
            over = time.monotonic()
            finish(ended, sending)
            while (
                any(each.acknowledged for each in both) and time.monotonic() < over + CALM_SECONDS
            ):
                time.sleep(1)
            finish(seen, watching)
            for name, some in (("the same organization", writers), ("others", neighbours)):
                tell(name, some, began, over)
        for organization in (acme, *others):
            expect_settled(deployment, organization)
        print(f"everything settled {time.monotonic() - over:.1f} s after the last new event")
        print(f"load average {getloadavg()[0]:.1f} after")
        wrong = [*wrong_figures(deployment, acme, [SHARED, *OWN], [late, *sent_by(writers)])]
        for writer in neighbours:
            wrong += wrong_figures(deployment, writer.organization, [SHARED], [writer.sent])
        verified = [deployment.odometer("verify", each.id) for each in (acme, *others)]
        print(*(each.stdout.strip() + each.stderr.strip() for each in verified), sep="\n")
        slow = sum(wait > PROMISE_SECONDS for writer in both for _, wait in writer.shown)
        print(f"{slow} batches took more than {PROMISE_SECONDS} s to show; figures: {wrong}")
        unseen = sum(len(writer.acknowledged) + writer.too_many for writer in both)
        sys.exit(bool(slow or wrong or unseen or any(each.returncode for each in verified)))


def storm(many: int) -> Iterator[Sent]:
    """Late events, from the first second that is kept until yesterday."""
    random, now = Random(9), datetime.now(UTC)
    kept = int((now - datetime(now.year - 1, 1, 1, tzinfo=UTC)).total_seconds())
    for number in range(many):
        moment = now - timedelta(seconds=random.randrange(2 * 86_400, kept))
        tests = random.randrange(1, 9)
        product = random.choice((SHARED, *OWN))
        data = {"product": product, "tests": tests, "duration_ms": 1_000 * tests}
        who = {"source": LATE, "subject": f"person-{random.randrange(PEOPLE)}"}
        yield usage_event(f"late-{number}", **who, time=f"{moment:%Y-%m-%dT%H:%M:%SZ}", data=data)


def write(deployment: Deployment, writer: Writer, ended: Event) -> None:
    random = Random(writer.product + writer.organization.id)
    with connection_of_its_own(deployment) as mine:
        for number in count():
            if ended.wait(PAUSE_SECONDS):
                return
            events = writer.batch(random)
            send(mine, writer, events)
            writer.acknowledged.append((time.monotonic(), writer.tests))
            if number % 5 == 0:
                send(mine, writer, events)


def send(deployment: Deployment, writer: Writer, events: Sequence[Sent]) -> None:
    """Send a batch until it is accepted."""
    while True:
        try:
            answer = deployment.send("POST", "/v1/events", writer.organization.key, json=events)
        except httpx.TransportError:
            writer.again += 1
            continue
        if answer.status_code == HTTP_ACCEPTED and not answer.json()["rejected"]:
            return
        if answer.is_client_error or answer.is_success:
            raise RuntimeError(answer.text)
        writer.again += 1
        time.sleep(PAUSE_SECONDS)


def watch(deployment: Deployment, writers: Sequence[Writer], ended: Event) -> None:
    """Ask for a report of each writer's product, one after the other."""
    today = datetime.now(UTC) - timedelta(hours=1)
    with connection_of_its_own(deployment) as mine:
        while not ended.is_set():
            for writer in writers:
                window = today, datetime.now(UTC) + timedelta(minutes=1)
                wanted = asked(writer.product, window, 1, 1)
                answer = mine.get(REPORT, writer.organization.key, params=wanted)
                if answer.is_success:
                    writer.see(answer.json()["data"]["metadata"].get("totalTests", 0))
            ended.wait(PAUSE_SECONDS)


def expect_late_settled(
    deployment: Deployment, acme: Organization, many: int, began: float
) -> None:
    """Wait until late events are counted, and then until none of their folds is unsettled."""
    while counted(deployment, acme.key, LATE) < many:
        if time.monotonic() > began + PATIENCE_SECONDS:
            sys.exit(f"not folded: {backlog(deployment, acme)}")
        time.sleep(5)
    now = format_seconds(datetime.now(UTC))
    print(f"all late events counted after {time.monotonic() - began:.1f} s")
    while has_steps(found := backlog(deployment, acme)) or (found["unsettled_since"] or now) < now:
        if time.monotonic() > began + PATIENCE_SECONDS:
            sys.exit(f"not settled: {found}")
        time.sleep(5)
    print(f"all late events settled after {time.monotonic() - began:.1f} s")


def finish(event: Event, threads: Iterable[Future[None]]) -> None:
    event.set()
    for thread in threads:
        thread.result()


def sent_by(writers: Iterable[Writer]) -> Iterator[list[Sent]]:
    return (writer.sent for writer in writers)


def tell(name: str, writers: Sequence[Writer], began: float, over: float) -> None:
    shown = [each for writer in writers for each in writer.shown]
    for phase, first, last in (("before", 0.0, began), ("while", began, over)):
        waits = sorted(wait for at, wait in shown if first <= at < last)
        if waits:
            late = sum(wait > PROMISE_SECONDS for wait in waits)
            print(
                f"{name}, {phase} late events waited: {len(waits)} batches showed after "
                f"{median(waits):.1f} s (median), {waits[-1]:.1f} s at most; {late} after a minute"
            )
    events = sum(len(writer.sent) for writer in writers)
    unseen = sum(len(writer.acknowledged) for writer in writers)
    too_many = sum(writer.too_many for writer in writers)
    again = sum(writer.again for writer in writers)
    print(
        f"{name}: {events} new events, {unseen} batches never seen, {too_many} tests too many,"
        f" {again} requests sent again"
    )


def wrong_figures(
    deployment: Deployment,
    organization: Organization,
    products: Sequence[str],
    sent: Iterable[Sequence[Sent]],
) -> Iterator[str]:
    """Products and periods in which any user's figures are not what was sent."""
    events, compared = [event for some in sent for event in some], 0
    for product in products:
        for window in windows(last_hour() + timedelta(days=1, hours=4)):
            compared += 1
            if differs(deployment, organization.key, product, events, window):
                yield f"{product} from {window[0]:%Y-%m-%d %H} on"
    print(f"{compared} periods of all users compared with {len(events)} events")


if __name__ == "__main__":
    main()
