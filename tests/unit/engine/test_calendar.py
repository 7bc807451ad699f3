"""Days as frames count them: where they begin, and where keyframes cut them."""

from datetime import UTC, date, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from odometer.domain.kinds import KINDS
from odometer.engine import calendar

BERLIN = ZoneInfo("Europe/Berlin")
TO_SUMMER = date(2026, 3, 29)
MIDNIGHT_UTC = 1_774_742_400
"""Of 29 March 2026."""


def test_kinds_count_days_of_their_own() -> None:
    zones = {kind.local_days: calendar.zone_of(kind, "Europe/Berlin") for kind in KINDS.values()}
    assert zones == {True: BERLIN, False: UTC}


def test_a_day_begins_at_its_first_second_in_either_zone() -> None:
    assert calendar.first_second(TO_SUMMER, UTC) == MIDNIGHT_UTC
    assert calendar.first_second(TO_SUMMER, BERLIN) == MIDNIGHT_UTC - 3600
    assert calendar.first_second(TO_SUMMER + timedelta(1), BERLIN) == MIDNIGHT_UTC + 22 * 3600


@pytest.mark.parametrize(("zone", "hours"), [(UTC, 24), (BERLIN, 23)])
def test_a_day_has_its_seconds_and_no_others(zone: tzinfo, hours: int) -> None:
    seconds = calendar.seconds_of(TO_SUMMER, TO_SUMMER + timedelta(1), zone)
    assert len(seconds) == hours * 3600
    assert calendar.day_of(seconds[0], zone) == calendar.day_of(seconds[-1], zone) == TO_SUMMER
    assert calendar.day_of(seconds.start - 1, zone) == TO_SUMMER - timedelta(1)
    assert calendar.day_of(seconds.stop, zone) == TO_SUMMER + timedelta(1)


def test_edges_are_both_ends_and_the_midnights_between() -> None:
    begin, hours = MIDNIGHT_UTC - 3600, 3600
    local = [begin + 5, begin + 23 * hours, begin + 47 * hours]
    assert calendar.day_edges(range(begin + 5, begin + 47 * hours), BERLIN) == local
    assert calendar.day_edges(range(begin + 5, begin + 47 * hours + 1), BERLIN) == [
        *local,
        begin + 47 * hours + 1,
    ]
    assert calendar.day_edges(range(begin, begin + 9), BERLIN) == [begin, begin + 9]


def test_days_are_all_from_the_first_to_before_the_end() -> None:
    assert calendar.days(TO_SUMMER, date(2026, 4, 1)) == [
        *(TO_SUMMER, date(2026, 3, 30), date(2026, 3, 31))
    ]
    assert calendar.days(TO_SUMMER, TO_SUMMER) == []


@pytest.mark.parametrize(
    ("day", "before", "after"),
    [
        (date(2026, 2, 16), date(2026, 2, 16), date(2026, 2, 23)),
        (date(2026, 2, 22), date(2026, 2, 16), date(2026, 2, 23)),
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 5)),
        (date(2026, 1, 4), date(2026, 1, 1), date(2026, 1, 5)),
        (date(2026, 12, 31), date(2026, 12, 28), date(2027, 1, 1)),
    ],
)
def test_keyframes_stand_before_mondays_and_new_year(day: date, before: date, after: date) -> None:
    assert calendar.keyframe_before(day) == before
    assert calendar.keyframe_after(day) == after


def test_days_are_cut_where_keyframes_stand() -> None:
    cuts = calendar.cut_at_keyframes(date(2026, 12, 26), date(2027, 1, 6))
    edges = [(2026, 12, 26), (2026, 12, 28), (2027, 1, 1), (2027, 1, 4), (2027, 1, 6)]
    days = [date(*each) for each in edges]
    assert cuts == list(pairwise(days))
    assert calendar.cut_at_keyframes(days[0], days[0]) == []


def test_days_are_cut_at_new_years() -> None:
    first, year, end = date(2025, 12, 31), date(2026, 1, 1), date(2027, 1, 1)
    assert calendar.cut_at_new_years(first, end) == [(first, year), (year, end)]
    assert calendar.cut_at_new_years(first, end + timedelta(1)) == [
        *((first, year), (year, end), (end, end + timedelta(1)))
    ]
    assert calendar.cut_at_new_years(first, first) == []
    assert calendar.cut_at_new_years(end, end) == []
