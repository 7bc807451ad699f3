"""What must hold when the storm is over: every figure, every name, every item and every line."""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tests.storm.model import PRODUCTS, Model, could_be
from tests.storm.plan import APP, DAYS, HEADLINES, MEASURES, Place
from tests.storm.questions import CLIENT, METRICS, REPORT
from tests.storm.records import Records

Ask = Callable[[Place, str], str]
"""What a path answers, as text."""
Item = Mapping[str, Any]
KEY: Final = re.compile(r"odo_[0-9A-Za-z]{34}_[0-9A-Za-z]{33}|oet_[\w-]{40,}")
MOST_SHOWN: Final = 5
LARGEST_PAGE: Final = 1000
SPAN: Final = timedelta(days=85)
"""As much as every family reports on."""


@dataclass
class Checks:
    """The figures of one organization beside its model."""

    model: Model
    ask: Ask
    records: Records
    now: datetime
    restored: bool = False
    """Whether usage went back: whoever was erased since may then count as two users."""

    def users_of(self, expected: int, found: int) -> int:
        """What is found, if it is right; else what was expected."""
        most = expected + (len(self.model.erased) if self.restored else 0)
        return found if expected <= found <= most else expected

    @property
    def place(self) -> Place:
        return self.model.place

    def all(self) -> None:
        for product in PRODUCTS:
            self.totals(product)
            self.users(product)
            self.days(product)
            self.teams(product)
        self.coverage()
        self.directory()
        self.usage_report()
        self.usage_metrics()
        self.app_utilization()

    def same(self, name: str, expected: object, found: object, **where: object) -> None:
        """Check that two are equal; of mappings, say where they are not."""
        where = {"organization": self.place.id, "mark": self.place.mark, **where}
        if isinstance(expected, Mapping) and isinstance(found, Mapping):
            expected, found = differences(expected, found)
        self.records.check(name, expected == found, **where, expected=expected, found=found)

    def json(self, route: str, **query: object) -> Any:
        return json.loads(self.ask(self.place, f"{route}?{urlencode(query)}"))

    def usage(self, product: str, **query: object) -> Any:
        first, last = self.now - timedelta(days=DAYS + 9), self.now + timedelta(days=3)
        span = {"from": f"{first:%Y-%m-%d}", "to": f"{last:%Y-%m-%d}"}
        return self.json("/v1/usage", product=self.place.product(product), **span, **query)

    def totals(self, product: str) -> None:
        """Every measure, and how many users there were."""
        measures = [*MEASURES[product], "active_users"]
        content = self.usage(product, measure=",".join(measures))
        found = {name: content["totals"][name]["value"] for name in measures}
        expected = {name: self.model.total(product, name) for name in MEASURES[product]}
        name, choices = HEADLINES[product], self.model.choices(product)
        if could_be(found[name], expected[name], choices):
            expected[name] = found[name]
        users = len(self.model.by_user(product))
        expected["active_users"] = self.users_of(users, found["active_users"])
        self.same("totals and distinct users", expected, found, product=product)

    def users(self, product: str) -> None:
        """Everybody's usage; that of erased users has no row."""
        found = {
            row["user"]["username"]: row["totals"][HEADLINES[product]]["value"]
            for row in self.rows(product, "user")
        }
        expected = dict(self.model.by_user(product))
        for user in (self.model.erased | self.model.begun) - found.keys():
            expected.pop(user, None)
        self.choose(expected, found, product)
        self.same("usage by user", used(expected), used(found), product=product)

    def rows(self, product: str, group_by: str) -> Iterator[Any]:
        """The groups of all pages."""
        asked = {"measure": HEADLINES[product], "group_by": group_by, "limit": LARGEST_PAGE}
        content = self.usage(product, **asked)
        yield from content["groups"]
        while cursor := content["next_cursor"]:
            content = self.usage(product, **asked, cursor=cursor)
            yield from content["groups"]

    def choose(self, expected: dict[str, int], found: Mapping[str, int], product: str) -> None:
        """Where either of two events may have counted, expect what is there if it can be."""
        choices = self.model.choices(product)
        for user in [name for name in expected if name.endswith("-twice@example.com")]:
            if could_be(found.get(user, 0), expected[user], choices):
                expected[user] = found[user]

    def days(self, product: str) -> None:
        """The usage of every day, and how many users there were on it; an app's days are local."""
        measure, zone = HEADLINES[product], {} if product == APP else {"timezone": "UTC"}
        asked = {"measure": f"{measure},active_users", "granularity": "day", **zone}
        content = self.usage(product, **asked)
        found = {block["from"][:10]: block for block in content["series"]}
        choices, more = self.model.choices(product), 0
        expected = self.model.by_day(product, content["timezone"])
        for day, block in found.items():
            value, users = expected.get(day, (0, 0))
            users = self.users_of(users, block["active_users"])
            is_right = could_be(block[measure], value, choices) and block["active_users"] == users
            more += (block[measure] - value) // 1000 if is_right else 0
            seen = [block[measure], block["active_users"]]
            wanted = seen if is_right else [value, users]
            self.same("usage by day", wanted, seen, product=product, day=block["from"])
        missing = sorted(expected.keys() - found.keys())
        self.same("every day is in the series", [], missing[:MOST_SHOWN], product=product)
        self.same("no more than there are choices", expected=True, found=more <= choices)

    def teams(self, product: str) -> None:
        """The usage of the teams in which users are now."""
        rows = self.rows(product, "team")
        found = {row["team"] and row["team"]["name"]: row["totals"] for row in rows}
        values = {team: each[HEADLINES[product]]["value"] for team, each in found.items()}
        expected = dict(self.model.by_team(product))
        choices = self.model.choices(product)
        if could_be(values.get(None, 0), expected.get(None, 0), choices):
            expected[None] = values.get(None, 0)
        self.same("usage by team", used(expected), used(values), product=product)

    def coverage(self) -> None:
        """How many events of each product count."""
        rows = self.json("/v1/coverage")["products"]
        found = {row["product"]: row["events"] for row in rows if row["events"]}
        events = self.model.events
        expected = {self.place.product(name): events[name] for name in PRODUCTS if events[name]}
        self.same("events of each product", expected, found)

    def directory(self) -> None:
        """Who is there, in which team and state; and nobody who was erased."""
        text = self.ask(self.place, "/v1/directory/export")
        rows = [json.loads(line) for line in text.splitlines()]
        found = {row["username"]: row for row in rows if row["kind"] == "user"}
        maybe = self.model.begun - self.model.erased
        expected = self.model.users - self.model.erased
        self.same(
            "the users of the directory",
            [],
            sorted((expected - maybe) ^ (found.keys() - maybe))[:MOST_SHOWN],
        )
        teams = {user: found[user].get("team") for user in self.model.teams if user in found}
        self.same("the teams of users", dict(self.model.teams), teams)
        states = {user: found[user].get("state") for user in self.model.states if user in found}
        self.same("the states of users", dict(self.model.states), states)

    # what the three published families say of the same

    def within(self, product: str) -> tuple[int, set[str]]:
        """The headline of the last days, and who used it; whole days of UTC."""
        first = int((self.now - SPAN).timestamp()) // 86_400 * 86_400
        mine = [u for u in self.model.all_uses() if u.product == product and u.second >= first]
        return sum(use.headline for use in mine), {use.user for use in mine}

    def usage_report(self) -> None:
        first, last = self.now - SPAN, self.now + timedelta(days=2)
        clock = {"from": f"{first:%Y-%m-%d} 00:00:00", "to": f"{last:%Y-%m-%d} 23:59:59"}
        found = self.json(f"{REPORT}/summary", type="account-user", **clock)["data"]["products"]
        tests, _ = self.within("automation")
        self.same("the summary of automation", tests, found["automation"]["totalTests"])
        shots, _ = self.within("smartui")
        right = could_be(found["smartui"]["totalScreenshots"], shots, self.model.choices("smartui"))
        self.same("the summary of smartui", expected=True, found=right)

    def usage_metrics(self) -> None:
        span = {
            "organizationId": self.place.id,
            "from": f"{self.now - SPAN:%Y-%m-%d}",
            "to": f"{self.now + timedelta(days=2):%Y-%m-%d}",
        }
        content = self.json(f"{METRICS}/organization/usage", **span, granularity="all")
        (block,) = content["usage"]["data"]
        value, users = self.within("chat")
        found = [block["chat"]["interactions"], block["chat"]["activeUsers"]]
        expected = [value, self.users_of(len(users), found[1])]
        self.same("the chat of usage metrics", expected, found)

    def app_utilization(self) -> None:
        """The app on days of the organization's zone."""
        span = {"start_date": f"{self.now - SPAN:%Y-%m-%d}", "end_date": f"{self.now:%Y-%m-%d}"}
        route = f"{CLIENT.format(id=self.place.id)}/analytics/apps/{self.place.app}/utilization"
        content = self.json(route, **span, granularity="monthly")
        zone = self.usage(APP)["timezone"]  # a new one is told when everything is made again for it
        first, end = ends_of_days(self.now - SPAN, self.now, zone)
        mine = [u for u in self.model.all_uses() if u.product == APP and first <= u.second < end]
        expected = {
            "unique_users": len({use.user for use in mine}),
            "session_count": sum(use.headline for use in mine),
            "active_time_ms": sum(use.measures[0] for use in mine),
        }
        found = {name: content[name]["value"] for name in expected}
        name = "unique_users"
        expected[name] = self.users_of(expected[name], found[name])
        self.same("the utilization of the app", expected, found, zone=zone)


