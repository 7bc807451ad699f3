"""Demo organizations, made by rule: the same seed gives the same people, plainly named as demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEED = UUID("6f6d6574-6572-4000-8000-64656d6f0001")
DAYS_OF_USAGE = 90
LONGEST_MEMBERSHIP_DAYS = 400
MANAGERS = 3
ONE_IN_SERVICE = 20
APPS = ("Desktop App", "Web App")
OWN_KIND: Mapping[str, Any] = {
    "kind": "kind",
    "name": "document",
    "label": "Documents",
    "days": "local",
    "measures": [
        {"name": "exports", "label": "Exports", "aggregate": "count"},
        {"name": "pages", "label": "Pages"},
        {"name": "credits", "label": "Credits", "unit": "credits", "decimals": 2},
        {"name": "render_ms", "label": "Time to render", "unit": "ms"},
    ],
    "ratios": [
        {"name": "pages_per_export", "label": "Pages per export", "of": "pages", "per": "exports"}
    ],
    "breakdowns": ["format"],
}
"""A kind of the organization's own; `OWN_PRODUCT` is of it."""
OWN_PRODUCT = "Documents"

Row = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """A demo user, and the days on which they were invited, registered and deactivated."""

    number: int
    row: Row
    invited: date
    registered: date | None
    deactivated: date | None = None

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def username(self) -> str:
        return str(self.row["username"])

    def has_account_on(self, day: date) -> bool:
        joined = self.registered is not None and self.registered <= day
        return joined and (self.deactivated is None or day < self.deactivated)


@dataclass(frozen=True)
class DemoOrganization:
    """A demo organization, all of whose names begin with `word`."""

    word: str
    size: int
    teams: int
    today: date
    departments: int = 6

    @property
    def name(self) -> str:
        return f"{self.word.title()} Organization"

    @property
    def id(self) -> str:
        return self.id_of("organization")

    @property
    def admin(self) -> str:
        return f"{self.word}-admin@example.com"

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=DAYS_OF_USAGE - 1)

    @property
    def last_day(self) -> date:
        """The last day of usage, which is over."""
        return self.today - timedelta(days=1)

    def id_of(self, what: str) -> str:
        return str(uuid5(SEED, f"{self.word}/{what}"))

    @cached_property
    def people(self) -> list[Person]:
        """Team leads first, one for each team, then managers, then members."""
        return [self._person(number) for number in range(1, self.size + 1)]

    @property
    def lead(self) -> Person:
        return self.people[0]

    @property
    def manager(self) -> Person:
        return self.people[self.teams]

    @property
    def member(self) -> Person:
        return self.people[self.teams + MANAGERS]

    @property
    def service_user(self) -> Person:
        return self.people[ONE_IN_SERVICE * 2 - 1]

    def waves(self) -> list[list[Row]]:
        """Rows to put in three requests: all users invited, then registered, then deactivated."""
        joined = [(each, each.registered) for each in self.people if each.registered]
        left = [(each, each.deactivated) for each in self.people if each.deactivated]
        return [
            [
                *self._all_but_users(),
                *(each.row | state("invited", each.invited) for each in self.people),
            ],
            [{"kind": "user", "id": each.id, **state("registered", day)} for each, day in joined],
            [{"kind": "user", "id": each.id, **state("deactivated", day)} for each, day in left],
        ]

    def _all_but_users(self) -> Iterator[Row]:
        yield {"kind": "organization", "domains": ["example.com"], "plan_type": "enterprise"}
        yield {"kind": "license", **self._license()}
        for number in range(1, self.teams + 1):
            yield {"kind": "team", **self._named("Team", number), "is_default": number == 1}
        for number in range(1, self.departments + 1):
            yield {"kind": "department", **self._named("Department", number)}
        for app in APPS:
            name = f"{self.word.title()} {app}"
            yield {"kind": "product", "id": self.id_of(app), "name": name, "product_kind": "app"}
        yield {**OWN_KIND}
        yield {
            "kind": "product",
            "id": self.id_of(OWN_PRODUCT),
            "name": f"{self.word.title()} {OWN_PRODUCT}",
            "product_kind": OWN_KIND["name"],
        }

    def _license(self) -> Row:
        issued = datetime.combine(self.today - timedelta(days=300), time(), UTC)
        return {
            "iat": int(issued.timestamp()),
            "exp": int((issued + timedelta(days=730)).timestamp()),
            "seats": self.size + 50,
            "seats_cap": self.size + 100,
            "audience": self.word,
            "features": ["usage-report", "app-utilization"],
            "settings": {"trial": False},
        }

    def _named(self, what: str, number: int) -> Row:
        name = f"{what} {number:02d}"
        return {"id": self.id_of(name), "name": f"{self.word.title()} {name}"}

    def _person(self, number: int) -> Person:
        random = seeded_random(self.word, number)
        word = "service" if number % ONE_IN_SERVICE == 0 else "user"
        username = f"{self.word}-{word}-{number:03d}@example.com"
        departments = random.sample(range(1, self.departments + 1), random.choice((1, 1, 2)))
        row = {
            "kind": "user",
            "id": self.id_of(username),
            "username": username,
            "user_key": f"{self.word}-key-{number:03d}",
            "email": username,
            "type": f"{'service' if word == 'service' else 'account'}-user",
            "role": self._role(number),
            "team": self._team(number, random),
            "departments": [self.id_of(f"Department {each:02d}") for each in departments],
            "verified": random.random() < 0.9,  # noqa: PLR2004 - most have clicked the link
        }
        return Person(number, row, *self._days(number, random))

    def _role(self, number: int) -> str:
        if number <= self.teams:
            return "TeamLead"
        return "Manager" if number <= self.teams + MANAGERS else "Member"

    def _team(self, number: int, random: Random) -> str | None:
        if self.teams < number <= self.teams + MANAGERS:
            return None
        if number == self.teams + MANAGERS + 1:
            return self.id_of("Team 01")
        alone = number > self.teams and random.random() < 0.05  # noqa: PLR2004 - a few are in none
        team = number if number <= self.teams else random.randint(1, self.teams)
        return None if alone else self.id_of(f"Team {team:02d}")

    def _days(self, number: int, random: Random) -> tuple[date, date | None, date | None]:
        """When a user was invited, joined and left; users whom the demo names stay."""
        ago = random.randint(20, LONGEST_MEMBERSHIP_DAYS)
        joined = self.today - timedelta(days=ago)
        invited = joined - timedelta(days=random.randint(1, 10))
        fate = random.random()
        if number <= self.teams + MANAGERS + 1 or number == ONE_IN_SERVICE * 2:
            return invited, joined, None
        if fate < 0.05:  # noqa: PLR2004 - some have not answered yet
            return self.today - timedelta(days=random.randint(1, 30)), None, None
        left = joined + timedelta(days=random.randint(10, ago - 1))
        return invited, joined, left if fate > 0.9 else None  # noqa: PLR2004 - some have gone


def state(name: str, since: date) -> Row:
    return {"state": name, "state_since": f"{since.isoformat()}T08:00:00.000Z"}


def seeded_random(*words: object) -> Random:
    """A generator that gives the same numbers for the same words."""
    return Random("/".join(map(str, words)))  # noqa: S311 - it makes no secret
