"""Who has a seat, when they last used anything, and in which order seats are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from odometer.directory.columns import Columns
from odometer.domain.people import State
from odometer.engine.read.last_used import ByUser
from odometer.reports.ranking import Direction
from odometer.reports.seats import SeatCounts, SeatOrder, Seats, SeatStatus, chosen

SINCE = 1_000


@dataclass
class LastUse:
    """When somebody last used anything."""

    second: int


COLUMNS: dict[str, Sequence[Any]] = {
    "state": [*[State.REGISTERED] * 4, State.INVITED, State.DEACTIVATED],
    "id": ["d", "c", "b", "a", "e", "f"],
    "username": ["Jo", "amy", "Zoë", "ben", "cy", "di"],
    "user_key": ["jo@x.example", "amy@X.example", "z", "ben", "cy", "di"],
    "created_at": [30, 10, 20, 10, 50, 60],
}
LAST = {0: LastUse(SINCE), 1: LastUse(SINCE - 1), 2: LastUse(SINCE + 5), 5: LastUse(SINCE)}
SEATS = Seats(cast("Columns", COLUMNS), cast("ByUser", LAST), SINCE)


def statuses() -> dict[int, SeatStatus]:
    return {user: SEATS.status(user) for user in range(6)}


def test_a_seat_is_active_from_the_first_second_of_the_days_on() -> None:
    assert list(statuses().values()) == [
        SeatStatus.ACTIVE,
        SeatStatus.INACTIVE,
        SeatStatus.ACTIVE,
        SeatStatus.NEVER_USED,
        SeatStatus.INVITED,
        SeatStatus.DEACTIVATED,
    ]


def test_seats_that_are_assigned_are_those_of_who_is_registered() -> None:
    counts = SeatCounts.of(statuses().values())
    assert counts == SeatCounts(active=2, inactive=1, never_used=1, invited=1)
    assert counts.assigned == 4


@pytest.mark.parametrize(
    ("state", "status", "users"),
    [
        (None, None, [0, 1, 2, 3, 4]),
        (State.REGISTERED, None, [0, 1, 2, 3]),
        (State.INVITED, None, [4]),
        (State.DEACTIVATED, None, [5]),
        (None, SeatStatus.DEACTIVATED, [5]),
        (None, SeatStatus.NEVER_USED, [3]),
        (State.REGISTERED, SeatStatus.ACTIVE, [0, 2]),
        (State.INVITED, SeatStatus.ACTIVE, []),
    ],
)
def test_seats_are_chosen_by_state_and_status(
    state: State | None, status: SeatStatus | None, users: list[int]
) -> None:
    assert chosen(statuses(), state, status) == users


@pytest.mark.parametrize(
    ("order", "ascending"),
    [
        (SeatOrder.LAST_ACTIVE, [3, 1, 0, 2]),
        (SeatOrder.CREATED_AT, [3, 1, 2, 0]),
        (SeatOrder.USERNAME, [1, 3, 0, 2]),
    ],
)
def test_seats_are_ranked_and_equal_ones_by_their_ids(
    order: SeatOrder, ascending: list[int]
) -> None:
    users = [0, 1, 2, 3]
    assert list(SEATS.ranked(users, order, Direction.ASCENDING)) == ascending
    equal = {3, 1} if order is SeatOrder.CREATED_AT else set()
    descending = list(SEATS.ranked(users, order, Direction.DESCENDING))
    assert [each for each in descending if each not in equal] == [
        each for each in reversed(ascending) if each not in equal
    ]


def test_somebody_is_found_by_either_name_in_either_case() -> None:
    assert [user for user in range(6) if SEATS.is_called(user, "x.example")] == [0, 1]
    assert [user for user in range(6) if SEATS.is_called(user, "zoë")] == [2]
    assert [user for user in range(6) if SEATS.is_called(user, "nobody")] == []
