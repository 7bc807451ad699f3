"""Periods by name, comparisons and blocks, on calendars whose days may have 23 or 25 hours."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odometer.domain.time import DAY, Period, instant_at
from odometer.reports.periods import (
    NAMED,
    Granularity,
    PeriodName,
    before,
    block_edges,
    text_in,
    year_before,
)

BERLIN, APIA, LORD_HOWE = map(ZoneInfo, ("Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"))
SANTIAGO = ZoneInfo("America/Santiago")
YEARS = (1_262_304_000, 1_893_456_000)
"""The first seconds of 2010 and of 2030."""
NOW = datetime(2026, 11, 21, 9, 30, 15, 500_000, UTC)


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def between(start: str, end: str, zone: ZoneInfo = BERLIN) -> Period:
    return Period(local(start, zone), local(end, zone))


def blocks(period: Period, granularity: str, zone: ZoneInfo = BERLIN) -> list[str]:
    edges = block_edges(period, Granularity(granularity), zone, 400)
    return [instant_at(edge).astimezone(zone).isoformat() for edge in edges]


@pytest.mark.parametrize(
    ("name", "start", "end", "compared_start", "compared_end"),
    [
        ("today", "2026-11-21", "now", "2026-11-20", "2026-11-20T10:30:16"),
        ("yesterday", "2026-11-20", "2026-11-21", "2026-11-19", "2026-11-20"),
        ("7d", "2026-11-15", "now", "2026-11-08", "2026-11-14T10:30:16"),
        ("28d", "2026-10-25", "now", "2026-09-27", "2026-10-24T10:30:16"),
        ("30d", "2026-10-23", "now", "2026-09-23", "2026-10-22T10:30:16"),
        ("90d", "2026-08-24", "now", "2026-05-26", "2026-08-23T10:30:16"),
        ("12mo", "2025-12-01", "now", "2024-12-01", "2025-11-21T10:30:16"),
        ("mtd", "2026-11-01", "now", "2026-10-01", "2026-10-21T10:30:16"),
        ("qtd", "2026-10-01", "now", "2026-07-01", "2026-08-21T10:30:16"),
        ("ytd", "2026-01-01", "now", "2025-01-01", "2025-11-21T10:30:16"),
        ("last_week", "2026-11-09", "2026-11-16", "2026-11-02", "2026-11-09"),
        ("last_month", "2026-10-01", "2026-11-01", "2026-09-01", "2026-10-01"),
        ("last_quarter", "2026-07-01", "2026-10-01", "2026-04-01", "2026-07-01"),
        ("last_year", "2025-01-01", "2026-01-01", "2024-01-01", "2025-01-01"),
    ],
)
def test_a_named_period_and_the_one_before_are_those_of_the_zones_calendar(
    name: str, start: str, end: str, compared_start: str, compared_end: str
) -> None:
    named = NAMED[PeriodName(name)]
    asked = named.at(NOW, BERLIN)
    assert asked == between(start, "2026-11-21T10:30:16" if end == "now" else end)
    assert named.before(asked, BERLIN) == between(compared_start, compared_end)


def test_every_name_means_a_period() -> None:
    assert set(NAMED) == set(PeriodName)


def test_a_period_that_began_just_now_is_not_empty() -> None:
    midnight = local("2026-11-21")
    today = NAMED[PeriodName.TODAY].at(midnight, BERLIN)
    assert today == Period(midnight, midnight + timedelta(seconds=1))


def test_a_month_to_date_is_compared_with_no_more_than_a_shorter_month() -> None:
    mtd = NAMED[PeriodName.MONTH_TO_DATE]
    asked = mtd.at(local("2026-03-31T10:00:00"), BERLIN)
    assert mtd.before(asked, BERLIN) == between("2026-02-01", "2026-02-28T10:00:01")
    asked = mtd.at(local("2026-03-30T23:59:59"), BERLIN)
    assert mtd.before(asked, BERLIN) == between("2026-02-01", "2026-03-01")


@pytest.mark.parametrize(
    ("start", "end", "compared_start", "compared_end"),
    [
        ("2026-03-30", "2026-04-06", "2026-03-23", "2026-03-30"),  # the clock was set forward
        ("2026-10-26", "2026-10-27", "2026-10-25", "2026-10-26"),  # a day of 25 hours
        ("2026-03-29T00:00", "2026-03-29T12:00", "2026-03-28T13:00", "2026-03-29T00:00"),
    ],
)
def test_the_previous_period_has_as_many_days_or_else_as_many_seconds(
    start: str, end: str, compared_start: str, compared_end: str
) -> None:
    assert before(between(start, end), BERLIN) == between(compared_start, compared_end)


@pytest.mark.parametrize(
    ("start", "end", "compared_start", "compared_end"),
    [
        ("2026-02-01", "2026-03-01", "2025-02-01", "2025-03-01"),
        ("2028-02-01", "2028-03-01", "2027-02-01", "2027-03-01"),
        ("2029-02-01", "2029-03-01", "2028-02-01", "2028-03-01"),
        ("2028-02-29", "2028-03-01", "2027-02-28", "2027-03-01"),
        ("2028-02-01", "2028-02-29", "2027-02-01", "2027-03-01"),
        ("2028-01-01", "2029-01-01", "2027-01-01", "2028-01-01"),
        ("2028-02-28T18:00", "2028-02-29T06:00", "2027-02-28T18:00", "2027-03-01T06:00"),
        ("2027-03-29T02:30", "2027-03-29T03:10", "2026-03-29T03:30", "2026-03-29T04:10"),
    ],
)
def test_the_previous_year_has_the_same_dates_and_a_leap_day_is_the_last_of_february(
    start: str, end: str, compared_start: str, compared_end: str
) -> None:
    assert year_before(between(start, end), BERLIN) == between(compared_start, compared_end)


def test_blocks_begin_with_weeks_months_quarters_and_years_of_the_zone() -> None:
    period = between("2026-09-30T12:00", "2027-01-02")
    assert blocks(between("2026-10-24", "2026-10-28"), "day") == [
        "2026-10-24T00:00:00+02:00",
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
        "2026-10-27T00:00:00+01:00",
        "2026-10-28T00:00:00+01:00",
    ]
    assert blocks(between("2026-10-21", "2026-10-27T08:00"), "week") == [
        "2026-10-21T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
        "2026-10-27T08:00:00+01:00",
    ]
    months = ["2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"]
    ends = ["2026-09-30T12:00:00+02:00", "2027-01-02T00:00:00+01:00"]
    new_year = "2027-01-01T00:00:00+01:00"
    assert blocks(period, "month") == [ends[0], *months, new_year, ends[1]]
    assert blocks(period, "quarter") == [ends[0], months[0], new_year, ends[1]]
    assert blocks(period, "year") == [ends[0], new_year, ends[1]]
    assert blocks(period, "all") == ends


@pytest.mark.parametrize(
    ("day", "zone", "hours", "last"),
    [
        ("2026-03-29", BERLIN, 23, 3600),
        ("2026-10-25", BERLIN, 25, 3600),
        ("2026-10-04", LORD_HOWE, 24, 1800),
        ("2026-04-05", LORD_HOWE, 25, 1800),
        ("2026-09-06", SANTIAGO, 23, 3600),  # begins at one
    ],
)
def test_a_day_has_as_many_hours_as_its_clock_shows(
    day: str, zone: ZoneInfo, hours: int, last: int
) -> None:
    period = Period.of_days(date.fromisoformat(day), date.fromisoformat(day), zone)
    edges = block_edges(period, Granularity.HOUR, zone, 400)
    lengths = [end - start for start, end in pairwise(edges)]
    assert lengths == [3600] * (hours - 1) + [last]


def test_hours_in_the_middle_of_a_day_are_those_of_its_zone() -> None:
    start = datetime(2026, 2, 3, 15, 30, tzinfo=UTC)
    edges = block_edges(Period(start, start + timedelta(hours=2)), Granularity.HOUR, UTC, 400)
    assert [f"{instant_at(edge):%H:%M}" for edge in edges] == ["15:30", "16:00", "17:00", "17:30"]


def test_a_day_that_a_zone_left_out_is_no_block() -> None:
    assert blocks(between("2011-12-29", "2012-01-01", APIA), "day", APIA) == [
        "2011-12-29T00:00:00-10:00",
        "2011-12-31T00:00:00+14:00",
        "2012-01-01T00:00:00+14:00",
    ]


@given(
    st.integers(*YEARS).map(instant_at),
    st.timedeltas(timedelta(seconds=1), timedelta(days=900)),
    st.sampled_from(Granularity),
    st.sampled_from([UTC, BERLIN, APIA, LORD_HOWE, SANTIAGO]),
)
def test_blocks_tile_the_period_and_are_no_more_than_one_too_many(
    start: datetime, length: timedelta, granularity: Granularity, zone: ZoneInfo
) -> None:
    period = Period(start, start + length)
    edges = block_edges(period, granularity, zone, 400)
    assert len(edges) - 1 <= 401
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (period.seconds.start, period.seconds.stop)
    if len(edges) <= 401 and length > DAY:
        middles = [instant_at(edge).astimezone(zone) for edge in edges[1:-1]]
        assert granularity is Granularity.HOUR or all(m.minute == m.second == 0 for m in middles)


@given(
    st.integers(*YEARS).map(instant_at),
    st.timedeltas(timedelta(seconds=1), timedelta(days=900)),
    st.sampled_from([UTC, BERLIN, APIA, LORD_HOWE, SANTIAGO]),
)
def test_no_comparison_is_empty(start: datetime, length: timedelta, zone: ZoneInfo) -> None:
    period = Period(start, start + length)
    assert year_before(period, zone).start < year_before(period, zone).end
    assert before(period, zone).end == period.start
    for named in NAMED.values():
        asked = named.at(start, zone)
        assert asked.start < asked.end
        assert named.before(asked, zone).start < named.before(asked, zone).end <= asked.end


def test_a_comparison_whose_ends_would_fall_on_one_another_is_as_long() -> None:
    """28 and 29 February at noon are the same instant of a year without the 29th."""
    noons = between("2024-02-28T12:00", "2024-02-29T12:00")
    assert year_before(noons, BERLIN) == between("2023-02-28T12:00", "2023-03-01T12:00")


def test_a_second_is_written_on_the_clock_of_its_zone() -> None:
    second = int(local("2026-10-26T00:00").timestamp())
    assert text_in(second, BERLIN) == "2026-10-26T00:00:00+01:00"
    assert text_in(second, UTC) == "2026-10-25T23:00:00Z"
