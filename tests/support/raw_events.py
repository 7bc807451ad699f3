"""A company's raw events, sent as senders do, and the same events as rows of a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from odometer.domain.time import epoch_second, format_seconds, instant_at
from odometer.engine.format.marks import GROUP
from tests.support.apps import Client
from tests.support.usage_sender import BATCH, EVENTS

NOW: Final = datetime(2026, 11, 18, 10, 17, 23, tzinfo=UTC)
FIRST: Final = datetime(2024, 10, 1, tzinfo=UTC)
ZONE: Final = "Asia/Kolkata"
PEOPLE, TEAMS, DEPARTMENTS = 60, 24, 5
AT_ONCE: Final = 1_000
KINDS: Final[Sequence[dict[str, Any]]] = (
    {
        "name": "document",
        "label": "Documents",
        "days": "local",
        "measures": [
            {"name": "exports", "aggregate": "count"},
            {"name": "pages", "unit": "count"},
            {"name": "credits", "unit": "credits", "decimals": 2},
            {"name": "render_ms", "unit": "ms"},
        ],
        "ratios": [{"name": "pages_per_export", "of": "pages", "per": "exports"}],
        "breakdowns": ["format"],
    },
    {
        "name": "model-call",
        "label": "Model calls",
        "days": "utc",
        "measures": [{"name": "tokens", "unit": "tokens"}, {"name": "calls", "aggregate": "count"}],
        "breakdowns": ["model", "region"],
    },
)
PRODUCTS: Final = {
    "editor": "document",
    "viewer": "document",
    "assistant": "model-call",
    "reviewer": "model-call",
}
VALUES: Final = {
    "format": ["pdf", "html", "docx", None],
    "model": ["small", "large", "Größe ☃", None],
    "region": ["eu", "us", None],
}


class RawEvent(NamedTuple):
    """An event as a row: what it does not have is NULL, and adds nothing to a sum."""

    product: str
    who: str
    second: int
    exports: int | None = None
    pages: int | None = None
    credits: Decimal | None = None
    render_ms: int | None = None
    tokens: int | None = None
    calls: int | None = None
    tests: int | None = None
    duration_ms: int | None = None
    format: str | None = None
    model: str | None = None
    region: str | None = None


class Membership(NamedTuple):
    """A user in a team and a department, either of which may be missing."""

    who: str
    team: str | None
    type: str
    department: str | None


COLUMNS: Final = {
    **dict.fromkeys(("product", "who", "format", "model", "region"), "VARCHAR"),
    **dict.fromkeys(("second", "exports", "pages", "render_ms", "tokens"), "BIGINT"),
    **dict.fromkeys(("calls", "tests", "duration_ms"), "BIGINT"),
    "credits": "DECIMAL(18, 2)",
}
COUNTS: Final = {"exports", "calls"}
"""Measures for which an event sends nothing: it counts as one."""


@dataclass
class Company:
    """A company with own products, and all that it has used."""

    client: Client
    luck: Random = field(default_factory=lambda: Random(13))
    events: list[RawEvent] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)

    def begin(self) -> None:
        """Put the directory."""
        teams = [{"id": f"t{n:02}", "name": f"Team {n:02}"} for n in range(TEAMS)]
        departments = [
            {"id": f"00000000-0000-4000-8000-00000000000{n}", "name": f"Department {n}"}
            for n in range(DEPARTMENTS)
        ]
        ids = [each["id"] for each in departments]
        for n in range(PEOPLE):
            row = {
                "id": f"u{n:02}",
                "username": f"person-{n:02}",
                "team": self.luck.choice([None, *(team["id"] for team in teams)]),
                "departments": self.luck.sample(ids, self.luck.choice([0, 1, 1, 2])),
                "type": "service-user" if n % 7 == 0 else "account-user",
            }
            self.people.append(row)
        products = [
            {"id": each, "name": each.title(), "kind": kind} for each, kind in PRODUCTS.items()
        ]
        document = {
            "organization": {"time_zone": ZONE},
            "license": {"exp": 2_000_000_000, "iat": 1_700_000_000, "seats": 70, "seats_cap": 80},
            "kinds": list(KINDS),
            "products": products,
            "teams": teams,
            "departments": departments,
            "users": self.people,
        }
        reply = self.client.stack.put(self.client.admin, document)
        assert {row["status"] for row in reply.json["results"]} <= {"created", "updated"}, reply

    def use(self, count: int, first: datetime, last: datetime) -> None:
        """Send so many events between two instants, and fold them."""
        seconds = range(epoch_second(first), epoch_second(last))
        new = [self._event(self.luck.choice(seconds)) for _ in range(count)]
        for start in range(0, count, AT_ONCE):
            some = new[start : start + AT_ONCE]
            body = [as_sent(each, len(self.events) + at) for at, each in enumerate(some)]
            reply = self.client.stack.call(
                "POST", EVENTS, self.client.admin, headers=BATCH, body=body
            )
            assert reply.json["accepted"] == len(some), reply
            self.events += some
        self._fold()

    def settle(self) -> None:
        """Settle all that is folded, and add weeks up by team, department and type."""
        self.client.settle()
        engine, organization = self.client.usage_sender.engine, self.client.organization
        while GROUP in engine.remaining(organization, self.client.now):
            engine.group(organization, self.client.now)

    def memberships(self) -> Iterator[Membership]:
        """A row for each department that a user is in."""
        for each in self.people:
            for department in each["departments"] or [None]:
                yield Membership(each["username"], each["team"], each["type"], department)

    def _fold(self) -> None:
        engine = self.client.usage_sender.engine
        while engine.fold_outstanding(self.client.organization, self.client.now):
            self.settle()

    def _event(self, second: int) -> RawEvent:
        luck, product = self.luck, self.luck.choice([*PRODUCTS, "automation"])
        years_ago = (epoch_second(NOW) - second) // (365 * 86_400)
        some = self.people[: PEOPLE - 8 * years_ago - (second % 9)]
        who = luck.choice(some)["username"]
        kind = PRODUCTS.get(product)
        if kind == "document":
            return RawEvent(
                product,
                who,
                second,
                exports=1,
                pages=luck.randrange(40),
                credits=Decimal(luck.randrange(10_000)) / 100,
                render_ms=luck.randrange(90_000),
                format=luck.choice(VALUES["format"]),
            )
        if kind == "model-call":
            return RawEvent(
                product,
                who,
                second,
                tokens=luck.randrange(5_000),
                calls=1,
                model=luck.choice(VALUES["model"]),
                region=luck.choice(VALUES["region"]),
            )
        return RawEvent(
            product, who, second, tests=luck.randrange(1, 9), duration_ms=luck.randrange(10**6)
        )


def as_sent(event: RawEvent, number: int) -> str | dict[str, Any]:
    data = {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in event._asdict().items()
        if value is not None and name not in {"who", "second"} and name not in COUNTS
    }
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "test",
        "type": "usage",
        "subject": event.who,
        "time": format_seconds(instant_at(event.second)),
        "data": data,
    }


def company_of(client: Client) -> Company:
    """A company whose use is sealed month by month, with some late, and then only folded."""
    company, stages = Company(client), 8
    client.later(FIRST - client.now)
    company.begin()
    for stage in range(1, stages + 1):
        before = client.now
        client.later(FIRST + (NOW - timedelta(days=1) - FIRST) * stage / stages - client.now)
        company.use(500, before, client.now)
        company.use(20, FIRST, client.now)
        company.settle()
    client.later(NOW - client.now)
    company.use(300, NOW - timedelta(days=1, hours=10), NOW)
    return company
