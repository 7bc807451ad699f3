"""Limits of an organization, as one process counts and refuses."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from odometer.access.limits import MOST_NAMES, SPREAD_SECONDS, Asked, Limits, Load, Loads, refusal
from odometer.domain.errors import Throttled

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


def test_an_organization_of_many_keys_shares_as_many_counts_as_a_write_takes() -> None:
    ours = load(limits=Limits(read_units=10**9))
    for number in range(250):
        ours.count("requests", 1, f"key{number}")
        assert ours.is_worth_sharing == (len(ours.counted) >= MOST_NAMES)
    taken: Counter[str] = Counter()
    while ours.is_worth_sharing:
        some = ours.take()
        assert len(some) <= MOST_NAMES
        taken += some
    taken += ours.take()
    assert taken == {"requests": 250, **{f"requests#key{number}": 1 for number in range(250)}}


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
