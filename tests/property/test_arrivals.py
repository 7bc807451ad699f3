"""Coverage against brute force: settled, half settled or on its way, every event is told once."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event, digest_of, utc_date
from odometer.domain.time import epoch_second
from odometer.engine.format.latest import Coverage
from odometer.engine.read.latest import Received, events_between, received
from tests.support.memory_store import dying
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

NOW = epoch_second(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
PLACES = PRODUCTS[:3]
SOURCES = ["ci", "~laptop", "büro", "\U0010ffff"]
DAY = 86_400


def act(simulated: SimulatedEngine, what: str, random: Random) -> None:
    match what:
        case "send":
            simulated.accept_in_lanes(
                [event(simulated, random) for _ in range(random.randint(1, 4))], random, 0
            )
        case "fold":
            simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        case "settle":
            simulated.settle()
        case "die":
            with dying(simulated.usage, random.randint(0, 25)):
                simulated.settle()
        case "wait":
            simulated.pass_time(random.choice([60, 3600, 2 * DAY]))


def event(simulated: SimulatedEngine, random: Random) -> Event[str]:
    product, source = random.choice(PLACES), random.choice(SOURCES)
    second = simulated.now - random.choice([0, 0, 1, DAY, 9 * DAY, 400 * DAY])
    digest = digest_of(source, str(random.randrange(40)))
    return Event("ann", product.id, source, second, 0, (1, 0, 0, 0), digest)


def brute_force(simulated: SimulatedEngine, product: str) -> dict[str, Coverage]:
    """What the decided events say, one by one."""
    seconds: defaultdict[str, list[int]] = defaultdict(list)
    for each in (event for fold in simulated.folds() for event in fold.events):
        if each.product == product:
            seconds[each.source].append(each.second)
    return {
        source: Coverage(min(these), max(these), Counter(map(utc_date, these)))
        for source, these in seconds.items()
    }


STEPS = ["send", "send", "fold", "settle", "die", "die", "wait"]


@settings(max_examples=300)
@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**32)), max_size=30),
    first=st.integers(-420, 5),
    days=st.integers(0, 430),
)
def test_arrivals_are_what_the_events_say(
    steps: list[tuple[str, int]], first: int, days: int
) -> None:
    simulated = SimulatedEngine(NOW, "UTC", PLACES)
    for what, seed in steps:
        act(simulated, what, Random(seed))
    found = received(simulated.view(), [product.id for product in PLACES])
    assert [each.by_source for each in found] == [
        brute_force(simulated, each.product) for each in found
    ]
    begin = utc_date(NOW) + timedelta(days=first)
    for each in found:
        compare(each, begin, begin + timedelta(days=days))


def compare(found: Received, first: date, last: date) -> None:
    """A range counts its own days, one by one."""
    by_day: Counter[date] = Counter()
    for coverage in found.by_source.values():
        by_day.update(coverage.by_date)
        in_range = sum(coverage.by_date.get(day, 0) for day in every_day(first, last))
        assert events_between(coverage, first, last) == in_range
    for start in (first, None):
        begin = start or min(by_day, default=date.max)
        without = sum(not by_day[day] for day in every_day(begin, last))
        assert found.days_without(start, last) == without


def every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
