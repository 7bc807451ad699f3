"""What `GET /v1/usage` must answer at one moment, computed event by event."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from odometer.directory.snapshot import Directory
from odometer.domain.events import Event
from odometer.domain.kinds import Kind
from odometer.domain.time import epoch_second
from tests.support.usage_oracle import nearest

Row = dict[str, Any]
Query = Mapping[str, str]
Number = Fraction | int | None
IN_NONE = "~"
"""Stands for no team, and for no department; it sorts after all ids."""
DAY = timedelta(days=1)
UNITS: Mapping[str, Callable[[date], Any]] = {
    "day": lambda day: day,
    "hour": lambda day: day,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month + 2) // 3),
    "year": lambda day: day.year,
}
"""What all days of a block have in common."""


@dataclass(frozen=True)
class Person:
    """Somebody as the directory has them."""

    id: str
    username: str
    type: str
    team: str | None
    departments: Collection[str]


@dataclass(frozen=True)
class Moment:
    """The events that count at one moment, and the directory as it is then."""

    events: Sequence[Event[str]]
    """By the ids of their users."""
    zone: tzinfo
    people: Mapping[str, Person]
    names: Mapping[str, Mapping[str, str]]
    """The names of products, teams and departments by id."""
    kinds: Mapping[str, Kind]

    @classmethod
    def of(cls, events: Sequence[Event[str]], zone: str, directory: Directory) -> Moment:
        teams, departments = directory.teams, directory.departments
        people = {
            user.id: Person(
                user.id,
                user.username,
                user.type,
                None if user.team is None else teams[user.team].id,
                [departments[at].id for at in user.departments],
            )
            for user in directory.users
        }
        names = {
            "team": {each.id: each.name for each in teams},
            "department": {each.id: each.name for each in departments},
            "product": {
                **{product: product for product in directory.kinds},
                **{each.id: each.name for each in directory.products},
            },
        }
        return cls(list(events), ZoneInfo(zone), people, names, directory.kinds)

    def answer(self, query: Query) -> Row:
        """The totals, the series, and all groups in order."""
        asked = Asked(self, query)
        answer: Row = {"totals": asked.totals(), "groups": asked.groups()}
        return {**answer, **asked.series(self.events)}


@dataclass(frozen=True)
class Asked:
    """One query about a moment."""

    moment: Moment
    query: Query

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.query["timezone"]) if "timezone" in self.query else self.moment.zone

    @property
    def products(self) -> list[str]:
        kinds = self.query.get("kind", "").split(",")
        named = self.query.get("product", "").split(",")
        return [
            each for each, kind in self.moment.kinds.items() if each in named or kind.name in kinds
        ]

    @property
    def measures(self) -> list[str]:
        if "measure" in self.query:
            return self.query["measure"].split(",")
        kinds = [self.moment.kinds[product] for product in self.products]
        return [*dict.fromkeys(name for kind in kinds for name in kind.measures), "active_users"]

    # which events

    def within(self, ends: tuple[int, int], events: Sequence[Event[str]]) -> list[Event[str]]:
        return [each for each in events if ends[0] <= each.second < ends[1] and self.asked(each)]

    def asked(self, event: Event[str]) -> bool:
        person = self.moment.people[event.who]
        tests = {
            "team": person.team == self.query.get("team"),
            "department": self.query.get("department") in person.departments,
            "user": self.query.get("user") in (person.id, person.username),
            "user_type": person.type == self.query.get("user_type"),
        }
        return event.product in self.products and all(
            holds for name, holds in tests.items() if name in self.query
        )

    @property
    def ends(self) -> tuple[int, int]:
        return self.second("from"), self.second("to")

    @property
    def compared_ends(self) -> tuple[int, int] | None:
        """By whole days; so no other comparison is asked for by name."""
        if "compare_from" in self.query:
            return self.second("compare_from"), self.second("compare_to")
        if "compare" not in self.query:
            return None
        first, end = (date.fromisoformat(self.query[name]) for name in ("from", "to"))
        if self.query["compare"] == "previous_year":
            days = (first.replace(year=first.year - 1), end.replace(year=end.year - 1))
        else:
            days = (first - (end - first), first)
        return self.midnight(days[0]), self.midnight(days[1])

    def second(self, name: str) -> int:
        text = self.query[name]
        if len(text) == len("2026-02-01"):
            return self.midnight(date.fromisoformat(text))
        return epoch_second(datetime.fromisoformat(text))

    def midnight(self, day: date) -> int:
        """The first second of a day, found without reckoning."""
        noon = epoch_second(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        seconds = range(noon - 28 * 3600, noon + 16 * 3600, 900)
        return next(each for each in seconds if self.day(each) == day)

    def day(self, second: int) -> date:
        return datetime.fromtimestamp(second, self.zone).date()

    # figures

    def figure(self, name: str, events: Sequence[Event[str]]) -> Number:
        if name == "active_users":
            return len({event.who for event in events})
        if name == "active_days":
            return len({self.counted_day(event) for event in events})
        kinds = {self.moment.kinds[product] for product in self.products}
        ratios = [ratio for kind in kinds for ratio in kind.ratios if ratio.name == name]
        if not ratios:
            return sum((self.value(name, event) for event in events), Fraction(0))
        mine = [each for each in events if ratios[0] in self.moment.kinds[each.product].ratios]
        top = self.figure(ratios[0].of, mine)
        under = sum(self.figure(each, mine) or 0 for each in ratios[0].divisors)
        return Fraction(nearest(10_000 * Fraction(top or 0) / under), 10_000) if under else None

    def value(self, name: str, event: Event[str]) -> Fraction:
        kind = self.moment.kinds[event.product]
        if name not in kind.measures:
            return Fraction(0)
        place = kind.measures.index(name)
        return Fraction(event.measures[place], 10 ** kind.described[place].decimals)

    def counted_day(self, event: Event[str]) -> date:
        local = self.moment.kinds[event.product].local_days
        zone = self.moment.zone if local else UTC
        return datetime.fromtimestamp(event.second, zone).date()

    def totals(self, belongs: Callable[[Event[str]], bool] = lambda _: True) -> Row:
        events = [each for each in self.moment.events if belongs(each)]
        now = self.within(self.ends, events)
        compared = self.compared_ends
        before = self.within(compared, events) if compared else None
        return {name: self.compared(name, now, before) for name in self.measures}

    def compared(
        self, name: str, now: Sequence[Event[str]], before: Sequence[Event[str]] | None
    ) -> Row:
        value = self.figure(name, now)
        compare_value = None if before is None else self.figure(name, before)
        change = None
        if value is not None and compare_value:
            change = Fraction(nearest(1000 * Fraction(value - compare_value) / compare_value), 10)
        return {"value": value, "compare_value": compare_value, "change_pct": change}

    # blocks

    @property
    def blocks(self) -> list[tuple[int, int]]:
        start, end = self.ends
        inner = sorted({each for each in self.beginnings() if start < each < end})
        return list(pairwise([start, *inner, end]))

    def beginnings(self) -> Iterator[int]:
        start, end = self.ends
        unit = UNITS[self.query["granularity"]]
        day = self.day(start) - DAY
        while day <= self.day(end):
            following = day + DAY
            if unit(day) != unit(following):
                yield self.midnight(following)
            if self.query["granularity"] == "hour":
                yield from range(self.midnight(following), self.midnight(following + DAY), 3600)
            day = following

    def series(self, events: Sequence[Event[str]]) -> Row:
        if self.query.get("granularity", "all") == "all":
            return {}
        return {"series": [self.block(ends, events) for ends in self.blocks]}

    def block(self, ends: tuple[int, int], events: Sequence[Event[str]]) -> Row:
        inside = self.within(ends, events)
        figures = {name: self.figure(name, inside) for name in self.measures}
        return {"from": self.text(ends[0]), "to": self.text(ends[1]), **figures}

    def text(self, second: int) -> str:
        return datetime.fromtimestamp(second, self.zone).isoformat().replace("+00:00", "Z")

    # groups

    def groups(self) -> list[Row]:
        by = self.query.get("group_by", "none")
        if by == "none":
            return []
        rows = [self.group(by, group) for group in sorted(self.active_groups(by))]
        words = self.query.get("q", "").lower()
        return self.ordered([row for row in rows if words in (name_of(row, by) or "")], by)

    def active_groups(self, by: str) -> set[str]:
        ranges = [self.ends, *([self.compared_ends] if self.compared_ends else [])]
        used = (event for ends in ranges for event in self.within(ends, self.moment.events))
        return {group for event in used for group in self.groups_of(by, event)}

    def groups_of(self, by: str, event: Event[str]) -> Collection[str]:
        person = self.moment.people[event.who]
        return {
            "product": [event.product],
            "team": [person.team or IN_NONE],
            "department": person.departments or [IN_NONE],
            "user": [person.id],
            "user_type": [person.type],
        }[by]

    def group(self, by: str, group: str) -> Row:
        def belongs(event: Event[str]) -> bool:
            return group in self.groups_of(by, event)

        shown: object = group
        if by == "user":
            shown = {"id": group, "username": self.moment.people[group].username}
        elif group == IN_NONE:
            shown = None
        elif by in self.moment.names:
            shown = {"id": group, "name": self.moment.names[by][group]}
        mine = [event for event in self.moment.events if belongs(event)]
        return {by: shown, "totals": self.totals(belongs), **self.series(mine)}

    def ordered(self, rows: list[Row], by: str) -> list[Row]:
        """Groups come by id, so that equal ones stay so; those without a figure come last."""
        sort = self.query.get("sort", self.measures[0])
        order = self.query.get("order", "asc" if sort == "name" else "desc")
        part = "change_pct" if sort.endswith("_change") else "value"

        def key(row: Row) -> Any:
            if sort == "name":
                return name_of(row, by)
            return row["totals"][sort.removesuffix("_change")][part]

        there = [row for row in rows if key(row) is not None]
        there.sort(key=key, reverse=order == "desc")
        return there + [row for row in rows if key(row) is None]


def name_of(row: Row, by: str) -> str | None:
    """What a group is sorted and found by; whoever is in none has no name."""
    shown = row[by]
    name = shown.get("username", shown.get("name")) if isinstance(shown, dict) else shown
    return None if name is None else str(name).lower()


def zone_of(text: str) -> tzinfo:
    if text[0] not in "+-":
        return ZoneInfo(text)
    hours, minutes = int(text[1:3]), int(text[4:6])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
