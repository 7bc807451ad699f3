"""Demo organizations, made by rule: the same seed gives the same people, plainly named as demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEED = UUID("6f6d6574-6572-4000-8000-64656d6f0001")
DAYS_OF_USAGE = 365
DAYS_OF_A_REPORT = 90
LONGEST_MEMBERSHIP_DAYS = 700
MANAGERS = 3
ONE_IN_SERVICE = 20
DESKTOP_APP, WEB_APP = APPS = ("Desktop App", "Web App")
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


class Team(NamedTuple):
    """What a team is called, how large and busy it is beside others, and what it uses."""

    name: str
    size: int
    work: float
    uses: Mapping[str, float]
    """The share of its people who use each product."""
    is_fading: bool = False
    """Whether its people stop using anything, one after the other."""


CODING = {"code-completions": 0.9, "chat": 0.7}
TEAMS = (
    Team("Platform", 5, 1.1, {**CODING, "automation": 0.5, DESKTOP_APP: 0.4, WEB_APP: 0.3}),
    Team("Payments", 3, 1.0, {**CODING, "automation": 0.6, "realtime": 0.3, WEB_APP: 0.4}),
    Team("Mobile", 4, 1.0, {**CODING, "app-automation": 0.8, "realdevice": 0.7, WEB_APP: 0.3}),
    Team("Quality", 3, 1.2, {"automation": 0.9, "hyperexecute": 0.8, "smartui": 0.7, WEB_APP: 0.3}),
    Team("Research", 3, 0.9, {"chat": 0.9, DESKTOP_APP: 0.6, OWN_PRODUCT: 0.5}, is_fading=True),
    Team("Sales", 6, 0.9, {DESKTOP_APP: 0.3, WEB_APP: 0.9, OWN_PRODUCT: 0.8}),
    Team("Support", 4, 1.1, {"chat": 0.5, "realtime": 0.7, DESKTOP_APP: 0.8, WEB_APP: 0.6}),
    Team("Design", 2, 0.7, {"smartui": 0.8, DESKTOP_APP: 0.9, OWN_PRODUCT: 0.6}),
)
WITHOUT_TEAM = Team("", 0, 0.8, {"chat": 0.4, DESKTOP_APP: 0.5, WEB_APP: 0.5, OWN_PRODUCT: 0.5})
DEPARTMENTS = ("Engineering", "Product", "Operations", "Europe", "Americas", "Asia")


@dataclass(frozen=True)
class Person:
    """A demo user, and the days on which they were invited, registered and deactivated."""

    number: int
    row: Row
    invited: date
    registered: date | None
    deactivated: date | None = None
    idle_from: date | None = None
    """Since when they keep their seat and use nothing; the day they joined if they never did."""
    team: Team = WITHOUT_TEAM

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def username(self) -> str:
        return str(self.row["username"])

    def has_account_on(self, day: date) -> bool:
        joined = self.registered is not None and self.registered <= day
        return joined and (self.deactivated is None or day < self.deactivated)

    def is_active_on(self, day: date) -> bool:
        return self.has_account_on(day) and (self.idle_from is None or day < self.idle_from)


@dataclass(frozen=True)
class DemoOrganization:
    """A demo organization, all of whose names begin with `word`."""

    word: str
    size: int
    teams: int
    today: date
    days: int = DAYS_OF_USAGE

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
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def first_day_of_reports(self) -> date:
        """The first day of the longest range that every report answers."""
        return max(self.first_day, self.last_day - timedelta(days=DAYS_OF_A_REPORT - 1))

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
        return self.people[self.member_number - 1]

    @property
    def member_number(self) -> int:
        return self.teams + MANAGERS + 1

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
            name = TEAMS[number - 1].name
            yield {"kind": "team", **self._named("Team", number, name), "is_default": number == 1}
        for number, name in enumerate(DEPARTMENTS, 1):
            yield {"kind": "department", **self._named("Department", number, name)}
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

    def _named(self, what: str, number: int, name: str) -> Row:
        return {"id": self.id_of(f"{what} {number:02d}"), "name": f"{self.word.title()} {name}"}

    def _person(self, number: int) -> Person:
        random = seeded_random(self.word, number)
        word = "service" if number % ONE_IN_SERVICE == 0 else "user"
        username = f"{self.word}-{word}-{number:03d}@example.com"
        departments = random.sample(range(1, len(DEPARTMENTS) + 1), random.choice((1, 1, 2)))
        team = self._team(number, random)
        row = {
            "kind": "user",
            "id": self.id_of(username),
            "username": username,
            "user_key": f"{self.word}-key-{number:03d}",
            "email": username,
            "type": f"{'service' if word == 'service' else 'account'}-user",
            "role": self._role(number),
            "team": self.id_of(f"Team {team:02d}") if team else None,
            "departments": [self.id_of(f"Department {each:02d}") for each in departments],
            "verified": random.random() < 0.9,  # noqa: PLR2004 - most have clicked the link
        }
        invited, joined, left = self._days(number, random)
        its = TEAMS[team - 1] if team else WITHOUT_TEAM
        idle = self._idle_from(number, joined, its, random) if joined else None
        return Person(number, row, invited, joined, left, idle, its)

    def _role(self, number: int) -> str:
        if number <= self.teams:
            return "TeamLead"
        return "Manager" if number <= self.teams + MANAGERS else "Member"

    def _team(self, number: int, random: Random) -> int:
        """The number of a user's team; 0 for none."""
        if number <= self.teams:
            return number
        if number <= self.teams + MANAGERS:
            return 0
        if number == self.member_number:
            return 1
        if random.random() < 0.05:  # noqa: PLR2004 - a few are in none
            return 0
        sizes = [team.size for team in TEAMS[: self.teams]]
        return random.choices(range(1, self.teams + 1), sizes)[0]

    def _stays(self, number: int) -> bool:
        """Whether the demo names a user, who therefore stays."""
        return number <= self.member_number or number == ONE_IN_SERVICE * 2

    def _days(self, number: int, random: Random) -> tuple[date, date | None, date | None]:
        """When a user was invited, joined and left."""
        ago = random.randint(20, LONGEST_MEMBERSHIP_DAYS)
        joined = self.today - timedelta(days=ago)
        invited = joined - timedelta(days=random.randint(1, 10))
        fate = random.random()
        if self._stays(number):
            return invited, joined, None
        if fate < 0.05:  # noqa: PLR2004 - some have not answered yet
            return self.today - timedelta(days=random.randint(1, 30)), None, None
        left = joined + timedelta(days=random.randint(10, ago - 1))
        return invited, joined, left if fate > 0.9 else None  # noqa: PLR2004 - some have gone

    def _idle_from(self, number: int, joined: date, team: Team, random: Random) -> date | None:
        """Since when a user uses nothing: a fading team goes one by one, and a few elsewhere."""
        fate, ago = random.random(), random.randint(5, 170)
        if team.is_fading and fate < 0.9:  # noqa: PLR2004 - somebody goes on
            return max(joined, self.today - timedelta(days=ago))
        if self._stays(number) or fate > 0.1:  # noqa: PLR2004 - most use their seat
            return None
        never = fate < 0.04  # noqa: PLR2004
        return joined if never else max(joined, self.today - timedelta(days=30 + ago))


def state(name: str, since: date) -> Row:
    return {"state": name, "state_since": f"{since.isoformat()}T08:00:00.000Z"}


def seeded_random(*words: object) -> Random:
    """A generator that gives the same numbers for the same words."""
    return Random("/".join(map(str, words)))  # noqa: S311 - it makes no secret
