"""Days, instants and periods."""

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain import time
from odometer.domain.time import (
    ISO_8601,
    Period,
    day_of,
    day_start,
    epoch_ms,
    epoch_second,
    format_millis,
    format_seconds,
    instant_of_ms,
    read_instant,
    read_second,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00"),
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00"),
    ],
)
def test_a_day_starts_at_its_first_instant(zone: str, day: str, start: str) -> None:
    assert day_start(date.fromisoformat(day), ZoneInfo(zone)) == utc(start)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
def test_every_instant_belongs_to_the_one_day_that_holds_it(zone: str) -> None:
    place = ZoneInfo(zone)
    for step in range(3 * 366 * 48):
        instant = utc("2009-01-01T00:00:00") + timedelta(minutes=30 * step)
        day = day_of(instant, place)
        assert day_start(day, place) <= instant < day_start(day + timedelta(1), place)


def test_the_three_end_rules_name_the_same_period() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    whole = Period(utc("2026-03-28T23:00:00"), utc("2026-03-29T22:00:00"))
    assert whole == Period.of_days(date(2026, 3, 29), date(2026, 3, 29), berlin)
    assert whole == Period.through_second(whole.start, utc("2026-03-29T21:59:59"))
    assert whole == Period(whole.start.astimezone(berlin), whole.end)
    assert whole.end - whole.start == timedelta(hours=23)
    assert str(whole) == "2026-03-28T23:00:00Z/2026-03-29T22:00:00Z"


def test_a_period_holds_the_whole_seconds_that_begin_in_it() -> None:
    period = Period(utc("1970-01-01T00:00:10.500"), utc("1970-01-01T00:00:12.001"))
    assert period.seconds == range(11, 13)


def test_a_period_of_naive_instants_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Period(datetime(2026, 1, 1), utc("2026-01-02T00:00:00"))  # noqa: DTZ001


def test_instants_are_written_in_utc() -> None:
    instant = datetime.fromisoformat("2026-06-23T05:30:00.250+05:30")
    assert format_millis(instant) == "2026-06-23T00:00:00.250Z"
    assert format_seconds(instant) == "2026-06-23T00:00:00.250Z"
    assert format_seconds(utc("2026-06-23T00:00:00")) == "2026-06-23T00:00:00Z"


DIGITS = st.sampled_from("0123456789\N{ARABIC-INDIC DIGIT TWO}")
PARTS = (
    st.sampled_from(["0000", "0001", "1969", "2024", "2026", "9999", "202"]),
    st.sampled_from(["-02-28", "-02-29", "-02-30", "-12-31", "-W09-6", "-2-28", "-00-00", "0228"]),
    st.sampled_from(["T", "t", " ", ""]),
    st.sampled_from(["00:00", "17:42", "23:59", "24:00", "17:60", "1742", "7:42"]),
    st.builds(":{}{}".format, DIGITS, DIGITS) | st.sampled_from([":60", ":5", "", "42"]),
    st.sampled_from(["", ".5", ".999999999", ",5", ".", ".1234567890"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+24:00", "+0530", "", " "]),
)
NEARLY_INSTANTS = st.builds(lambda *parts: "".join(parts), *PARTS)


@settings(max_examples=3000)
@given(NEARLY_INSTANTS)
def test_a_second_is_that_of_its_instant(text: str) -> None:
    try:
        instant = read_instant(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read_second(text)
    else:
        assert read_second(text) == (None if instant is None else epoch_second(instant))


def test_the_seconds_of_a_minute_are_read_once() -> None:
    with patch.object(time, "read_instant", wraps=read_instant) as read:
        seconds = [read_second(f"2011-05-06T07:08:{second:02}Z") for second in range(60)]
    assert seconds == list(range(1304665680, 1304665740))
    assert read.call_count == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-28", "2026-02-28T00:00:00"),
        ("2026-02-28T17:42", "2026-02-28T17:42:00"),
        ("2026-02-28T17:42:00,5", "2026-02-28T17:42:00.500"),
        ("2026-02-28T17:42:00+02:00", "2026-02-28T15:42:00"),
        ("2026-02-28T17:42:00 02:00", "2026-02-28T15:42:00"),
        ("2026-02-28t17:42:00z", "2026-02-28T17:42:00"),
        ("2026-02-28T17:42:00-0230", "2026-02-28T20:12:00"),
    ],
)
def test_whatever_a_clock_says_is_kept_in_utc(text: str, instant: str) -> None:
    found = read_instant(text, ISO_8601)
    assert found is not None
    assert (found, found.tzinfo) == (utc(instant), UTC)


def test_what_is_no_instant_of_a_form_is_none_and_what_is_before_all_years_is_an_error() -> None:
    assert read_instant("2026-02-28") is None
    assert (read_second("2026-02-28T17:42"), read_second("2026-02-28 17:42:00Z")) == (None, None)
    with pytest.raises(ValueError, match="0001-01-01"):
        read_instant("0001-01-01T00:00:00+14:00")


def test_starts_of_days_and_periods_are_kept_in_utc() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day in (date(2026, 3, 29), date(2011, 12, 30)):
        for zone in (berlin, ZoneInfo("Pacific/Apia")):
            assert day_start(day, zone).tzinfo is UTC
    start = datetime(2026, 3, 1, tzinfo=berlin)
    period = Period(start, start + timedelta(1))
    assert (period.start.tzinfo, period.end.tzinfo) == (UTC, UTC)
    assert (period.start in period, period.end in period) == (True, False)


def test_an_instant_at_which_a_day_begins_belongs_to_that_day() -> None:
    apia = ZoneInfo("Pacific/Apia")
    assert day_of(day_start(date(2011, 12, 31), apia), apia) == date(2011, 12, 31)
    toronto = ZoneInfo("America/Toronto")
    first = day_start(date(1919, 3, 31), toronto)
    assert [day_of(first - timedelta(seconds=1), toronto), day_of(first, toronto)] == [
        date(1919, 3, 30),
        date(1919, 3, 31),
    ]


def test_milliseconds_are_counted_down_to_the_one_that_has_begun() -> None:
    instant = utc("2026-02-28T17:42:00.123999")
    assert epoch_ms(instant) == 1_772_300_520_123
    assert isinstance(epoch_ms(instant), int)
    assert epoch_ms(utc("1969-12-31T23:59:59.999500")) == -1
    assert instant_of_ms(1_772_300_520_123) == utc("2026-02-28T17:42:00.123")
    assert instant_of_ms(-1) == utc("1969-12-31T23:59:59.999")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Pacific/Apia"])
def test_the_start_of_any_day_is_kept_in_utc(zone: str) -> None:
    place = ZoneInfo(zone)
    starts = [day_start(date(2026, 10, 25) + timedelta(ahead), place) for ahead in range(14)]
    assert {start.utcoffset() for start in starts} == {timedelta(0)}
    assert day_start(date(2011, 12, 30), place).utcoffset() == timedelta(0)


@given(st.integers(0, 2**37))
def test_a_second_is_written_as_any_instant_is(second: int) -> None:
    assert time.format_second(second) == time.format_millis(time.instant_at(second))
