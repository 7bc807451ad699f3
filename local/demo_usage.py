"""A year of demo usage, made by rule, with something to see in it.

Weekdays are busy, weekends and the last week of December quiet, August a little; people join over
the year; chat is taken up by and by; the Web App is launched four months ago and found within
weeks; one team fades away. Machines run tests at night.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from local.demo_organization import (
    DESKTOP_APP,
    OWN_PRODUCT,
    WEB_APP,
    DemoOrganization,
    Person,
    seeded_random,
)
from odometer.api.v1.events import LARGEST_BODY, MOST_EVENTS
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer_cli.batches import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from random import Random

AT_WORK = (0.64, 0.69, 0.7, 0.66, 0.5, 0.03, 0.02)
"""The share of people who use anything, from Monday to Sunday."""
EVERY_NIGHT = 0.6
"""The share of machines that run tests in a night."""
USES_A_SECOND = 0.15
"""How often somebody uses a second product on the same day."""
HOLIDAY = ((12, 24), (1, 2))
HOLIDAY_SHARE, AUGUST_SHARE = 0.07, 0.75
AUGUST = 8
LAUNCHED_DAYS_AGO, DAYS_TO_FIND_IT = 120, 18
CHAT_SPREADS_FROM, CHAT_SPREADS_TO = 500, 30
PRODUCTS_OF_A_MACHINE = 2
WORKDAY_BEGINS = time(7)
WORKDAY_SECONDS = 11 * 3600
NIGHT_SECONDS = 5 * 3600
PLATFORMS = {DESKTOP_APP: "desktop", WEB_APP: "web"}
MINUTE_MS = 60_000

Event = dict[str, Any]


class Habits(NamedTuple):
    """What a person uses, each from which day on, and how much beside others."""

    products: Mapping[str, date]
    intensity: float
    diligence: float


def demo_events(organization: DemoOrganization, first: date, last: date) -> Iterator[Event]:
    """All usage of an organization from one day to another, in order, the same every time."""
    people = [(person, habits_of(organization, person)) for person in organization.people]
    for ago in range((last - first).days + 1):
        day = first + timedelta(days=ago)
        for person, habits in people:
            if person.is_active_on(day):
                yield from events_of(organization, person, habits, day)


def events_of(
    organization: DemoOrganization, person: Person, habits: Habits, day: date
) -> Iterator[Event]:
    """The events of one person on one day; often none."""
    random = seeded_random(organization.word, person.number, day)
    if random.random() > share_at_work(person, day) * habits.diligence:
        return
    known = [product for product, since in habits.products.items() if since <= day]
    several = 1 + (random.random() < USES_A_SECOND)
    for product in random.sample(known, min(several, len(known))):
        yield {
            "specversion": "1.0",
            "id": f"{day}/{person.number}/{product}/0",
            "source": f"{organization.word}-meter",
            "type": "usage",
            "subject": person.username,
            "time": moment(person, day, random),
            "data": event_data(organization, product, habits.intensity, random),
        }


def share_at_work(person: Person, day: date) -> float:
    """How likely a person is to use anything on a day."""
    return EVERY_NIGHT if is_machine(person) else AT_WORK[day.weekday()] * season(day)


def season(day: date) -> float:
    begins, ends = HOLIDAY
    if (day.month, day.day) >= begins or (day.month, day.day) < ends:
        return HOLIDAY_SHARE
    return AUGUST_SHARE if day.month == AUGUST else 1.0


def is_machine(person: Person) -> bool:
    return bool(person.row["type"] == "service-user")


def habits_of(organization: DemoOrganization, person: Person) -> Habits:
    random = seeded_random(organization.word, person.number, "habits")
    products = products_of(organization, person, random)
    since = {each: used_since(organization, each, random) for each in products}
    intensity = min(max(random.lognormvariate(0, 0.5), 0.4), 2.5)
    return Habits(since, intensity, person.team.work * random.uniform(0.7, 1.2))


def products_of(organization: DemoOrganization, person: Person, random: Random) -> list[str]:
    """The products that a person uses; service users run tests and nothing else."""
    if is_machine(person):
        tests = [name for name, kind in DEFAULT_PRODUCTS.items() if kind.name in {"test", "visual"}]
        return random.sample(tests, PRODUCTS_OF_A_MACHINE)
    found = [product for product, share in person.team.uses.items() if random.random() < share]
    named = PLATFORMS if person is organization.member else {}
    return list(dict.fromkeys([*found, *named])) or [DESKTOP_APP]


def used_since(organization: DemoOrganization, product: str, random: Random) -> date:
    """When a person finds a product; most of them have always been there."""
    today = organization.today
    if product == WEB_APP:
        found_after = int(random.expovariate(1 / DAYS_TO_FIND_IT))
        return today - timedelta(days=LAUNCHED_DAYS_AGO) + timedelta(days=found_after)
    if product == "chat":
        return today - timedelta(days=random.randint(CHAT_SPREADS_TO, CHAT_SPREADS_FROM))
    return date.min


def moment(person: Person, day: date, random: Random) -> str:
    if is_machine(person):
        begins, seconds = time(), NIGHT_SECONDS
    else:
        begins, seconds = WORKDAY_BEGINS, WORKDAY_SECONDS
    at = datetime.combine(day, begins, UTC) + timedelta(seconds=random.randrange(seconds))
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def event_data(
    organization: DemoOrganization, product: str, intensity: float, random: Random
) -> dict[str, Any]:
    """The data of an event: every measure of the product's kind."""
    if platform := PLATFORMS.get(product):
        data = {**app_data(intensity, random), "platform": platform}
        return {"product": organization.id_of(product), **data}
    if product == OWN_PRODUCT:
        return {"product": organization.id_of(product), **document_data(intensity, random)}
    return {"product": product, **DATA_OF_KIND[DEFAULT_PRODUCTS[product].name](intensity, random)}


