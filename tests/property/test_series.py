"""Usage over time against brute force: any range, granularity and users, after any steps."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import KINDS, LEAST_MEASURES
from odometer.domain.time import SECOND, Period, epoch_second, instant_at
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, Fold
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.format.readings import MissingKeyframe
from odometer.engine.read.people import PeopleSeries
from odometer.engine.read.series import Series
from odometer.reports.blocks import ANY, USERS, Granularity, Tally, blocks, edges, tally_blocks
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

PRODUCTS = [
    MeteredProduct("code-completions", KINDS["completion"]),
    MeteredProduct("chat", KINDS["chat"]),
    MeteredProduct("second-chat", KINDS["chat"]),
]
LARGE = PRODUCTS[-1].id
"""A product with figures of any size, beside another of its kind."""
APP = MeteredProduct("an-app", KINDS["app"])
EVERYTHING = [*PRODUCTS, APP]
BEGINNINGS = [
    datetime(2025, 2, 27, 3, tzinfo=UTC),
    datetime(2027, 3, 1, 0, 30, tzinfo=UTC),
    datetime(2024, 11, 18, 12, tzinfo=UTC),
]
SHARDS_APART = 9_000
USERS_KNOWN = ["ann", "bob", "cid", "dot", "eve", "fay"]
STRIDES = [3600, 86_400, 3 * 86_400, 8 * 86_400, 40 * 86_400, 90 * 86_400]
STEPS = [*["send"] * 4, *["wait"] * 3, *["settle"] * 2, "rebuild", "age"]

Step = tuple[str, int]


def simulate(
    begin: datetime,
    steps: Sequence[Step],
    spread: int,
    zone: str = "Europe/Berlin",
    catalog: Sequence[MeteredProduct] = EVERYTHING,
) -> SimulatedEngine:
    """An engine after some steps."""
    simulated = SimulatedEngine(epoch_second(begin), zone, catalog, spread)
    for turn, (step, seed) in enumerate(steps):
        take(simulated, step, Random(f"{turn} {seed}"))
    return simulated


def take(simulated: SimulatedEngine, step: str, random: Random) -> None:
    match step:
        case "send":
            events = [some_event(simulated, random) for _ in range(random.choice([1, 3, 12]))]
            simulated.accept(events, random, 0)
            simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        case "wait":
            simulated.pass_time(random.choice(STRIDES))
        case "settle":
            while simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now):
                pass
        case "rebuild":
            simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
            while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
                pass
        case "age":
            age(simulated, random)


def age(simulated: SimulatedEngine, random: Random) -> None:
    """Some weeks have no strip, or one that only says who was active."""
    for item in list(simulated.usage.everything()):
        if keys.is_strip(item["sk"]) and (draw := random.random()) < 0.5:
            simulated.usage.delete(item["pk"], item["sk"])
            if draw < 0.1:
                users = {name: item[name] for name in item if not name.startswith("m")}
                simulated.usage.put(users)


def some_event(simulated: SimulatedEngine, random: Random) -> Event[str]:
    """Use of a moment ago, of a while ago, or of long ago; often in the first second of a day."""
    product = random.choice(EVERYTHING)
    moment = simulated.now - random.choice([0, 60, 86_400, 5 * 86_400, 33 * 86_400, 400 * 86_400])
    moment -= random.choice([0, moment % 86_400, moment % 86_400 + 1])
    most = 2**62 if product.id == LARGE else 2**40
    measures = [random.choice([0, 0, 1, 7, most]) for _ in product.kind.measures]
    measures[random.randrange(len(measures))] += 1
    filled = (*measures, *[0] * (LEAST_MEASURES - len(measures)))
    name = f"{random.getrandbits(64)}"
    who = random.choice(USERS_KNOWN)
    return Event(who, product.id, "test", moment, 0, filled, digest_of("test", name))


def expected(
    folds: Sequence[Fold],
    ends: Sequence[int],
    users: Collection[int] | None,
    products: Sequence[MeteredProduct] = PRODUCTS,
) -> Tally:
    """What these users did between two seconds, event by event."""
    tally: Tally = Counter()
    kinds = {product.id: product.kind for product in products}
    active: dict[str, set[int]] = {ANY: set(), **{kind.name: set() for kind in kinds.values()}}
    mine = (event for fold in folds for event in fold.events if event.product in kinds)
    for event in mine:
        if ends[0] <= event.second < ends[1] and (users is None or event.who in users):
            kind = kinds[event.product]
            for at, name in enumerate(kind.measures):
                tally[kind.name, name] += event.measures[at]
            active[ANY].add(event.who)
            active[kind.name].add(event.who)
    return tally + Counter({(kind, USERS): len(them) for kind, them in active.items()})


@st.composite
def periods(draw: st.DrawFn) -> Period:
    """Up to a leap year, to the second, or over whole days."""
    now = draw(st.sampled_from(BEGINNINGS)) + timedelta(days=draw(st.integers(-40, 400)))
    end = now + SECOND * draw(st.sampled_from([0, 1, 86_399]) | st.integers(0, 86_399))
    if draw(st.booleans()):
        end = end.replace(hour=0, minute=0, second=0)
    length = draw(st.sampled_from([1, 7, 31, 90, 366]) | st.integers(1, 366))
    ragged = SECOND * draw(st.sampled_from([0, 0, 1, 3600]) | st.integers(0, 86_399))
    return Period(end - timedelta(days=length) + ragged, end)


@given(
    begin=st.sampled_from(BEGINNINGS),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), max_size=25),
    spread=st.sampled_from([1, 3, SHARDS_APART]),
    asked=st.lists(
        st.tuples(
            periods(),
            st.sampled_from(Granularity),
            st.none() | st.sets(st.integers(0, len(USERS_KNOWN))),
        ),
        min_size=1,
        max_size=2,
    ),
)
def test_every_block_equals_brute_force(
    begin: datetime,
    steps: list[Step],
    spread: int,
    asked: list[tuple[Period, Granularity, set[int] | None]],
) -> None:
    simulated = simulate(begin, steps, spread)
    for period, granularity, places in asked:
        users = None if places is None else {place * spread for place in places}
        ends = edges(blocks(period, granularity))
        found = tally_blocks(Series(simulated.view(), PRODUCTS, ends), users)
        tallies = [expected(simulated.folds(), pair, users) for pair in pairwise(ends)]
        assert found == tallies
        series, everybody = (
            Series(simulated.view(), PRODUCTS, ends),
            range(spread * len(USERS_KNOWN)),
        )
        active = series.users_in_blocks(everybody if users is None else users)
        assert active == [tally[ANY, USERS] for tally in tallies]


@given(
    begin=st.sampled_from(BEGINNINGS),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), max_size=25),
    days=st.lists(st.integers(-60, 120), min_size=1, max_size=9, unique=True).map(sorted),
    ragged=st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)),
)
def test_days_of_the_organizations_zone_are_edges_too(
    begin: datetime, steps: list[Step], days: list[int], ragged: tuple[int, int]
) -> None:
    simulated = simulate(begin, steps, 1)
    zone = calendar.zone_of(APP.kind, simulated.zone)
    inner = [calendar.first_second(begin.date() + timedelta(day), zone) for day in days]
    ends = [inner[0] - ragged[0], *inner, inner[-1] + ragged[1]]
    found = tally_blocks(Series(simulated.view(), [APP], ends), None)
    assert found == [expected(simulated.folds(), pair, None, [APP]) for pair in pairwise(ends)]


@settings(max_examples=settings().max_examples // 4)
@given(
    begin=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(["UTC", "Europe/London", "Asia/Kathmandu"]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), max_size=25),
    spread=st.sampled_from([1, 40]),
    period=periods(),
    granularity=st.sampled_from(Granularity),
    places=st.sets(st.integers(0, len(USERS_KNOWN)), min_size=1),
)
def test_rows_of_people_say_the_same_of_some(
    begin: datetime,
    zone: str,
    steps: list[Step],
    spread: int,
    period: Period,
    granularity: Granularity,
    places: set[int],
) -> None:
    simulated = simulate(begin, steps, spread, zone, [*EVERYTHING, TOTALS, PEOPLE])
    ends, users = edges(blocks(period, granularity)), {place * spread for place in places}
    people = PeopleSeries(simulated.view(), simulated.products, PRODUCTS, ends)
    if people.is_exact:
        found = tally_blocks(people, users)
        assert found == [expected(simulated.folds(), pair, users) for pair in pairwise(ends)]


FLOORS: Mapping[Granularity, Callable[[date], object]] = {
    Granularity.ALL: lambda _: None,
    Granularity.DAILY: lambda day: day,
    Granularity.WEEKLY: lambda day: day.isocalendar()[:2],
    Granularity.MONTHLY: lambda day: (day.year, day.month),
}


@given(period=periods(), granularity=st.sampled_from(Granularity))
def test_blocks_cover_the_range_without_a_hole_and_each_is_one_calendar_unit(
    period: Period, granularity: Granularity
) -> None:
    cut = blocks(period, granularity)
    assert [cut[0].start, *(each.end for each in cut)] == [
        *(each.start for each in cut),
        period.end,
    ]
    assert cut[0].start == period.start
    unit = FLOORS[granularity]
    units = [{unit(instant.date()) for instant in hours(each)} for each in cut]
    assert all(len(each) == 1 for each in units)
    assert all(one != other for one, other in pairwise(units))


def hours(period: Period) -> list[datetime]:
    """The first instant, the last, and every half day between."""
    step = timedelta(hours=12)
    between = [period.start + step * n for n in range(int((period.end - period.start) / step) + 1)]
    return [each for each in (*between, period.end - SECOND / 1000) if each in period]


@pytest.fixture
def settled() -> SimulatedEngine:
    """A user of one product in three weeks of January, each week settled when it was over."""
    simulated = SimulatedEngine(epoch_second(datetime(2026, 1, 6, 12, tzinfo=UTC)), "UTC", PRODUCTS)
    random = Random(1)
    for _ in range(4):
        take(simulated, "settle", random)
        event = some_event(simulated, random)._replace(second=simulated.now, product=PRODUCTS[0].id)
        simulated.accept([event], random, 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        simulated.pass_time(7 * 86_400)
    take(simulated, "settle", random)
    simulated.pass_time(3600)
    return simulated


YEAR = Period(datetime(2025, 2, 1, tzinfo=UTC), datetime(2026, 1, 26, tzinfo=UTC))


def test_a_keyframe_that_is_missing_is_an_error_and_never_zero(settled: SimulatedEngine) -> None:
    pk = keys.frames(ORGANIZATION, PRODUCTS[0].id, 2026, 0, 0)
    _, second, *_ = (key for key in stored(settled, pk) if keys.is_keyframe(key))
    settled.usage.delete(pk, second)
    with pytest.raises(MissingKeyframe):
        weeks_of_a_year(settled)


def test_weeks_before_the_first_use_are_not_asked_about_one_by_one(
    settled: SimulatedEngine,
) -> None:
    spans: list[str] = []
    settled.usage.before_each = spans.append
    weeks_of_a_year(settled)
    mondays_and_new_year = 53
    beside = ["head", "tail", *["nothing before the first"] * 2]
    assert len(spans) == mondays_and_new_year + len(beside)


def test_one_users_year_is_read_from_their_shard_alone() -> None:
    steps = [(step, 0) for step in ("settle", "send", "send", "wait", "settle")]
    simulated = simulate(BEGINNINGS[0], steps, SHARDS_APART)
    assert simulated.view().head.shards(PRODUCTS[0]) > 1
    period = Period(BEGINNINGS[0] - timedelta(days=300), instant_at(simulated.now))
    ends = edges(blocks(period, Granularity.WEEKLY))

    def spans(users: Collection[int] | None) -> int:
        asked: list[str] = []
        simulated.usage.before_each = asked.append
        tally_blocks(Series(simulated.view(), PRODUCTS[:1], ends), users)
        return len(asked)

    assert spans({0}) < 0.6 * spans({0, SHARDS_APART, 2 * SHARDS_APART})


def weeks_of_a_year(simulated: SimulatedEngine) -> list[Tally]:
    ends = edges(blocks(YEAR, Granularity.WEEKLY))
    return tally_blocks(Series(simulated.view(), PRODUCTS[:1], ends), {0})


def stored(simulated: SimulatedEngine, pk: str) -> list[str]:
    return sorted(item["sk"] for item in simulated.usage.everything() if item["pk"] == pk)
