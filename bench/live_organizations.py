"""Organizations of a running deployment that a benchmark makes, fills and compares."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests.support.live_deployment import Deployment, running

PATIENCE_SECONDS = 1_800
REPORT = "/insights/api/v3/public/usage-report/drilldown"
STEPS = ("plan_steps", "rebuild_steps")

Sent = dict[str, Any]
Window = tuple[datetime, datetime]


class Organization(NamedTuple):
    """An organization of its own, and its Admin's key."""

    id: str
    key: str


@contextmanager
def deployment_here() -> Iterator[Deployment]:
    found = running() or sys.exit("No deployment with the demo runs: `make up` starts one.")
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield Deployment(found[0], client, found[1])


@contextmanager
def connection_of_its_own(deployment: Deployment) -> Iterator[Deployment]:
    """The same deployment, for another thread."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield Deployment(deployment.names, client, deployment.home)


def new_organization(deployment: Deployment, name: str) -> Organization:
    username = f"bench-{uuid4().hex[:8]}@example.com"
    words = ("--name", f"{name} {uuid4().hex[:6]}", "--admin-username", username, "--json")
    made = json.loads(deployment.odometer("organization", "create", *words).stdout)
    return Organization(made["organization"], made["access_key"])


def import_of(
    deployment: Deployment, key: str, events: Sequence[Sent], connections: int = 8
) -> float:
    """Import events in any order, every twentieth twice; how many seconds that took."""
    random = Random(8)
    lines = [json.dumps(event) for event in (*events, *random.sample(events, len(events) // 20))]
    random.shuffle(lines)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "history.ndjson"
        file.write_text("\n".join(lines) + "\n")
        began, words = time.monotonic(), ("--connections", f"{connections}", "--json")
        done = deployment.odometer("import", str(file), *words, key=key)
        print(done.stdout.strip()[:300], done.stderr.strip()[-300:])
        return time.monotonic() - began


def counted(deployment: Deployment, key: str, source: str | None = None) -> int:
    """How many events reports count, or how many of them are of one source."""
    products = deployment.get("/v1/coverage", key).json().get("products", ())
    sources = (row for product in products for row in product["sources"])
    found = products if source is None else (row for row in sources if row["source"] == source)
    return sum(row["events"] for row in found)


def expect_counted(deployment: Deployment, key: str, count: int) -> None:
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while (found := counted(deployment, key)) != count:
        if time.monotonic() > gives_up_at or found > count:
            sys.exit(f"{found:,} counted instead of {count:,}")
        time.sleep(1)


def backlog(deployment: Deployment, organization: Organization) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        deployment.odometer("backlog", organization.id, "--json").stdout
    )
    return found


def expect_settled(deployment: Deployment, organization: Organization) -> None:
    """Wait until nothing of an organization waits, rebuilds included."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while waits(waiting := backlog(deployment, organization)):
        if time.monotonic() > gives_up_at:
            sys.exit(f"not settled: {waiting}")
        time.sleep(2)


def waits(waiting: dict[str, Any]) -> bool:
    return bool(waiting["events_unsettled"] or waiting["batches_in_log"] or has_steps(waiting))


def has_steps(waiting: dict[str, Any]) -> bool:
    return any(waiting[name]["of"] for name in STEPS)


def windows(end: datetime) -> list[Window]:
    """Stretches of less than 80 days, with ragged ends, over 640 days before a day's end."""
    starts = [end - timedelta(days=80 * number, hours=7 * number) for number in range(1, 9)]
    return [(start, start + timedelta(days=79, hours=5)) for start in starts]


def last_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def differs(
    deployment: Deployment, key: str, product: str, events: Sequence[Sent], window: Window
) -> bool:
    """Whether any user's tests of a window are not what the events add up to."""
    first, last = (f"{edge:%Y-%m-%dT%H:%M:%SZ}" for edge in window)
    expected = Counter[str]()
    for event in events:
        if event["data"]["product"] == product and first <= event["time"] <= last:
            expected[event["subject"]] += event["data"]["tests"]
    return dict(tests_by_user(deployment, key, product, window)) != dict(expected)


def tests_by_user(
    deployment: Deployment, key: str, product: str, window: Window
) -> Iterator[tuple[str, int]]:
    page, pages = 1, 1
    while page <= pages:
        answer = deployment.get(REPORT, key, params=asked(product, window, 100, page))
        data = answer.json()["data"]
        pages = data["metadata"]["pagination"]["totalPages"]
        users = next(rows for rows in data.values() if isinstance(rows, list))
        yield from ((user["username"], user["totalTestsRun"]) for user in users)
        page += 1


def asked(product: str, window: Window, limit: int, page: int) -> dict[str, str]:
    start, end = (f"{edge:%Y-%m-%d %H:%M:%S}" for edge in window)
    who = {"type": "account-user", "product": product}
    return {"from": start, "to": end, **who, "limit": f"{limit}", "page": f"{page}"}
