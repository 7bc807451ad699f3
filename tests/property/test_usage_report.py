"""The usage report against brute force: any range at any offset, of both types, of all products."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.demo_organization import DemoOrganization
from local.demo_usage import demo_events
from odometer.api.usage_report.family import DrilldownQuery, ReportedProduct, SummaryQuery
from odometer.api.usage_report.usage import drilldown, summary
from odometer.directory.snapshot import Directory
from odometer.domain.events import Event
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import UserType
from odometer.domain.time import SECOND, epoch_second
from odometer.services.engine import Engine
from odometer.services.usage import Usage
from odometer.web.models import read_query
from tests.support.memory_directory import ACME, MemoryDirectory
from tests.support.memory_store import MemoryStore
from tests.support.stack import OTHER
from tests.support.usage_sender import UsageSender, used

BEGIN = datetime(2025, 11, 27, tzinfo=UTC)
NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
STEP = timedelta(days=8)
OFFSETS = ["+00:00", "+05:45", "-08:00", "+14:00", "-12:00", "-330", "300"]
LENGTHS = [1, 59, 3600, 86_399, 86_400, 7 * 86_400 - 1, 28 * 86_400, 90 * 86_400]
EDGES = [0, 1, 86_399, 20_699, 20_700, 28_799, 43_200]
"""Seconds of the day at which some offset has its midnight."""

Query = Mapping[str, str]


class MemoryDirectories:
    """Directories in memory, as far as reports and the engine ask."""

    def __init__(self) -> None:
        self.each = {ACME: MemoryDirectory(), OTHER: MemoryDirectory()}

    def open(self, organization: str) -> Directory:
        return self.each[organization].directory

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        for name in subjects:
            self.each[organization].user(username=name)
        users = self.open(organization).users
        return {user.username: user.ordinal for user in users if user.username in subjects}


def usage_of(usage_sender: UsageSender) -> Usage:
    """What reports read, from memory."""
    engine = usage_sender.engine
    directory = engine.directories.open(usage_sender.organization)
    until = time.monotonic() + 60
    return Usage(engine.usage, engine.log, directory, engine.directories, NOW, until)


def some_events(
    random: Random, users: Sequence[str], begin: datetime, end: datetime
) -> Iterator[Event[str]]:
    """Small numbers, so that many tie; often at the very edge of a day of some offset."""
    for turn in range(int((end - begin) / timedelta(hours=6))):
        day = begin + timedelta(days=random.randrange((end - begin).days + 1))
        at = day + SECOND * random.choice([*EDGES, random.randrange(86_400)])
        product = random.choice(list(ReportedProduct)[:5] * 2 + [ReportedProduct.SMARTUI])
        measures = [random.choice([0, 1, 1, 2]) for _ in DEFAULT_PRODUCTS[product].measures]
        measures[0] += not any(measures)
        name = f"{begin} {turn}"
        yield used(random.choice(users), product, min(at, end), *measures, event=name)


def folded(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """Everything is decided, nothing is settled."""
    usage_sender.send(events, NOW)


def settled(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """Everything came at once, and late."""
    folded(usage_sender, events)
    usage_sender.settle(NOW)


def arrived_over_time(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """Days were sealed as time went by; some came late, the last are not settled."""
    begin = BEGIN
    while begin < NOW:
        end = begin + STEP
        due = [each for each in events if epoch_second(begin) <= each.second < epoch_second(end)]
        late = due[::7]
        usage_sender.send([each for each in due if each not in late], min(end, NOW))
        if end < NOW:
            usage_sender.settle(end)
        usage_sender.send(late, min(end, NOW))
        begin = end


def rebuilt(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """The frames were made again."""
    arrived_over_time(usage_sender, events)
    usage_sender.settle(NOW)
    usage_sender.rebuild(NOW)


@pytest.fixture(
    scope="module", params=[folded, settled, arrived_over_time, rebuilt], ids=lambda f: f.__name__
)
def usage_sender(request: pytest.FixtureRequest) -> UsageSender:
    """An organization with usage, and a neighbour who uses the same products all the time."""
    arrive: Callable[[UsageSender, Sequence[Event[str]]], None] = request.param
    directories, random = MemoryDirectories(), Random(20)
    ours: list[UsageSender] = []
    usage, log = (MemoryStore(lambda: epoch_second(ours[-1].now)) for _ in range(2))
    engine = Engine(directories, usage, log)  # type: ignore[arg-type]
    for organization in (OTHER, ACME):
        ours.append(UsageSender(organization, engine))
        names = [f"user{number}" for number in range(24)]
        for name in names:
            kind = random.choice(list(UserType))
            directories.each[organization].user(
                username=name, email=f"{name}@acme.example", type=kind
            )
        events = list(some_events(random, [*names, "stranger"], BEGIN, NOW))
        arrive(ours[-1], events)
    return ours[-1]


@st.composite
def ranges(draw: st.DrawFn) -> Query:
    """A range on the wall clock of an offset."""
    day = BEGIN + timedelta(days=draw(st.integers(-2, (NOW - BEGIN).days + 2)))
    start = day + SECOND * draw(st.sampled_from(EDGES) | st.integers(0, 86_399))
    last = start + SECOND * draw(st.sampled_from(LENGTHS) | st.integers(1, 90 * 86_400))
    return {
        "from": f"{start:%Y-%m-%d %H:%M:%S}",
        "to": f"{last:%Y-%m-%d %H:%M:%S}",
        "timezone": draw(st.sampled_from(OFFSETS)),
        "type": draw(st.sampled_from(list(UserType))),
    }


def offset_of(text: str) -> timezone:
    """An offset in either form."""
    if ":" not in text:
        return timezone(-timedelta(minutes=int(text)))
    parsed = datetime.strptime(text, "%z").tzinfo
    assert isinstance(parsed, timezone)
    return parsed


def within(query: Query, events: Sequence[Event[str]], product: str) -> list[Event[str]]:
    """The events of a product in a range, up to and with its last second."""
    zone = offset_of(query["timezone"])
    first, last = (
        epoch_second(datetime.fromisoformat(query[end]).replace(tzinfo=zone))
        for end in ("from", "to")
    )
    return [each for each in events if each.product == product and first <= each.second <= last]


def measures_of(events: Sequence[Event[str]], product: str) -> tuple[int, ...]:
    wide = len(DEFAULT_PRODUCTS[product].measures)
    return tuple(sum(each.measures[at] for each in events) for at in range(wide))


def named(product: str, names: Sequence[str], measures: Sequence[int]) -> dict[str, int]:
    shown = ["totalScreenshots"] if product == "smartui" else names
    return dict(zip(shown, measures, strict=True))


def asked(query: Query) -> dict[str, Any]:
    offset = datetime(2026, 1, 1, tzinfo=offset_of(query["timezone"])).isoformat()[-6:]
    echoed = {name: query[name] for name in ("type", "from", "to")}
    return {**echoed, "timezone": offset, "organization": {"id": ACME, "name": "Acme Corp"}}


def expected_drilldown(usage_sender: UsageSender, query: Query) -> dict[str, Any]:
    """The whole answer, user by user and event by event."""
    product, page, limit = query["product"], int(query["page"]), int(query["limit"])
    events = within(query, usage_sender.sent, product)
    people = people_of(usage_sender)
    rows = []
    for name in {each.who for each in events if people[each.who].type == query["type"]}:
        mine = measures_of([each for each in events if each.who == name], product)
        user = {"id": people[name].id, "username": name, "email": people[name].email}
        totals = named(product, ["totalTestsRun", "totalDuration"], mine)
        rows.append(([-value for value in mine], user["id"], {**user, **totals}))
    shown = sorted(rows)[(page - 1) * limit : page * limit]
    totals = named(product, ["totalTests", "totalDuration"], measures_of(events, product))
    pages = -(-len(rows) // limit)
    pagination = {"limit": limit, "page": page, "total": len(rows), "totalPages": pages}
    metadata = {"product": product, "totalUsers": len(rows), "pagination": pagination}
    return {
        "metadata": {**asked(query), **metadata, **totals},
        "users": [row for _, _, row in shown],
    }


def expected_summary(usage_sender: UsageSender, query: Query) -> dict[str, Any]:
    people = people_of(usage_sender)
    mine = [each for each in usage_sender.sent if people[each.who].type == query["type"]]
    found = {product.value: within(query, mine, product) for product in ReportedProduct}
    totals = {
        product: named(product, ["totalTests", "totalDuration"], measures_of(events, product))
        for product, events in found.items()
    }
    users = {each.who for events in found.values() for each in events}
    return {"metadata": {**asked(query), "totalUsers": len(users)}, "products": totals}


def people_of(usage_sender: UsageSender) -> dict[str, Any]:
    directory = usage_sender.engine.directories.open(usage_sender.organization)
    return {user.username: user for user in directory.users}


def read_summary(usage_sender: UsageSender, query: Query) -> Any:
    asked = read_query(SummaryQuery, {}, {name: [value] for name, value in query.items()})
    return json.loads(summary(asked, usage_of(usage_sender)).page.model_dump_json())["data"]


def read_drilldown(usage_sender: UsageSender, query: Query) -> Any:
    asked = read_query(DrilldownQuery, {}, {name: [value] for name, value in query.items()})
    return json.loads(drilldown(asked, usage_of(usage_sender)).page.model_dump_json())["data"]


@pytest.fixture(scope="module")
def demo() -> UsageSender:
    """The organization of the demo, with all that it has used in ninety days."""
    directories, organization = MemoryDirectories(), DemoOrganization("demo", 60, 4, NOW.date(), 90)
    usage, log = (MemoryStore(lambda: epoch_second(ours.now)) for _ in range(2))
    engine = Engine(directories, usage, log)  # type: ignore[arg-type]
    ours = UsageSender(ACME, engine)
    for person in organization.people:
        names = {name: person.row[name] for name in ("id", "username", "email", "type")}
        directories.each[ACME].user(**names)
    sent = demo_events(organization, organization.first_day, organization.last_day)
    arrived_over_time(ours, [event for each in sent for event in of_demo(each)])
    return ours


def of_demo(sent: Mapping[str, Any]) -> Iterator[Event[str]]:
    """An event of the demo, if it is of a product that is reported here."""
    product, at = sent["data"]["product"], datetime.fromisoformat(sent["time"])
    if product in list(ReportedProduct):
        measures = [sent["data"][name] for name in DEFAULT_PRODUCTS[product].measures]
        yield used(sent["subject"], product, at, *measures, event=sent["id"])


@given(query=ranges())
def test_a_summary_equals_brute_force(usage_sender: UsageSender, query: Query) -> None:
    assert read_summary(usage_sender, query) == expected_summary(usage_sender, query)


@given(
    query=ranges(),
    product=st.sampled_from(ReportedProduct),
    page=st.integers(1, 4),
    limit=st.sampled_from([1, 3, 10, 100]),
)
def test_a_page_of_a_drilldown_equals_brute_force(
    usage_sender: UsageSender, query: Query, product: ReportedProduct, page: int, limit: int
) -> None:
    query = {**query, "product": product.value, "page": str(page), "limit": str(limit)}
    assert read_drilldown(usage_sender, query) == expected_drilldown(usage_sender, query)


@settings(max_examples=120)
@given(query=ranges(), product=st.sampled_from(ReportedProduct), page=st.integers(1, 4))
def test_the_demo_equals_brute_force(
    demo: UsageSender, query: Query, product: ReportedProduct, page: int
) -> None:
    assert read_summary(demo, query) == expected_summary(demo, query)
    query = {**query, "product": product.value, "page": str(page), "limit": "10"}
    assert read_drilldown(demo, query) == expected_drilldown(demo, query)


@pytest.mark.parametrize("product", ReportedProduct)
@pytest.mark.parametrize("kind", UserType)
def test_a_chain_of_pages_has_every_user_once_and_in_one_order(
    usage_sender: UsageSender, product: ReportedProduct, kind: UserType
) -> None:
    query = {
        "type": kind.value,
        "product": product.value,
        "from": "2026-01-15 00:00:00",
        "to": "2026-03-20 23:59:59",
        "timezone": "-08:00",
    }
    whole = read_drilldown(usage_sender, {**query, "limit": "100"})["users"]
    for limit in (1, 4, 7):
        pages = range(1, -(-len(whole) // limit) + 2)
        paged = [{**query, "limit": str(limit), "page": str(page)} for page in pages]
        chain = [read_drilldown(usage_sender, each)["users"] for each in paged]
        assert [user for users in chain for user in users] == whole
        assert chain[-1] == []
    assert set(Counter(user["id"] for user in whole).values()) == {1}
