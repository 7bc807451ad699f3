"""Days, instants and periods."""

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain import time
from odometer.domain.time import (
    Period,
    day_of,
    day_start,
    epoch_second,
    format_millis,
    format_seconds,
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
