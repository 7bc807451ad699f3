"""What the app utilization API must answer at one moment, computed event by event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from odometer.directory.snapshot import Directory
from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.domain.time import (
    epoch_second,
    format_millis,
    format_seconds,
    instant_at,
    instant_of_ms,
)
from tests.support.apps import APP, PLATFORMS

Row = dict[str, Any]
Query = Mapping[str, Any]
Key = Callable[[Row], Any]
Days = tuple[date, date]
MEASURES = KINDS["app"].measures


@dataclass(frozen=True)
class Moment:
    """The events that count at one moment, and the users as they are then."""

    events: Sequence[Event[str]]
    """By the ids of their users."""
    zone: ZoneInfo
    people: Mapping[str, Row]
    """Users as they are listed, by id and in the order of their registration."""
    apps: Mapping[str, str]
    """Names by id."""

    @classmethod
    def of(cls, events: Iterable[Event[str]], zone: str, directory: Directory) -> Moment:
        apps = {app.id: app.name for app in directory.apps}
        return cls(list(events), ZoneInfo(zone), people_of(directory), apps)

    def day(self, event: Event[str]) -> date:
        return datetime.fromtimestamp(event.second, self.zone).date()

    def within(self, app: str, days: Days) -> list[Event[str]]:
        first, last = days
        mine = (event for event in self.events if event.product == app)
        return [event for event in mine if first <= self.day(event) <= last]

    def by_user(self, app: str, days: Days) -> Mapping[str, list[Event[str]]]:
        used: defaultdict[str, list[Event[str]]] = defaultdict(list)
        for event in self.within(app, days):
            used[event.who].append(event)
        return used

    def per_day(self, events: Sequence[Event[str]]) -> int:
        """Average milliseconds on a day with any of these uses."""
        days = {self.day(event) for event in events}
        active_ms = sum(event.measures[0] for event in events)
        return nearest(Fraction(active_ms, len(days))) if days else 0

    def belongs(self, user: str, query: Query) -> bool:
        """Whether a user is in one of the departments that are asked about, if any are."""
        wanted = query.get("department_ids", query.get("department_id"))
        own = {department["id"] for department in self.people[user]["departments"]}
        return wanted is None or not own.isdisjoint(wanted.split(","))

    def last_activity(self, user: str) -> dict[str, str | None]:
        mine = [event for event in self.events if event.who == user]
        desktop, web = (
            max((e.second for e in mine if e.platform == PLATFORMS[name]), default=0)
            for name in ("desktop", "web")
        )
        seconds = {"at": max(desktop, web), "desktop_at": desktop, "web_at": web}
        return {n: format_millis(instant_at(at)) if at else None for n, at in seconds.items()}

    def with_activity(self, row: Row) -> Row:
        """A row with the last activity of its user, which is as of now on every page."""
        match row:
            case {"username": _}:
                return {**row, "last_activity": self.last_activity(row["id"])}
            case {"user": {"username": _} as user}:
                return {**row, "user": self.with_activity(user)}
        return row

    # rankings, without last activities: these are as of now, whatever a chain has begun with

    def app_users(self, query: Query) -> list[Row]:
        asked, compared = spans(query)
        used = self.by_user(APP, asked)
        before = self.by_user(APP, compared) if compared else None
        rows = [
            {
                "user": {name: self.people[user][name] for name in ("id", "username", "user_key")},
                "avg_time_ms_per_day": self._metric(self.per_day, used[user], before, user),
                "days_active": len({self.day(event) for event in used[user]}),
            }
            for user in sorted(used)
            if self.belongs(user, query)
        ]
        return ordered(rows, USERS_BY[query.get("sort_by", "avg_time")], query)

    def ranked_apps(self, query: Query) -> list[Row]:
        asked, compared = spans(query)
        rows = []
        for app, name in sorted(self.apps.items()):
            used = self.within(app, asked)
            before = {app: self.within(app, compared)} if compared else None
            if used and query.get("q", "").lower() in name.lower():
                figures = {
                    figure: self._metric(count, used, before, app)
                    for figure, count in self.figures.items()
                }
                rows.append({"app": {"id": app, "name": name}, **figures})
        return ordered(rows, APPS_BY[query.get("sort_by", "active_time")], query)

    @property
    def figures(self) -> Mapping[str, Callable[[Sequence[Event[str]]], int]]:
        return {
            "unique_users": lambda events: len({event.who for event in events}),
            "active_time_ms": lambda events: sum(event.measures[0] for event in events),
            "avg_time_ms_per_day": self.per_day,
            "session_count": lambda events: sum(event.measures[1] for event in events),
        }

    def listed(self, query: Query) -> list[Row]:
        keys: Mapping[str, Key] = {
            "username": lambda row: row["username"].lower(),
            "created_at": lambda row: row["created_at"],
            "last_activity": lambda row: self.last_activity(row["id"])["at"],
        }
        words = query.get("q", "").lower()
        rows = [
            row
            for user, row in sorted(self.people.items())
            if words in f"{row['username']}\n{row['user_key']}".lower()
            if self.belongs(user, query)
        ]
        return ordered(rows, keys[query["sort_by"]], {"sort_order": "asc", **query})

    def explained(self, query: Query) -> list[Event[str]]:
        """The events that a figure of an app is the sum of, in order."""
        ordinals = {user: number for number, user in enumerate(self.people)}
        first, end = (epoch_second(datetime.fromisoformat(query[name])) for name in ("from", "to"))
        inside = (each for each in self.events if first <= each.second < end)
        mine = (each for each in inside if query.get("user", each.who) == each.who)
        of_app = [each for each in mine if each.product == query["product"]]
        return sorted(of_app, key=lambda each: (each.second, ordinals[each.who], each.measures))

    def told_apart(self, query: Query, days: Collection[str]) -> list[Row]:
        """The same as terms, on the days whose events are explained one by one."""
        return [
            {
                "at": format_seconds(instant_at(each.second)),
                "user": each.who,
                "value": each.measures[MEASURES.index(query["measure"])],
            }
            for each in self.explained(query)
            if str(self.day(each)) in days
        ]

    def _metric(
        self,
        figure: Callable[[Sequence[Event[str]]], int],
        events: Sequence[Event[str]],
        before: Mapping[str, Sequence[Event[str]]] | None,
        whose: str,
    ) -> Row:
        value, compared = figure(events), None
        if before is not None:
            compared = figure(before.get(whose, ()))
        change = nearest(Fraction(1000 * (value - compared), compared)) / 10 if compared else None
        return {"value": value, "change_pct": change, "compare_value": compared}


def people_of(directory: Directory) -> dict[str, Row]:
    """Users as they are listed, without their last activity."""
    return {
        user.id: {
            "id": user.id,
            "username": user.username,
            "user_key": user.user_key,
            "departments": [
                {"id": directory.departments[at].id, "name": directory.departments[at].name}
                for at in user.departments
            ],
            "created_at": format_millis(instant_of_ms(user.created_at)),
            "updated_at": format_millis(instant_of_ms(user.updated_at)),
        }
        for user in directory.users
    }


USERS_BY: Mapping[str, Key] = {
    "avg_time": lambda row: row["avg_time_ms_per_day"]["value"],
    "avg_time_change": lambda row: row["avg_time_ms_per_day"]["change_pct"],
    "days_active": lambda row: row["days_active"],
    "username": lambda row: row["user"]["username"].lower(),
}
APPS_BY: Mapping[str, Key] = {
    "active_time": lambda row: row["active_time_ms"]["value"],
    "session_count": lambda row: row["session_count"]["value"],
    "name": lambda row: row["app"]["name"].lower(),
}


def ordered(rows: Sequence[Row], key: Key, query: Query) -> list[Row]:
    """Sort rows by a key, in descending order by default, with rows that have no key last."""
    there = [row for row in rows if key(row) is not None]
    there.sort(key=key, reverse=query.get("sort_order", "desc") == "desc")
    return there + [row for row in rows if key(row) is None]


def spans(query: Query) -> tuple[Days, Days | None]:
    """The days that a query is about, and those that it compares with."""
    first, last = (date.fromisoformat(query[name]) for name in ("start_date", "end_date"))
    if query.get("compare"):
        count = (last - first).days + 1
        return (first, last), (first - timedelta(count), first - timedelta(1))
    if "compare_start_date" in query:
        ends = ("compare_start_date", "compare_end_date")
        compared = [date.fromisoformat(query[name]) for name in ends]
        return (first, last), (compared[0], compared[1])
    return (first, last), None


def nearest(number: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return floor(number + Fraction(1, 2)) if number >= 0 else -floor(-number + Fraction(1, 2))
