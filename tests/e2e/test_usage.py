"""From an event to every report: what was sent is counted exactly, and once."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from local.demo import expect_no_rejection, rows_of
from local.demo_organization import DemoOrganization
from local.demo_usage import demo_events, event_batches
from odometer.domain.kinds import KINDS
from odometer_cli.client import Client
from odometer_cli.directory_rows import put_rows
from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment

PATIENCE_SECONDS = 120
REPORT = "/insights/api/v3/public/usage-report"
TODAY = datetime.now(UTC).date()
DEMO = DemoOrganization("e2e", size=40, teams=2, today=TODAY)
FIRST_DAY = DEMO.last_day - timedelta(days=13)
EVENTS = list(demo_events(DEMO, FIRST_DAY, DEMO.last_day))
PEOPLE = {person.username: person.row for person in DEMO.people}
RANGE = {"from": f"{FIRST_DAY} 00:00:00", "to": f"{DEMO.last_day} 23:59:59"}


def test_usage_sent_twice_at_once_shows_in_the_reports_exactly_and_once(
    deployment: Deployment, fresh: Fresh
) -> None:
    client = Client(deployment["BASE_URL"], fresh.key)
    for wave in DEMO.waves():
        expect_no_rejection(put_rows(client, list(rows_of(wave)), lambda _: None))
    sent = list(event_batches(EVENTS)) * 2
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda batch: client.post("/v1/events", batch), sent))
    assert sum(receipt["accepted"] for receipt in receipts) == 2 * len(EVENTS)
    for user_type in ("account-user", "service-user"):
        summary = summary_of(fresh, user_type)
        assert eventually(deployment, fresh, "summary", summary, type=user_type) == summary
        for product in ("automation", "smartui"):
            query = {"type": user_type, "product": product, "limit": "100"}
            drilldown = drilldown_of(fresh, user_type, product)
            assert eventually(deployment, fresh, "drilldown", drilldown, **query) == drilldown


def eventually(
    deployment: Deployment, fresh: Fresh, report: str, expected: Any, **query: str
) -> Any:
    """The report as soon as it is as expected, or as it stands when patience ends."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = deployment.get(f"{REPORT}/{report}", fresh.key, params={**query, **RANGE})
        assert answer.status_code == 200, answer.text
        content = answer.json()["data"]
        if content == expected or time.monotonic() > gives_up_at:
            return content
        time.sleep(1)


def summary_of(fresh: Fresh, user_type: str) -> dict[str, Any]:
    """The summary, by adding up what was sent."""
    sums = {product: sums_of(product, [user_type]) for product in products()}
    users = {username for each in sums.values() for username in each}
    return {
        "metadata": metadata(fresh, type=user_type, totalUsers=len(users)),
        "products": {product: totals(product, each.values()) for product, each in sums.items()},
    }


def drilldown_of(fresh: Fresh, user_type: str, product: str) -> dict[str, Any]:
    """The drilldown, by adding up what was sent: its totals are those of both types of user."""
    everybody = sums_of(product, ["account-user", "service-user"]).values()
    users = [row(product, *each) for each in sums_of(product, [user_type]).items()]
    rank = sorted(users, key=lambda each: ([-n for n in list(each.values())[3:]], each["id"]))
    pages = {"limit": 100, "page": 1, "total": len(rank), "totalPages": min(len(rank), 1)}
    return {
        "metadata": metadata(fresh, type=user_type, product=product, totalUsers=len(rank))
        | {**totals(product, everybody), "pagination": pages},
        "users": rank,
    }


def products() -> tuple[str, ...]:
    return (*KINDS["test"].products, *KINDS["visual"].products)


def sums_of(product: str, user_types: Iterable[str]) -> Mapping[str, list[int]]:
    """What each user of these types has used of a product."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for event in EVENTS:
        values = event["data"]
        if values["product"] == product and PEOPLE[event["subject"]]["type"] in user_types:
            sum_of_user = sums[event["subject"]]
            sum_of_user[0] += values.get("tests", values.get("screenshots"))
            sum_of_user[1] += values.get("duration_ms", 0)
    return sums


def totals(product: str, sums: Iterable[list[int]]) -> dict[str, int]:
    tests, duration_ms = (sum(column) for column in zip((0, 0), *sums, strict=True))
    if product in KINDS["visual"].products:
        return {"totalScreenshots": tests}
    return {"totalTests": tests, "totalDuration": duration_ms}


def row(product: str, username: str, sums: list[int]) -> dict[str, Any]:
    person = {"id": PEOPLE[username]["id"], "username": username, "email": username}
    if product in KINDS["visual"].products:
        return {**person, "totalScreenshots": sums[0]}
    return {**person, "totalTestsRun": sums[0], "totalDuration": sums[1]}


def metadata(fresh: Fresh, **values: Any) -> dict[str, Any]:
    organization = {"id": fresh.id, "name": "E2E Organization"}
    return {**values, **RANGE, "timezone": "+00:00", "organization": organization}
