"""Utilization: how many accounts were registered, deactivated, pending and active in a month."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

from odometer.domain.frozen import frozen
from odometer.domain.people import State
from odometer.domain.time import epoch_ms, instant_of_ms

MOST_MONTHS: Final = 120
LONGEST_MONTH: Final = timedelta(31)
GROWTH_BYTES: Final = 1024

History = Sequence[tuple[State, int]]
"""Every state that a user was in, with the millisecond in which it began."""


@frozen
class Utilization:
    """The accounts as of the end of a month, and who of the registered had any usage in it."""

    month: date
    registered: int
    deactivated: int
    active: int
    pending: int


def months(start: date, now: datetime) -> list[date]:
    latest_first: list[date] = []
    month = now.date().replace(day=1)
    while month >= start and len(latest_first) < MOST_MONTHS:
        latest_first.append(month)
        month = (month - timedelta(1)).replace(day=1)
    return latest_first[::-1]


def month_of(milliseconds: int) -> date:
    return instant_of_ms(milliseconds).date().replace(day=1)


def end_of(month: date, now: datetime) -> int:
    """The first millisecond after a month, or after now when it is not over."""
    following = (month + LONGEST_MONTH).replace(day=1)
    end = datetime.combine(following, datetime.min.time(), UTC)
    return min(epoch_ms(end), epoch_ms(now) + 1)


def state_at(history: History, end: int) -> State | None:
    return next((state for state, since in reversed(history) if since < end), None)


def first_month(created_at: int, histories: Iterable[History], active: Iterable[date]) -> date:
    beginnings = (created_at, *(history[0][1] for history in histories))
    return min([month_of(min(beginnings)), *active])


def utilization(
    histories: Iterable[History], active: Mapping[date, int], months: Sequence[date], now: datetime
) -> Iterator[Utilization]:
    """Every month, from the states of users and who had any usage: a bit for each user."""
    bits = dict.fromkeys(State, 0)
    changes = state_changes(histories, [end_of(month, now) for month in months])
    for month, change in zip(months, changes, strict=True):
        bits = {state: bits[state] ^ int.from_bytes(change[state], "little") for state in State}
        registered = bits[State.REGISTERED]
        yield Utilization(
            month,
            registered=registered.bit_count(),
            deactivated=bits[State.DEACTIVATED].bit_count(),
            active=(registered & active.get(month, 0)).bit_count(),
            pending=bits[State.INVITED].bit_count(),
        )


def state_changes(
    histories: Iterable[History], ends: Sequence[int]
) -> list[dict[State, bytearray]]:
    """By month, who came into a state or left it: a bit for each user."""
    changes = [{state: bytearray() for state in State} for _ in ends]
    for user, history in enumerate(histories):
        edges = [bisect_right(ends, since) for _, since in history] + [len(ends)]
        for (state, _), stay in zip(history, pairwise(edges), strict=True):
            for edge in stay:
                if edge < len(ends):
                    flip(changes[edge][state], user)
    return changes


def flip(bits: bytearray, user: int) -> None:
    if user // 8 >= len(bits):
        bits.extend(bytes(user // 8 - len(bits) + GROWTH_BYTES))
    bits[user // 8] ^= 1 << user % 8
