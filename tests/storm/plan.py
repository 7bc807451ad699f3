"""What a storm is made of: organizations, people, events and acts, all drawn from its seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from string import ascii_lowercase
from typing import Any, Final, NamedTuple
from uuid import UUID

USERS: Final = 14
"""Users of an organization whose usage one process sends; there are as many processes."""
LEAVERS: Final = 10
"""So many more of them can be erased."""
APP: Final = "app"
"""Stands for the id of the organization's app."""
HEADLINES: Final[Mapping[str, str]] = {
    "chat": "interactions",
    "automation": "tests",
    "smartui": "screenshots",
    APP: "sessions",
}
"""The measure of each product that is looked at while the storm goes on."""
MEASURES: Final[Mapping[str, Sequence[str]]] = {
    "chat": ("interactions", "useful_interactions", "lines", "chars_completed"),
    "automation": ("tests", "duration_ms"),
    "smartui": ("screenshots",),
    APP: ("active_ms", "sessions"),
}
ZONES: Final = ("Europe/Berlin", "Asia/Tokyo", "America/New_York", "UTC", "Australia/Lord_Howe")
DAYS: Final = 380
"""Events are at most so many days old."""
TWICE: Final = 1000
"""What the second event under an id says more than the first."""


@dataclass(frozen=True)
class Setup:
    """The size of a storm."""

    seed: int = 1
    seconds: float = 600
    organizations: int = 6
    processes: int = 4
    largest_batch: int = 24

    @property
    def is_short(self) -> bool:
        """Whether there is no time to restore or to settle."""
        return self.seconds <= SHORT_SECONDS

    @property
    def acts(self) -> Sequence["Act"]:
        return [act for act in ACTS if not self.is_short or act.name in QUICK]

    @cached_property
    def places(self) -> Sequence["Place"]:
        return [Place.of(self.seed, number) for number in range(self.organizations)]


class Place(NamedTuple):
    """An organization, and the mark that every name in it has."""

    number: int
    id: str
    app: str
    mark: str

    @classmethod
    def of(cls, seed: int, number: int) -> "Place":
        dice = Random(f"{seed} organization {number}")
        ids = [str(UUID(int=dice.getrandbits(128), version=4)) for _ in range(2)]
        mark = "".join(dice.choices(ascii_lowercase, k=9))
        return cls(number, ids[0], ids[1], mark)

    @property
    def admin(self) -> str:
        return f"{self.mark}-admin@example.com"

    def user(self, process: int, number: int) -> str:
        return f"{self.mark}-p{process}-u{number}@example.com"

    def leaver(self, process: int, number: int) -> str:
        return f"{self.mark}-p{process}-gone{number}@example.com"

    def twice(self, process: int) -> str:
        """Whose events come twice under an id, with other content."""
        return f"{self.mark}-p{process}-twice@example.com"

    def team(self, process: int, number: int) -> str:
        return f"{self.mark}-team-{process}-{number}"

    def product(self, name: str) -> str:
        return self.app if name == APP else name


class Use(NamedTuple):
    """An event that is good."""

    id: str
    source: str
    user: str
    product: str
    second: int
    measures: Sequence[int]

    @property
    def headline(self) -> int:
        return self.measures[MEASURES[self.product].index(HEADLINES[self.product])]

    @property
    def identity(self) -> tuple[str, str, int]:
        return self.source, self.id, self.second // 86_400

    def event(self, place: Place) -> dict[str, Any]:
        """As it is sent."""
        said = dict(zip(MEASURES[self.product], self.measures, strict=True))
        platform = {"platform": "web" if self.second % 2 else "desktop"}
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": "usage",
            "subject": self.user,
            "time": f"{datetime.fromtimestamp(self.second, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "data": {
                "product": place.product(self.product),
                **said,
                **(platform if self.product == APP else {}),
            },
        }


def drawn_use(dice: Random, name: str, source: str, user: str, now: datetime, days: int) -> Use:
    """Any use of any product, at most so many days ago."""
    product = dice.choice(list(MEASURES))
    ago = timedelta(seconds=dice.randrange(1, days * 86_400 if days else 120))
    measures = [dice.randrange(1, 60)]
    measures += [dice.randrange(0, 900) for _ in MEASURES[product][1:]]
    return Use(name, source, user, product, int((now - ago).timestamp()), measures)


BAD: Final[Sequence[tuple[str, Mapping[str, Any]]]] = (
    ("invalid_specversion", {"specversion": "0.9"}),
    ("missing_id", {"id": ""}),
    ("missing_source", {"source": None}),
    ("invalid_type", {"type": "login"}),
    ("missing_subject", {"subject": None}),
    ("invalid_subject", {"subject": " blank "}),
    ("invalid_time", {"time": "yesterday"}),
    ("time_ahead", {"time": "2099-01-01T00:00:00Z"}),
    ("time_too_old", {"time": "1999-01-01T00:00:00Z"}),
    ("invalid_data", {"data": []}),
    ("unknown_product", {"data": {"product": "telepathy", "tests": 1}}),
    ("unknown_measure", {"data": {"product": "chat", "tests": 1}}),
    ("invalid_measure", {"data": {"product": "chat", "interactions": -1}}),
    ("no_usage", {"data": {"product": "chat", "interactions": 0}}),
)
"""What is wrong with an event, and the code that names it."""


def spoiled(dice: Random, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """An event that is refused, and why."""
    code, changes = dice.choice(BAD)
    return code, {**event, **changes}


class Act(NamedTuple):
    """What an operator does, and when: a share of the storm's time."""

    at: float
    name: str


SHORT_SECONDS: Final = 120
QUICK: Final = frozenset({"rebuild"})
ACTS: Final[Sequence[Act]] = (
    Act(0.04, "rotate_secret"),
    Act(0.08, "rebuild"),
    Act(0.12, "copy_tables"),
    Act(0.17, "restart"),
    Act(0.27, "restore"),
    Act(0.45, "raise_lanes"),
    Act(0.52, "copy_tables"),
    Act(0.60, "rebuild"),
    Act(0.65, "raise_lanes"),
    Act(0.70, "restore"),
    Act(0.90, "restart"),
)
