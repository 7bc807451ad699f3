"""The first import of a customer's history through a running deployment, over HTTP.

    DEMO_ENV=.local/demo.env python -m bench.first_import          # after `make up`

Two years, 3,700 people, ten products, in any order, every twentieth event twice. Meanwhile a
neighbour sends single events and looks when they show. Then everything is settled, `verify` finds
nothing, and every user's figures are those that the events add up to.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from local.demo import expect_no_rejection, rows_of
from odometer_cli.client import Client
from odometer_cli.directory_rows import put_rows
from tests.support.live_deployment import Deployment, running
from tests.support.usage_sender import ago, usage_event

DAYS = 600
PEOPLE = 3_700
PATIENCE_SECONDS = 1_800
REPORT = "/insights/api/v3/public/usage-report/drilldown"
PRODUCTS = ["automation", *(f"product-{number}" for number in range(9))]


class Organization(NamedTuple):
    """An organization of its own, and its Admin's key."""

    id: str
    key: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.first_import", description=__doc__)
    parser.add_argument("--events", type=int, default=78_000)
    count = parser.parse_args().events
    found = running() or sys.exit("No deployment with the demo runs: `make up` starts one.")
    with httpx.Client(timeout=60, trust_env=False) as client, ThreadPoolExecutor(1) as pool:
        deployment = Deployment(found[0], client, found[1])
        acme, neighbour = (new_organization(deployment, name) for name in ("Acme", "Neighbour"))
        rows = [{"kind": "organization", "retention_years": 5}]
        rows += [
            {"kind": "product", "id": p, "name": p, "product_kind": "test"} for p in PRODUCTS[1:]
        ]
        sent = put_rows(
            Client(deployment["BASE_URL"], acme.key), list(rows_of(rows)), lambda _: None
        )
        expect_no_rejection(sent)
        events, ended = list(history(count)), Event()
        waits = pool.submit(lambda: list(neighbours_events(deployment, neighbour.key, ended)))
        began = time.monotonic()
        print(f"sent in {import_of(deployment, acme.key, events):.1f} s")
        expect(deployment, acme.key, count)
        print(f"all counted after {time.monotonic() - began:.1f} s")
        settled(deployment, acme)
        print(f"all settled after {time.monotonic() - began:.1f} s")
        ended.set()
        seconds = sorted(waits.result())
        print(f"{len(seconds)} events of the neighbour showed within {seconds[-1]:.1f} s")
        verified = deployment.odometer("verify", acme.id)
        print(verified.stdout.strip(), verified.stderr.strip())
        differing = [
            window for window in windows() if not equal(deployment, acme.key, events, window)
        ]
        print(f"{len(windows())} periods of all users compared, {len(differing)} differ")
        sys.exit(1 if differing or verified.returncode else 0)


def new_organization(deployment: Deployment, name: str) -> Organization:
    username = f"bench-{uuid4().hex[:8]}@example.com"
    words = ("--name", f"{name} {uuid4().hex[:6]}", "--admin-username", username, "--json")
    made = json.loads(deployment.odometer("organization", "create", *words).stdout)
    return Organization(made["organization"], made["access_key"])


def history(count: int) -> Iterator[dict[str, Any]]:
    random, now = Random(7), datetime.now(UTC)
    for number in range(count):
        moment = now - timedelta(seconds=random.randrange(3_600, DAYS * 86_400))
        tests = random.randrange(1, 9)
        data = {"product": random.choice(PRODUCTS), "tests": tests, "duration_ms": 1_000 * tests}
        subject = f"person-{random.randrange(PEOPLE)}"
        at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        yield usage_event(f"{number}", subject=subject, time=at, data=data)


def import_of(deployment: Deployment, key: str, events: Sequence[dict[str, Any]]) -> float:
    """Import events in any order, some of them twice; how many seconds that took."""
    random = Random(8)
    lines = [json.dumps(event) for event in (*events, *random.sample(events, len(events) // 20))]
    random.shuffle(lines)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "history.ndjson"
        file.write_text("\n".join(lines) + "\n")
        began = time.monotonic()
        done = deployment.odometer("import", str(file), "--json", key=key)
        print(done.stdout.strip()[:300], done.stderr.strip()[-300:])
        return time.monotonic() - began


def neighbours_events(deployment: Deployment, key: str, ended: Event) -> Iterator[float]:
    """Send an event now and then; how many seconds each took to show."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        mine = Deployment(deployment.names, client, deployment.home)
        number = 0
        while not ended.is_set():
            number += 1
            mine.send("POST", "/v1/events", key, json=usage_event(f"{number}", time=ago(seconds=1)))
            began = time.monotonic()
            while counted(mine, key) < number and time.monotonic() < began + PATIENCE_SECONDS:
                time.sleep(0.2)
            yield time.monotonic() - began
            time.sleep(2)


def counted(deployment: Deployment, key: str) -> int:
    answer = deployment.get("/v1/coverage", key)
    return sum(each["events"] for each in answer.json().get("products", ()))


def expect(deployment: Deployment, key: str, count: int) -> None:
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while (found := counted(deployment, key)) != count:
        if time.monotonic() > gives_up_at or found > count:
            sys.exit(f"{found:,} counted instead of {count:,}")
        time.sleep(1)


def settled(deployment: Deployment, organization: Organization) -> None:
    """Wait until nothing of an organization waits, rebuilds included."""
    gives_up_at, waiting = time.monotonic() + PATIENCE_SECONDS, {"events_unsettled": 1}
    while any_of(waiting):
        if time.monotonic() > gives_up_at:
            sys.exit(f"not settled: {waiting}")
        time.sleep(2)
        waiting = json.loads(deployment.odometer("backlog", organization.id, "--json").stdout)


def any_of(waiting: dict[str, Any]) -> bool:
    steps = (waiting.get(name, {"of": 0})["of"] for name in ("plan_steps", "rebuild_steps"))
    return bool(waiting["events_unsettled"] or waiting.get("batches_in_log") or any(steps))


def windows() -> list[tuple[datetime, datetime]]:
    """Stretches of at most 90 days, with ragged ends, over all of history."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [end - timedelta(days=80 * number, hours=7 * number) for number in range(1, 9)]
    return [(start, start + timedelta(days=79, hours=5)) for start in starts]


def equal(
    deployment: Deployment,
    key: str,
    events: Sequence[dict[str, Any]],
    window: tuple[datetime, datetime],
) -> bool:
    """Whether every user's tests of a window are what the events add up to."""
    first, last = (f"{edge:%Y-%m-%dT%H:%M:%SZ}" for edge in window)
    expected = Counter[str]()
    for event in events:
        if event["data"]["product"] == "automation" and first <= event["time"] <= last:
            expected[event["subject"]] += event["data"]["tests"]
    return dict(tests_by_user(deployment, key, window)) == dict(expected)


def tests_by_user(
    deployment: Deployment, key: str, window: tuple[datetime, datetime]
) -> Iterator[tuple[str, int]]:
    start, end = (f"{edge:%Y-%m-%d %H:%M:%S}" for edge in window)
    page, pages = 1, 1
    while page <= pages:
        asked = {"from": start, "to": end, "type": "account-user", "product": "automation"}
        paged = {**asked, "limit": "100", "page": f"{page}"}
        answer = deployment.get(REPORT, key, params=paged).json()["data"]
        pages = answer["metadata"]["pagination"]["totalPages"]
        users = next(rows for name, rows in answer.items() if isinstance(rows, list))
        yield from ((user["username"], user["totalTestsRun"]) for user in users)
        page += 1


if __name__ == "__main__":
    main()