def some(most: int, intensity: float, random: Random) -> int:
    """At least one; more for those who do more."""
    return max(1, round(random.randint(1, most) * intensity))


def test_data(intensity: float, random: Random) -> dict[str, int]:
    tests = some(24, intensity, random)
    return {"tests": tests, "duration_ms": tests * random.randint(12_000, 90_000)}


def screenshot_data(intensity: float, random: Random) -> dict[str, int]:
    return {"screenshots": some(60, intensity, random)}


def completion_data(intensity: float, random: Random) -> dict[str, int]:
    accepted = some(80, intensity, random)
    chars = round(accepted * random.uniform(8, 16))
    return {
        "completions": accepted,
        "chars_completed": chars,
        "keystrokes": round(chars * random.uniform(1.5, 4)),
        "lines": accepted + random.randint(0, accepted // 4),
    }


def chat_data(intensity: float, random: Random) -> dict[str, int]:
    interactions = some(12, intensity, random)
    useful = round(interactions * random.triangular(0.2, 1, 0.6))
    lines = sum(random.randint(2, 12) for _ in range(useful))
    return {
        "interactions": interactions,
        "useful_interactions": useful,
        "lines": lines,
        "chars_completed": lines * random.randint(12, 48),
    }


def app_data(intensity: float, random: Random) -> dict[str, int]:
    sessions = some(4, intensity, random)
    return {
        "active_ms": sum(random.randint(3 * MINUTE_MS, 45 * MINUTE_MS) for _ in range(sessions)),
        "sessions": sessions,
    }


def document_data(intensity: float, random: Random) -> dict[str, Any]:
    pages = some(24, intensity, random)
    return {
        "pages": pages,
        "credits": pages * random.choice((5, 8)) / 100,
        "render_ms": pages * random.randint(40, 900),
        "format": random.choices(FORMATS, (6, 3, 1))[0],
    }


FORMATS = ("pdf", "docx", "html")
DATA_OF_KIND: Mapping[str, Callable[[float, Random], dict[str, int]]] = {
    "test": test_data,
    "visual": screenshot_data,
    "completion": completion_data,
    "chat": chat_data,
}


def event_batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events in order, as many at a time as one request may carry."""
    room = LARGEST_BODY - len("[]")
    return batches(events, lambda event: len(json.dumps(event)) + 2, MOST_EVENTS, room)
