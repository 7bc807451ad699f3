"""Demo usage, made by rule: who has an account works on most weekdays, and seldom on weekends."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from local.demo_organization import APPS, DemoOrganization, Person, chance
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

MOST_EVENTS = 1000
LARGEST_BATCH_BYTES = 1024 * 1024
SATURDAY = 5
ON_A_WEEKDAY, ON_A_WEEKEND = 0.6, 0.05
WORKDAY_BEGINS = time(7)
WORKDAY_SECONDS = 11 * 3600
KNOWN_SHARE = 0.4

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
    if luck.random() > (ON_A_WEEKEND if day.weekday() >= SATURDAY else ON_A_WEEKDAY):
        return
    for product, kind in products_of(organization, person).items():
        for turn in range(luck.choice((0, 1, 1, 2))):
            yield {
                "specversion": "1.0",
                "id": f"{day}/{person.number}/{product}/{turn}",
                "source": f"{organization.word}-meter",
                "type": "usage",
                "subject": person.username,
                "time": moment(day, luck),
                "data": {"product": product, **measured(kind, luck)},
            }


def products_of(organization: DemoOrganization, person: Person) -> dict[str, Kind]:
    """The products that someone knows: every app, and some of the others."""
    luck = chance(organization.word, person.number, "products")
    apps = {organization.id_of(app): KINDS["app"] for app in APPS}
    known = {name: kind for name, kind in DEFAULT_PRODUCTS.items() if luck.random() < KNOWN_SHARE}
    return apps | known


def moment(day: date, luck: Random) -> str:
    """A second of the working day."""
    begins = datetime.combine(day, WORKDAY_BEGINS, UTC)
    return f"{begins + timedelta(seconds=luck.randrange(WORKDAY_SECONDS)):%Y-%m-%dT%H:%M:%SZ}"


def measured(kind: Kind, luck: Random) -> dict[str, Any]:
    """Every measure of a kind, and a platform where there are some."""
    values: dict[str, Any] = {measure: luck.randint(1, 500) for measure in kind.measures}
    for measure in kind.measures:
        if measure.endswith("_ms"):
            values[measure] = luck.randint(1_000, 3_600_000)
    if "useful_interactions" in values:
        values["useful_interactions"] = luck.randint(0, values["interactions"])
    return values | ({"platform": luck.choice(kind.platforms)} if kind.platforms else {})


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
