"""Every number of every report is in the tables of docs/explaining.md and adds up as they say.

A new figure needs a row there before these tests pass.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from odometer.domain.events import Event
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import State, UserType
from odometer.domain.time import DAY, day_start, epoch_ms, format_seconds
from odometer.reports.figures import change_tenths, rounded, share
from tests.support.apps import APP, CLIENT, OFFICE, OTHER_APP, SALES, Client, get_json, use
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, stack_on_moto
from tests.support.usage_sender import used

DOCUMENT = Path("docs/explaining.md")
NOW = datetime(2026, 3, 25, 9, 30, tzinfo=UTC)
ZONE = "Europe/Berlin"
PEOPLE = ["ann", "bob", "cid", "dot", "eve"]
SPAN = ("2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z")
DAYS = "start_date=2026-02-20&end_date=2026-03-20"
COMPARED = f"{DAYS}&compare=previous_period&granularity=weekly"
METRICS = f"organizationId={ACME}&from=2026-02-10T05:00:00Z&to=2026-03-25T01:00:00Z"
WALL = "from=2026-02-03%2004:30:00&to=2026-03-25%2009:00:00&timezone=%2B05:30"
INSIGHTS = "/insights/api/v3/public/usage-report"
OF_APP = f"{CLIENT}/analytics/apps/{APP}"
Asked = tuple[str, str, dict[str, str]]
NOT_OF_USAGE = {"limit", "page", "totalPages", "year", "month"}
"""Numbers that say where a page or a row stands."""


@dataclass(frozen=True)
class Figure:
    """A row of a table: the place of a number, and the explanations that it is made of."""

    place: str
    summands: list[str]
    divisors: list[str]

    @classmethod
    def of(cls, row: str) -> "Figure":
        place, formula = row.strip("| ").split(" | ")
        parts = [re.findall("`(.+?)`", part) for part in formula.split(" / ")]
        return cls(place.strip("`"), parts[0], parts[1] if len(parts) > 1 else [])

    def match(self, place: str) -> Mapping[str, str] | None:
        """The values of what is in braces in this place, or None if it is another place."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^.]+)", re.escape(self.place))
        found = re.fullmatch(pattern, place)
        return found.groupdict() if found else None

    def value(self, top: int, under: int) -> float:
        if not self.divisors:
            return top
        if self.place.endswith(("Factor", "Rate")):
            return share(top, under)
        return rounded(top, under) if under else 0


class Report(NamedTuple):
    """A section of the document."""

    name: str
    range: str
    """The time that its figures are of, in words."""
    figures: list[Figure]
    rows: str
    """The place of the number of rows, where a report counts them."""

    @classmethod
    def of(cls, section: str) -> "Report":
        name, _, text = section.partition("\n")
        table = re.findall(r"^\| `.*$", text, re.MULTILINE)
        counted = [row for row in table if row.endswith("| the number of rows |")]
        figures = [Figure.of(row) for row in table if row not in counted]
        assert figures, name
        range_ = text.split("From when to when: ")[1].split(".\n")[0]
        return cls(name, range_, figures, counted[0].split("`")[1] if counted else "")


REPORTS = [Report.of(section) for section in DOCUMENT.read_text().split("\n## ")[1:]]


class Leaf(NamedTuple):
    """A number of an answer, or a null in place of one: where it is, and the rows around it."""

    place: str
    value: float | None
    around: Mapping[str, Any]


def leaves(
    content: Any, place: str = "", around: Mapping[str, Any] | None = None
) -> Iterator[Leaf]:
    seen = around or {}
    if isinstance(content, list):
        for each in content:
            yield from leaves(each, f"{place}[]", seen)
    elif isinstance(content, dict):
        seen = {**seen, **dict(flat(content))}
        for name, each in content.items():
            yield from leaves(each, f"{place}.{name}".lstrip("."), seen)
    elif is_number(content) and place.rpartition(".")[2] not in NOT_OF_USAGE:
        yield Leaf(place, content, seen)


