"""Months go up to the present one, and a state of a user lasts until the next one begins."""

from datetime import UTC, date, datetime

from odometer.domain.people import State
from odometer.reports.utilization import flip, months, state_at

NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)


def test_the_first_month_is_one_of_the_months() -> None:
    assert months(date(2026, 1, 1), NOW) == [date(2026, month, 1) for month in (1, 2, 3)]
    assert months(date(2026, 3, 1), NOW) == [date(2026, 3, 1)]


def test_a_state_that_begins_when_a_month_ends_is_one_of_the_next() -> None:
    history = [(State.INVITED, 10), (State.REGISTERED, 20)]
    states = [state_at(history, end) for end in (10, 11, 20, 21)]
    assert states == [None, State.INVITED, State.INVITED, State.REGISTERED]


def test_a_bit_of_any_user_is_turned_and_turned_back() -> None:
    bits = bytearray()
    for user in (0, 8_191, 8_192, 100_000):
        flip(bits, user)
        assert int.from_bytes(bits, "little") == 1 << user
        flip(bits, user)
    assert not any(bits)
