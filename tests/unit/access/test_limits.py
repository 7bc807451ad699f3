"""Limits of an organization, as one process counts and refuses."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from odometer.access.limits import MOST_NAMES, SPREAD_SECONDS, Asked, Limits, Load, Loads, refusal
from odometer.domain.errors import Throttled
from odometer.services.limiter import Limiter
from odometer.services.tasks import Tasks
from odometer.storage.dynamo import Table
from odometer.storage.shared_loads import SharedLoads
from tests.support.shared_counts import SharedCounts

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(requests=10, read_units=200, events=3000, key_percent=50)


def load(asked: Asked = Asked.REPORTS, limits: Limits = LIMITS) -> Load:
    made = Load()
    made.limit(limits, asked)
    return made


def test_what_is_asked_for_in_a_window_is_ten_seconds_of_it() -> None:
    assert LIMITS.in_window(Asked.REPORTS) == {"requests": 100, "work": 2000}
    assert LIMITS.in_window(Asked.EVENTS) == {"requests": 100, "work": 30_000}


def test_zero_is_no_limit() -> None:
    unlimited = load(limits=Limits())
    unlimited.count("requests", 10**9, "one")
    assert not unlimited.is_worth_sharing
    assert unlimited.exceeded("one") == ""


def test_nothing_is_counted_of_nothing_or_without_a_limit() -> None:
    unlimited, ours = load(limits=Limits()), load()
    unlimited.count("requests", 1, "one")
    ours.count("work", 0, "one")
    assert unlimited.counted == ours.counted == {}


def test_events_and_reports_are_limited_apart() -> None:
    reports, events = load(Asked.REPORTS), load(Asked.EVENTS)
    for each in (reports, events):
        each.count("work", 2_000, "one")
    assert (reports.exceeded("other"), events.exceeded("other")) == ("work", "")


def test_an_organization_may_have_some_limits_of_its_own() -> None:
    assert LIMITS.with_own({"requests": 5, "later": 1}) == Limits(5, 200, 3000, 50)
    assert LIMITS.with_own({}) == LIMITS


def test_without_a_setting_nothing_is_limited() -> None:
    assert Limits.from_json("") == Limits()
    assert Limits.from_json('{"requests":1,"key_percent":20}') == Limits(1, key_percent=20)


@pytest.mark.parametrize(
    ("requests", "read_units", "told"),
    [
        (49, 999, ""),
        (50, 0, "requests of key"),
        (0, 1000, "work of key"),
        (100, 0, "requests"),
        (0, 2000, "work"),
    ],
)
def test_a_key_is_refused_before_its_organization(
    requests: int, read_units: int, told: str
) -> None:
    ours = load()
    ours.count("requests", requests, "one")
    ours.count("work", read_units, "one")
    assert ours.exceeded("one") == told
    assert ours.exceeded("other") == ("" if "key" in told else told)


def test_what_others_have_shared_counts() -> None:
    ours = load()
    ours.shared = {"requests": 99, "requests#one": 20}
    assert ours.exceeded("one") == ""
    ours.count("requests", 1, "one")
    assert ours.exceeded("one") == ours.exceeded("other") == "requests"


def test_a_hundredth_of_a_limit_is_worth_sharing() -> None:
    ours = load(limits=Limits(requests=100))
    ours.count("requests", 9, "one")
    assert not ours.is_worth_sharing
    ours.count("requests", 1, "one")
    assert ours.is_worth_sharing
    assert ours.take() == {"requests": 10, "requests#one": 10}
    assert not ours.is_worth_sharing


def test_a_key_is_shared_when_it_alone_is_a_hundredth_of_a_limit() -> None:
    ours = load(limits=Limits(requests=100))
    ours.count("requests", 9, "little")
    ours.count("requests", 1, "other")
    assert ours.take() == {"requests": 10}
    assert (ours.exceeded("little"), ours.known("requests#little")) == ("", 9)
    ours.count("requests", 1, "little")
    assert ours.is_worth_sharing
    assert ours.take() == {"requests": 1, "requests#little": 10}
    assert not ours.is_worth_sharing


def test_what_could_not_be_shared_is_shared_later_by_as_many_counts_as_a_write_takes() -> None:
    ours = load(limits=Limits(requests=100))
    for number in range(250):
        ours.count("requests", 10, f"key{number}")
        if number == 99:
            ours.add(ours.take())
    taken: Counter[str] = Counter()
    while ours.is_worth_sharing:
        some = ours.take()
        assert len(some) <= MOST_NAMES
        taken.update(some)
    assert taken == {"requests": 2500, **{f"requests#key{number}": 10 for number in range(250)}}


def test_an_organization_of_thousands_of_busy_keys_has_a_limit_that_all_processes_keep() -> None:
    """Each key asks little; together they ask for more than the limit, by ten processes."""
    counts, several = SharedCounts(), [Loads() for _ in range(10)]
    shared, limits = SharedLoads(cast("Table", counts)), Limits(requests=1_500, read_units=1_500)
    served = 0
    for number in range(20_000):
        loads, key = several[number // 7 % 10], f"{number % 9_000:012}"
        limiter = Limiter("acme", Asked.REPORTS, limits, loads, shared, Tasks())
        with suppress(Throttled):
            limiter.refuse_known(key, START)
            limiter.begin_sharing(START)
            limiter.admit({}, key, START)
            served += 1
            limiter.count_work(1, key, START)
        assert "unshared" not in limiter.told
    assert 15_000 <= served <= 15_000 + 10 * 150
    assert counts.writes <= 2 * (100 + 10)
    (item,) = counts.items.values()
    assert len(item) <= 2 * (1 + 100 + 10)


def test_busy_keys_among_thousands_are_known_to_all_processes() -> None:
    counts, several = SharedCounts(), [Loads() for _ in range(10)]
    shared, limits = SharedLoads(cast("Table", counts)), Limits(requests=2_000, key_percent=20)
    served: Counter[str] = Counter()
    for number in range(18_000):
        key = "busy" if number % 3 == 0 else f"{number % 9_000:012}"
        limiter = Limiter("acme", Asked.REPORTS, limits, several[number % 10], shared, Tasks())
        with suppress(Throttled):
            limiter.refuse_known(key, START)
            limiter.begin_sharing(START)
            limiter.admit({}, key, START)
            served[key] += 1
    assert 4_000 <= served["busy"] <= 4_000 + 10 * 200
    assert all(count == 2 or key == "busy" for key, count in served.items())
    (item,) = counts.items.values()
    assert item.keys() == {"requests", "requests#busy"}


def test_a_window_begins_with_nothing_and_forgets_all_others() -> None:
    loads = Loads()
    first = loads.of("acme", Asked.REPORTS, START)
    assert loads.of("acme", Asked.REPORTS, START + timedelta(seconds=9)) is first
    assert loads.of("acme", Asked.EVENTS, START) is not first
    assert loads.of("other", Asked.REPORTS, START) is not first
    assert loads.of("acme", Asked.REPORTS, START + timedelta(seconds=10)) is not first
    assert loads.of("acme", Asked.REPORTS, START) is not first


@pytest.mark.parametrize(("second", "left"), [(0, 10), (1.9, 9), (9.9, 1)])
def test_who_is_refused_is_told_when_the_window_ends(second: float, left: int) -> None:
    error = refusal(START + timedelta(seconds=second))
    assert isinstance(error, Throttled)
    assert error.seconds in range(left, left + SPREAD_SECONDS)


def test_what_has_no_limit_is_shared_at_once() -> None:
    load = Load()
    load.add({"events": 1})
    assert load.is_worth_sharing