def ends_of_days(first: datetime, last: datetime, zone: str) -> tuple[float, float]:
    """When the first day begins and the last one ends, by their dates of UTC, in a zone."""
    there = ZoneInfo(zone)
    begin = datetime(first.year, first.month, first.day, tzinfo=there)
    after = last + timedelta(days=1)
    return begin.timestamp(), datetime(after.year, after.month, after.day, tzinfo=there).timestamp()


def used(figures: Mapping[Any, int]) -> dict[str, int]:
    """Those who used anything."""
    return {str(name): value for name, value in figures.items() if value}


def differences(
    expected: Mapping[Any, Any], found: Mapping[Any, Any]
) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """What is expected and what is found, where these differ."""
    names = [
        name
        for name in {**expected, **found}
        if expected.get(name, "missing") != found.get(name, "missing")
    ][:MOST_SHOWN]
    return (
        {name: expected.get(name, "missing") for name in names},
        {name: found.get(name, "missing") for name in names},
    )


# what is stored, and what was logged


def check_items(
    table: str, items: Iterable[Item], found: Sequence[Model], records: Records
) -> None:
    """No item has a name of somebody who was erased, or anything of another organization."""
    gone = {name.encode(): model for model in found for name in model.erased}
    pattern = re.compile(b"|".join(map(re.escape, gone)) or b"(?!)")
    foreign = {
        model.place.id: re.compile(
            b"|".join(m.place.mark.encode() for m in found if m is not model) or b"(?!)"
        )
        for model in found
    }
    number = 0
    for item in items:
        number += 1
        text = text_of(item)
        name, there = pattern.search(text), f"{item['pk']['S']} {item['sk']['S']}"
        if name:
            model = gone[name.group()]
            records.check(
                "nobody who was erased is stored",
                holds=False,
                organization=model.place.id,
                table=table,
                found=f"{name.group().decode()} in {there}",
            )
        other = foreign.get(item["pk"]["S"][:36])
        mark = other and other.search(text)
        if mark:
            records.check(
                "no item has anything of another organization",
                holds=False,
                table=table,
                found=f"{mark.group().decode()} in {there}",
            )
    records.count("check", "nobody who was erased is stored", number=number)
    records.count("check", "no item has anything of another organization", number=number)


def text_of(item: Item) -> bytes:
    """All that an item says, with what is deflated in it."""
    return b"\n".join(texts_of([*item.values()]))


def texts_of(values: Iterable[Any]) -> Iterator[bytes]:
    for value in values:
        match value:
            case {"B": bytes(content)}:
                yield content
                with suppress(zlib.error):
                    yield zlib.decompress(content)
                with suppress(zlib.error):
                    yield zlib.decompress(content, -15)
            case {"S": str(text)}:
                yield text.encode()
            case {"L": list(inner)}:
                yield from texts_of(inner)
            case {"M": dict(inner)}:
                yield from texts_of(inner.values())


def check_lines(group: str, lines: Iterable[str], marks: Sequence[str], records: Records) -> None:
    """No line of a log has a name that a client sent, or a key."""
    pattern = re.compile(f"{KEY.pattern}|{'|'.join(marks) or '(?!)'}")
    number = 0
    for line in lines:
        number += 1
        if hit := pattern.search(line):
            records.check(
                "no line of a log has a name or a key",
                holds=False,
                group=group,
                found=f"{hit.group()[:20]} in {line[:300]}",
            )
    records.count("check", "no line of a log has a name or a key", number=number)


def utc_now() -> datetime:
    return datetime.now(UTC)