def is_number(content: object) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an object and of those in it, by their names with dots between."""
    for name, each in content.items():
        if isinstance(each, dict):
            yield from flat(each, f"{prefix}{name}.")
        yield f"{prefix}{name}", each


def filled(query: str, known: Mapping[str, Any]) -> str:
    """A query with values for what is in braces."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(known[found[1]]), query)


@pytest.fixture(scope="module", params=["folded", "settled"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Five people, a machine among them, who use everything, and a neighbour of the same names."""
    with stack_on_moto() as stack:
        inhabited(stack, OTHER, 1)
        client = inhabited(stack, ACME, 2)
        if request.param == "settled":
            client.settle()
            client.used(*drawn(Random(3), 25))
        yield client


def inhabited(stack: Stack, organization: str, seed: int) -> Client:
    client = Client(stack, organization, NOW)
    client.put("organization", time_zone=ZONE)
    client.put("team", id="core", name="Core")
    client.put("product", id="pair", name="Pair", kind="chat")
    for number, who in enumerate(PEOPLE):
        team = "core" if number % 2 else None
        kind = UserType.ACCOUNT if number else UserType.SERVICE
        since = epoch_ms(NOW - (40 - number) * DAY)
        department = [SALES, OFFICE][number % 2]
        client.person(who, who, department, team=team, type=kind, state_since=since)
    client.put("user", id="eve", state=State.DEACTIVATED, state_since=epoch_ms(NOW - 20 * DAY))
    client.put("user", id="new", username="new", user_key="new", state=State.INVITED, team="core")
    client.used(*drawn(Random(seed), 400))
    return client


def drawn(random: Random, count: int) -> list[Event[str]]:
    """Uses by anyone of anything in the last ninety days."""
    kinds = {**DEFAULT_PRODUCTS, "pair": DEFAULT_PRODUCTS["chat"]}
    found = []
    for _ in range(count):
        who, at = random.choice(PEOPLE), NOW - timedelta(seconds=random.randrange(90 * 86_400))
        product = random.choice([*kinds, APP, OTHER_APP, APP])
        sizes = [random.randrange(1, 500) for _ in range(4)]
        if product in kinds:
            found.append(used(who, product, at, *sizes[: len(kinds[product].measures)]))
        else:
            found.append(use(who, at, *sizes[:2], app=product))
    return found


def asked() -> Iterator[Asked]:
    """Every report: its name, a request, and what explanations take from the request."""
    for kind in UserType:
        of = {"type": kind.value}
        yield "usage report: summary", f"{INSIGHTS}/summary?{WALL}&type={kind}", of
        for product in ("automation", "smartui"):
            query = f"{WALL}&type={kind}&product={product}"
            of = {"type": kind.value, "product": product}
            yield "usage report: drilldown", f"{INSIGHTS}/drilldown?{query}", of
    for granularity in ("all", "monthly"):
        for name, more, of in (
            ("organization", "", {}),
            ("team", "&teamId=core", {"teamId": "core"}),
            ("user", "&userId=bob", {"userId": "bob"}),
        ):
            path = f"/api/v1/{name}/usage?{METRICS}{more}&granularity={granularity}"
            yield f"usage metrics: {name}/usage", path, of
    name = "account-utilizations"
    path = f"/api/v1/organization/{name}?startDate=2026-02"
    yield f"usage metrics: organization/{name}", path, {}
    path = f"/api/v1/team/{name}?teamId=core"
    yield f"usage metrics: team/{name}", path, {"teamId": "core"}
    for departments in ("", f"&department_ids={SALES}", f"&department_ids={SALES},{OFFICE}"):
        of = {"app_id": APP, "departments": departments}
        path = f"{OF_APP}/utilization/users?{COMPARED}{departments}"
        yield "app utilization: users of an app", path, of
        yield "app utilization: app", f"{OF_APP}/utilization?{COMPARED}{departments}", of
        for metric in ("active-time", "session-count", "user-count"):
            query = f"metric={metric}&granularity=weekly&{DAYS}{departments}"
            yield f"app utilization: activity, {metric}", f"{OF_APP}/activity?{query}", of
        yield "app utilization: users", f"{CLIENT}/users?{departments[1:]}", of
    query = f"{DAYS}&compare=previous_period"
    yield "app utilization: ranked apps", f"{CLIENT}/analytics/apps/utilization?{query}", {}
    path = f"{CLIENT}/users/ann/usage?{DAYS}"
    yield "app utilization: one user's usage", path, {"user_id": "ann"}


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_every_figure_is_what_its_explanations_add_up_to(client: Client, report: Report) -> None:
    requests = [each for each in asked() if each[0] == report.name]
    found: set[str] = set()
    for _, path, of in requests:
        answer = client.get(path)
        assert answer.status == 200, answer
        for leaf in leaves(answer.json):
            if leaf.place == report.rows:
                assert leaf.value == len(answer.json["data"])
                continue
            found.add(explained(client, report, answer.headers, leaf, of, answer.json))
    assert found == {figure.place for figure in report.figures} | found & {"change"}


def explained(
    client: Client,
    report: Report,
    headers: Mapping[str, str],
    leaf: Leaf,
    of: Mapping[str, str],
    content: Any,
) -> str:
    """Hold a figure against its explanations, and tell which one it is."""
    if leaf.place.endswith(".change_pct"):
        row = leaf.around
        tenths = change_tenths(row["value"], row["compare_value"])
        assert leaf.value == (None if tenths is None else tenths / 10)
        return "change"
    kinds = {**DEFAULT_PRODUCTS, "pair": DEFAULT_PRODUCTS["chat"]}
    products = {
        kind: ",".join(name for name in kinds if kinds[name].name == kind)
        for kind in ("completion", "chat")
    }
    ((figure, named),) = [
        (figure, named)
        for figure in report.figures
        if (named := figure.match(leaf.place)) is not None
    ]
    known = {**leaf.around, **products, **of, **named}
    span = span_of(report, headers, leaf, content)
    top, under = (
        sum(value_of(client, filled(query, known), *span) for query in queries)
        for queries in (figure.summands, figure.divisors)
    )
    assert leaf.value == figure.value(top, under), (leaf, known)
    return figure.place


def span_of(
    report: Report, headers: Mapping[str, str], leaf: Leaf, content: Any
) -> tuple[str, str]:
    """From when to when a figure is."""
    around = leaf.around
    match report.range:
        case "`from` and `to` of its block":
            return around["from"], around["to"]
        case "its month":
            first = date(around["year"], around["month"] + 1, 1)
            months = (first, (first + timedelta(31)).replace(day=1))
            start, end = (datetime.combine(month, datetime.min.time(), UTC) for month in months)
            return format_seconds(start), format_seconds(end)
        case "up to now":
            return SPAN[0], format_seconds(NOW)
        case "its stretch":
            firsts = [date.fromisoformat(point["date"]) for point in content["data"]]
            firsts.append(date.fromisoformat(content["period"]["end"]) + DAY)
            at = firsts.index(date.fromisoformat(around["date"]))
            start, end = (day_start(day, ZoneInfo(ZONE)) for day in firsts[at : at + 2])
            return format_seconds(start), format_seconds(end)
    ranges = headers["X-Query-Range"].split(", ")
    start_text, end_text = ranges[leaf.place.endswith(".compare_value")].split("/")
    return start_text, end_text


@cache
def value_of(client: Client, query: str, start: str, end: str) -> int:
    """What an explanation says, once its terms on all of its pages have been added up."""
    asked = f"{query}&from={start}&to={end}&page_size={4 if 'users' in query else 1000}"
    page = get_json(client, "/v1/explain", asked)
    pages = [page]
    while page["next_cursor"]:
        page = get_json(client, "/v1/explain", f"{asked}&cursor={quote(page['next_cursor'])}")
        pages.append(page)
    assert {each["value"] for each in pages} == {pages[0]["value"]}
    users = [term for each in pages for term in each["terms"] if term["term"] == "user"]
    others = [term for term in pages[0]["terms"] if term["term"] != "user"]
    assert len({term["key"] for term in users}) == len(users)
    value: int = sum(term["sign"] * term["value"] for term in [*others, *users])
    assert value == pages[0]["value"]
    return value
