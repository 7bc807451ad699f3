"""Demo usage, made by rule: most work on weekdays, teams and people differ, machines run tests."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from local.demo_organization import OWN_PRODUCT, DemoOrganization, Person, seeded_random
from odometer.api.v1.events import LARGEST_BODY, MOST_EVENTS
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer_cli.batches import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from random import Random

SATURDAY = 5
ON_A_WEEKDAY, ON_A_WEEKEND = 0.7, 0.05
TEAMS_DIFFER_BY = (0.4, 1.3)
WORKDAY_BEGINS = time(7)
WORKDAY_SECONDS = 11 * 3600
PLATFORMS = {"Desktop App": "desktop", "Web App": "web"}
SHARE_OF_USERS = {
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
    OWN_PRODUCT: 0.4,
}
"""The share of people who use each product, in an average team."""
MINUTE_MS = 60_000

Event = dict[str, Any]


def demo_events(organization: DemoOrganization, first: date, last: date) -> Iterator[Event]:
    """All usage of an organization from one day to another, in order, the same every time."""
    for ago in range((last - first).days + 1):
        day = first + timedelta(days=ago)
        for person in organization.people:
            if person.has_account_on(day):
                yield from events_of(organization, person, day)


def events_of(organization: DemoOrganization, person: Person, day: date) -> Iterator[Event]:
    """The events of one person on one day; often none."""
    random = seeded_random(organization.word, person.number, day)
    at_work = ON_A_WEEKEND if day.weekday() >= SATURDAY else ON_A_WEEKDAY
    if random.random() > at_work * team_factor(organization, person, "work"):
        return
    for product in products_of(organization, person):
        for turn in range(random.choice((0, 1, 1, 2))):
            yield {
                "specversion": "1.0",
                "id": f"{day}/{person.number}/{product}/{turn}",
                "source": f"{organization.word}-meter",
                "type": "usage",
                "subject": person.username,
                "time": working_time(day, random),
                "data": event_data(organization, product, random),
            }


def products_of(organization: DemoOrganization, person: Person) -> list[str]:
    """The products that a person uses; service users run tests and nothing else."""
    random = seeded_random(organization.word, person.number, "products")
    if person.row["type"] == "service-user":
        return [name for name, kind in DEFAULT_PRODUCTS.items() if kind.name in {"test", "visual"}]
    return [
        product
        for product, share in SHARE_OF_USERS.items()
        if random.random() < share * team_factor(organization, person, product)
        or (product in PLATFORMS and person is organization.member)
    ]


def team_factor(organization: DemoOrganization, person: Person, what: str) -> float:
    """How much more or less than others a person's team works, or uses a product."""
    return seeded_random(organization.word, person.row["team"], what).uniform(*TEAMS_DIFFER_BY)


def working_time(day: date, random: Random) -> str:
    begins = datetime.combine(day, WORKDAY_BEGINS, UTC)
    return f"{begins + timedelta(seconds=random.randrange(WORKDAY_SECONDS)):%Y-%m-%dT%H:%M:%SZ}"


def event_data(organization: DemoOrganization, product: str, random: Random) -> dict[str, Any]:
    """The data of an event: every measure of the product's kind."""
    if platform := PLATFORMS.get(product):
        return {"product": organization.id_of(product), **app_data(random), "platform": platform}
    if product == OWN_PRODUCT:
        return {"product": organization.id_of(product), **document_data(random)}
    return {"product": product, **DATA_OF_KIND[DEFAULT_PRODUCTS[product].name](random)}


def test_data(random: Random) -> dict[str, int]:
    tests = random.randint(1, 12)
    return {
        "tests": tests,
        "duration_ms": sum(random.randint(12_000, 90_000) for _ in range(tests)),
    }


def screenshot_data(random: Random) -> dict[str, int]:
    return {"screenshots": random.randint(4, 60)}


def completion_data(random: Random) -> dict[str, int]:
    accepted = random.randint(5, 80)
    chars = sum(random.randint(6, 18) for _ in range(accepted))
    return {
        "completions": accepted,
        "chars_completed": chars,
        "keystrokes": round(chars * random.uniform(1.5, 4)),
        "lines": accepted + random.randint(0, accepted // 4),
    }


def chat_data(random: Random) -> dict[str, int]:
    interactions = random.randint(1, 15)
    useful = sum(random.random() < 0.6 for _ in range(interactions))  # noqa: PLR2004 - most of them
    lines = sum(random.randint(2, 12) for _ in range(useful))
    return {
        "interactions": interactions,
        "useful_interactions": useful,
        "lines": lines,
        "chars_completed": sum(random.randint(12, 48) for _ in range(lines)),
    }


def app_data(random: Random) -> dict[str, int]:
    sessions = random.randint(1, 3)
    lengths = (random.randint(3 * MINUTE_MS, 45 * MINUTE_MS) for _ in range(sessions))
    return {"active_ms": sum(lengths), "sessions": sessions}


def document_data(random: Random) -> dict[str, Any]:
    pages = random.randint(1, 24)
    return {
        "pages": pages,
        "credits": pages * random.choice((5, 8)) / 100,
        "render_ms": sum(random.randint(40, 900) for _ in range(pages)),
        "format": random.choice(("pdf", "pdf", "docx", "html")),
    }


DATA_OF_KIND: Mapping[str, Callable[[Random], dict[str, int]]] = {
    "test": test_data,
    "visual": screenshot_data,
    "completion": completion_data,
    "chat": chat_data,
}


def event_batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events in order, as many at a time as one request may carry."""
    room = LARGEST_BODY - len("[]")
    return batches(events, lambda event: len(json.dumps(event)) + 2, MOST_EVENTS, room)
