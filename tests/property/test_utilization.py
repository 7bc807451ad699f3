"""Utilization against brute force: users who come and go, usage of every month, any first month."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from odometer.domain.people import State
from odometer.domain.time import epoch_ms
from odometer.reports.utilization import (
    MOST_MONTHS,
    History,
    Utilization,
    first_month,
    months,
    utilization,
)

NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
EDGES = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
MONTHS = [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]

moments = st.one_of(
    st.integers(epoch_ms(datetime(2025, 11, 1, tzinfo=UTC)), epoch_ms(NOW + timedelta(days=40))),
    st.sampled_from([epoch_ms(edge) + off for edge in (*EDGES, NOW) for off in (-1, 0, 1)]),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One to four states, each with when it began."""
    begins = sorted(draw(st.lists(moments, min_size=1, max_size=4)))
    return [(draw(st.sampled_from(State)), begin) for begin in begins]


def after(month: date) -> datetime:
    """The first instant that is neither in the month nor past now."""
    end = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    return min(end, NOW + timedelta(milliseconds=1))


def state(history: History, month: date) -> State | None:
    """What a user was when the month ended."""
    states = [each for each, since in history if since < epoch_ms(after(month))]
    return states[-1] if states else None


def brute_force(
    everyone: Sequence[History], used: Mapping[date, set[int]], month: date
) -> Utilization:
    states = [state(history, month) for history in everyone]
    registered = {user for user, each in enumerate(states) if each == State.REGISTERED}
    return Utilization(
        month,
        registered=len(registered),
        deactivated=states.count(State.DEACTIVATED),
        active=len(registered & used.get(month, set())),
        pending=states.count(State.INVITED),
    )


@given(
    everyone=st.lists(histories(), max_size=20),
    used=st.dictionaries(st.sampled_from(MONTHS), st.sets(st.integers(0, 24))),
)
def test_every_month_equals_brute_force(
    everyone: list[History], used: dict[date, set[int]]
) -> None:
    bits = {month: sum(1 << user for user in users) for month, users in used.items()}
    found = list(utilization(everyone, bits, MONTHS, NOW))
    assert found == [brute_force(everyone, used, month) for month in MONTHS]


@given(start=st.dates(date(1, 1, 1), date(2027, 1, 1)).map(lambda day: day.replace(day=1)))
def test_months_go_up_to_the_present_one_and_are_no_more_than_ten_years(start: date) -> None:
    found = months(start, NOW)
    ahead = (2026 * 12 + 3) - (start.year * 12 + start.month) + 1
    assert len(found) == max(0, min(ahead, MOST_MONTHS))
    assert found[-1:] == [date(2026, 3, 1)] * bool(found)
    numbers = [each.year * 12 + each.month for each in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    assert all(each.day == 1 for each in found)


def test_an_organization_begins_with_the_first_of_its_making_its_users_and_its_usage() -> None:
    made, joined = (epoch_ms(datetime(2026, month, 9, tzinfo=UTC)) for month in (3, 2))
    everyone: list[History] = [[(State.INVITED, joined), (State.REGISTERED, made)]]
    assert first_month(made, [], []) == date(2026, 3, 1)
    assert first_month(made, everyone, []) == date(2026, 2, 1)
    assert first_month(joined, everyone, [date(2026, 1, 1)]) == date(2026, 1, 1)
