"""Demo usage, made by rule: most work on weekdays, teams and people differ, machines run tests."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from local.demo_organization import DemoOrganization, Person, chance
from odometer.domain.kinds import DEFAULT_PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from random import Random

MOST_EVENTS = 1000
LARGEST_BATCH_BYTES = 1024 * 1024
SATURDAY = 5
ON_A_WEEKDAY, ON_A_WEEKEND = 0.7, 0.05
TEAMS_DIFFER_BY = (0.4, 1.3)
WORKDAY_BEGINS = time(7)
WORKDAY_SECONDS = 11 * 3600
PLATFORMS = {"Desktop App": "desktop", "Web App": "web"}
KNOWN_BY = {
    "automation": 0.45,
    "app-automation": 0.25,
    "hyperexecute": 0.2,
    "realtime": 0.35,
    "realdevice": 0.25,
    "smartui": 0.2,
    "code-completions": 0.55,
    "chat": 0.45,
    "Desktop App": 0.7,
    "Web App": 0.5,
}
"""The share of people who work with each product, in a team like any other."""
MINUTE_MS = 60_000

Event = dict[str, Any]


def demo_events(organization: DemoOrganization, first: date, last: date) -> Iterator[Event]:
    """All usage of an organization from one day to another, day by day; the same every time."""
    for ago in range((last - first).days + 1):
        day = first + timedelta(days=ago)
        for person in organization.people:
            if person.uses(day):
                yield from events_of(organization, person, day)


def events_of(organization: DemoOrganization, person: Person, day: date) -> Iterator[Event]:
    """What one person does on one day; often nothing."""
    luck = chance(organization.word, person.number, day)
    at_work = ON_A_WEEKEND if day.weekday() >= SATURDAY else ON_A_WEEKDAY
    if luck.random() > at_work * liking(organization, person, "work"):
        return
    for product in products_of(organization, person):
        for turn in range(luck.choice((0, 1, 1, 2))):
            yield {
                "specversion": "1.0",
                "id": f"{day}/{person.number}/{product}/{turn}",
                "source": f"{organization.word}-meter",
                "type": "usage",
                "subject": person.username,
                "time": moment(day, luck),
                "data": measured(organization, product, luck),
            }


def products_of(organization: DemoOrganization, person: Person) -> list[str]:
    """The products that someone works with; machines run tests and nothing else."""
    luck = chance(organization.word, person.number, "products")
    if person.row["type"] == "service-user":
        return [name for name, kind in DEFAULT_PRODUCTS.items() if kind.name in {"test", "visual"}]
    return [
        product
        for product, share in KNOWN_BY.items()
        if luck.random() < share * liking(organization, person, product)
        or (product in PLATFORMS and person is organization.member)
    ]


def liking(organization: DemoOrganization, person: Person, what: str) -> float:
    """How much more or less than others someone's team works, or works with a product."""
    return chance(organization.word, person.row["team"], what).uniform(*TEAMS_DIFFER_BY)


def moment(day: date, luck: Random) -> str:
    """A second of the working day."""
    begins = datetime.combine(day, WORKDAY_BEGINS, UTC)
    return f"{begins + timedelta(seconds=luck.randrange(WORKDAY_SECONDS)):%Y-%m-%dT%H:%M:%SZ}"


def measured(organization: DemoOrganization, product: str, luck: Random) -> dict[str, Any]:
    """The data of an event: every measure of the product's kind."""
    if platform := PLATFORMS.get(product):
        return {"product": organization.id_of(product), **app_time(luck), "platform": platform}
    return {"product": product, **MEASURED[DEFAULT_PRODUCTS[product].name](luck)}


def run_of_tests(luck: Random) -> dict[str, int]:
    tests = luck.randint(1, 12)
    return {"tests": tests, "duration_ms": sum(luck.randint(12_000, 90_000) for _ in range(tests))}


def screenshots(luck: Random) -> dict[str, int]:
    return {"screenshots": luck.randint(4, 60)}


def completions(luck: Random) -> dict[str, int]:
    accepted = luck.randint(5, 80)
    chars = sum(luck.randint(6, 18) for _ in range(accepted))
    return {
        "completions": accepted,
        "chars_completed": chars,
        "keystrokes": round(chars * luck.uniform(1.5, 4)),
        "lines": accepted + luck.randint(0, accepted // 4),
    }


def conversation(luck: Random) -> dict[str, int]:
    interactions = luck.randint(1, 15)
    useful = sum(luck.random() < 0.6 for _ in range(interactions))  # noqa: PLR2004 - most of them
    lines = sum(luck.randint(2, 12) for _ in range(useful))
    return {
        "interactions": interactions,
        "useful_interactions": useful,
        "lines": lines,
        "chars_completed": sum(luck.randint(12, 48) for _ in range(lines)),
    }


def app_time(luck: Random) -> dict[str, int]:
    sessions = luck.randint(1, 3)
    lengths = (luck.randint(3 * MINUTE_MS, 45 * MINUTE_MS) for _ in range(sessions))
    return {"active_ms": sum(lengths), "sessions": sessions}


MEASURED: Mapping[str, Callable[[Random], dict[str, int]]] = {
    "test": run_of_tests,
    "visual": screenshots,
    "completion": completions,
    "chat": conversation,
}


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events in order, as many at a time as one request may carry."""
    batch: list[Event] = []
    size = 2
    for event in events:
        bytes_more = len(json.dumps(event)) + 2
        if len(batch) == MOST_EVENTS or size + bytes_more > LARGEST_BATCH_BYTES:
            yield batch
            batch, size = [], 2
        batch.append(event)
        size += bytes_more
    if batch:
        yield batch
