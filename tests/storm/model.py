"""What must be counted: the events that clients wrote down before they sent them, added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.storm.plan import HEADLINES, MEASURES, TWICE, Place, Use

Key = tuple[str, str, int]
"""A user, a product and a second."""


@dataclass
class Model:
    """One organization as it must be after a storm."""

    place: Place
    uses: dict[tuple[str, str, int], Use] = field(default_factory=dict)
    """Every event once, by what makes it the same event."""
    twice: dict[tuple[str, str, int], list[Use]] = field(default_factory=dict)
    """Events of which two came under one id: either counts."""
    erased: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    """Whose erasure was begun and has no answer: they may be there or not."""
    teams: dict[str, str | None] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """A line of a journal."""
        match line["t"]:
            case "sent":
                for use in uses_of(line):
                    self.uses.setdefault(use.identity, use)
            case "twice":
                for use in uses_of(line):
                    self.twice.setdefault(use.identity, []).append(use)
            case "erasing":
                self.begun.add(line["name"])
            case "end":
                self.erased |= {*line["erased"]}
                self.teams |= line["teams"]
                self.states |= line["states"]

    @property
    def events(self) -> Mapping[str, int]:
        """How many events of each product count."""
        found: defaultdict[str, int] = defaultdict(int)
        for use in [*self.uses.values(), *(pair[0] for pair in self.twice.values())]:
            found[use.product] += 1
        return found

    @property
    def users(self) -> set[str]:
        """Everybody who used anything, and everybody who was put."""
        users = {use.user for use in [*self.uses.values(), *(p[0] for p in self.twice.values())]}
        return users | {*self.teams} | {*self.states} | {self.place.admin}

    def choices(self, product: str) -> int:
        """How many events there are of which either may count."""
        return sum(len(p) > 1 for p in self.twice.values() if p[0].product == product)

    def all_uses(self) -> Iterable[Use]:
        """Every event, and of two under one id the lesser."""
        yield from self.uses.values()
        for pair in self.twice.values():
            yield min(pair, key=lambda use: use.headline)

    def total(self, product: str, measure: str) -> int:
        place = MEASURES[product].index(measure)
        return sum(use.measures[place] for use in self.all_uses() if use.product == product)

    def by_user(self, product: str) -> Mapping[str, int]:
        """The headline of everybody."""
        found: defaultdict[str, int] = defaultdict(int)
        for use in self.all_uses():
            if use.product == product:
                found[use.user] += use.headline
        return found

    def by_day(self, product: str, zone: str) -> Mapping[str, tuple[int, int]]:
        """Of each day of a zone the headline, and how many users there were."""
        sums: defaultdict[str, int] = defaultdict(int)
        users: defaultdict[str, set[str]] = defaultdict(set)
        there = ZoneInfo(zone)
        for use in self.all_uses():
            if use.product == product:
                day = f"{datetime.fromtimestamp(use.second, there):%Y-%m-%d}"
                sums[day] += use.headline
                users[day].add(use.user)
        return {day: (sums[day], len(users[day])) for day in sums}

    def by_team(self, product: str) -> Mapping[str | None, int]:
        """The headline of the teams in which users are now."""
        found: defaultdict[str | None, int] = defaultdict(int)
        for user, value in self.by_user(product).items():
            found[self.teams.get(user)] += value
        return found


def uses_of(line: Mapping[str, Any]) -> list[Use]:
    return [Use(*each) for each in line["e"]]


def could_be(found: int, expected: int, choices: int) -> bool:
    """Whether a sum is right, if each of so many events may have counted the more."""
    more, rest = divmod(found - expected, TWICE)
    return rest == 0 and 0 <= more <= choices


def models(places: Iterable[Place], lines: Iterable[Mapping[str, Any]]) -> list[Model]:
    found = [Model(place) for place in places]
    for line in lines:
        found[line["o"]].take(line)
    return found


PRODUCTS = tuple(HEADLINES)
