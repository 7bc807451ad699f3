"""The first import of a customer's history through a running deployment, over HTTP.

    DEMO_ENV=.local/demo.env python -m bench.first_import          # after `make up`

Two years, 3,700 people, ten products, in any order, every twentieth event twice. Meanwhile a
neighbour sends single events and looks when they show. Then everything is settled, `verify` finds
nothing, and every user's figures are those that the events add up to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event

from bench.live_organizations import (
    PATIENCE_SECONDS,
    Sent,
    connection_of_its_own,
    counted,
    deployment_here,
    differs,
    expect_counted,
    expect_settled,
    import_of,
    last_hour,
    new_organization,
    windows,
)
from local.demo import expect_no_rejection, rows_of
from odometer_cli.client import Client
from odometer_cli.directory_rows import put_rows
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import ago, usage_event

DAYS = 600
PEOPLE = 3_700
PRODUCTS = ["automation", *(f"product-{number}" for number in range(9))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.first_import", description=__doc__)
    parser.add_argument("--events", type=int, default=78_000)
    count = parser.parse_args().events
    with deployment_here() as deployment, ThreadPoolExecutor(1) as pool:
        acme, neighbour = (new_organization(deployment, name) for name in ("Acme", "Neighbour"))
        prepare(deployment, acme.key)
        events, ended = list(history(count)), Event()
        waits = pool.submit(lambda: list(neighbours_events(deployment, neighbour.key, ended)))
        began = time.monotonic()
        print(f"sent in {import_of(deployment, acme.key, events):.1f} s")
        expect_counted(deployment, acme.key, count)
        print(f"all counted after {time.monotonic() - began:.1f} s")
        expect_settled(deployment, acme)
        print(f"all settled after {time.monotonic() - began:.1f} s")
        ended.set()
        seconds = sorted(waits.result())
        print(f"{len(seconds)} events of the neighbour showed within {seconds[-1]:.1f} s")
        verified = deployment.odometer("verify", acme.id)
        print(verified.stdout.strip(), verified.stderr.strip())
        periods = windows(last_hour())
        differing = sum(
            differs(deployment, acme.key, PRODUCTS[0], events, window) for window in periods
        )
        print(f"{len(periods)} periods of all users compared, {differing} differ")
        sys.exit(1 if differing or verified.returncode else 0)


def prepare(deployment: Deployment, key: str) -> None:
    """Keep five years of an organization that has ten products."""
    rows = [{"kind": "organization", "retention_years": 5}]
    rows += [{"kind": "product", "id": p, "name": p, "product_kind": "test"} for p in PRODUCTS[1:]]
    client = Client(deployment["BASE_URL"], key)
    expect_no_rejection(put_rows(client, list(rows_of(rows)), lambda _: None))


def history(count: int) -> Iterator[Sent]:
    random, now = Random(7), datetime.now(UTC)
    for number in range(count):
        moment = now - timedelta(seconds=random.randrange(3_600, DAYS * 86_400))
        tests = random.randrange(1, 9)
        data = {"product": random.choice(PRODUCTS), "tests": tests, "duration_ms": 1_000 * tests}
        subject = f"person-{random.randrange(PEOPLE)}"
        at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        yield usage_event(f"{number}", subject=subject, time=at, data=data)


def neighbours_events(deployment: Deployment, key: str, ended: Event) -> Iterator[float]:
    """Send an event now and then; how many seconds each took to show."""
    with connection_of_its_own(deployment) as mine:
        number = 0
        while not ended.is_set():
            number += 1
            mine.send("POST", "/v1/events", key, json=usage_event(f"{number}", time=ago(seconds=1)))
            began = time.monotonic()
            while counted(mine, key) < number and time.monotonic() < began + PATIENCE_SECONDS:
                time.sleep(0.2)
            yield time.monotonic() - began
            time.sleep(2)


if __name__ == "__main__":
    main()
