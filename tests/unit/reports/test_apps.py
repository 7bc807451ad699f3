"""Figures of an app: whole days as they are asked for, totals, changes, and users in order."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from random import Random
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odometer.directory.snapshot import Directory
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, day_start, epoch_second
from odometer.engine.read.measuring import Used
from odometer.reports.apps import (
    AppTotals,
    AppUsers,
    Days,
    UserOrder,
    average_times,
    edges,
    edges_of_days,
    first_days,
    metrics,
    sums_of_days,
)
from odometer.reports.figures import Metric
from odometer.reports.ranking import Direction
from tests.support.used import used_by_chance, used_of

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = Days(date(2026, 3, 28), date(2026, 4, 2))
UP, DOWN = Direction.ASCENDING, Direction.DESCENDING


@dataclass
class Known:
    """What users have used, as one looks it up: milliseconds, sessions and active days."""

    rows: Mapping[int, tuple[int, int, int]]

    @property
    def columns(self) -> dict[str, int]:
        return {"active_ms": 0, "sessions": 1}

    @property
    def days_active(self) -> int:
        return 2

    @property
    def users(self) -> list[int]:
        return list(self.rows)

    def column(self, name: str) -> int:
        return self.columns[name]

    @property
    def totals(self) -> dict[str, int]:
        return {
            name: sum(row[place] for row in self.rows.values())
            for name, place in self.columns.items()
        }

    def among(self, some: Collection[int] | None) -> list[int]:
        return [user for user in self.rows if some is None or user in some]

    def values(self, place: int, users: Iterable[int]) -> list[int]:
        return [self.rows.get(user, (0, 0, 0))[place] for user in users]


def used(rows: Mapping[int, tuple[int, int, int]]) -> Used:
    return cast("Used", Known(rows))


NOW = used({0: (1000, 4, 3), 1: (600, 1, 2), 2: (900, 9, 1)})
BEFORE = used({0: (400, 1, 2), 2: (1800, 9, 1)})


def test_whole_days_are_counted_with_both_ends_and_preceded_by_as_many() -> None:
    assert DAYS.count == 6
    assert DAYS.before == Days(date(2026, 3, 22), date(2026, 3, 27))
    assert Days(DAYS.last, DAYS.first).count < 1
    start, end = (day_start(day, BERLIN) for day in (date(2026, 3, 28), date(2026, 4, 3)))
    assert DAYS.period(BERLIN) == Period(start, end)


@pytest.mark.parametrize(
    ("granularity", "firsts"),
    [
        ("daily", [28, 29, 30, 31, 1, 2]),
        ("weekly", [28, 30]),
        ("monthly", [28, 1]),
        ("quarterly", [28, 1]),
        ("all", [28]),
    ],
)
def test_blocks_begin_with_the_period_and_with_their_calendar(
    granularity: str, firsts: list[int]
) -> None:
    found = first_days(DAYS, granularity)
    assert [day.day for day in found] == firsts
    assert found == sorted(found)


def test_edges_are_local_midnights_and_the_last_is_behind_the_period() -> None:
    firsts = [DAYS.first, date(2026, 4, 1)]
    days = [*firsts, date(2026, 4, 3)]
    assert edges(firsts, DAYS, BERLIN) == [epoch_second(day_start(day, BERLIN)) for day in days]
    assert edges_of_days(DAYS, UTC) == [
        epoch_second(day_start(DAYS.first, UTC)) + 86_400 * ahead for ahead in range(7)
    ]


def test_sums_of_days_are_cut_where_blocks_begin() -> None:
    assert sums_of_days([1, 2, 4, 8, 16, 32], [DAYS.first, date(2026, 4, 1)], DAYS) == [15, 48]
    assert sums_of_days(array("Q", [1, 2, 4, 8, 16, 32]), [DAYS.first], DAYS) == [63]


def test_totals_are_of_everybody_or_of_some() -> None:
    totals = AppTotals.of(NOW, None, 4)
    assert totals == AppTotals(unique_users=3, active_time_ms=2500, session_count=14, days=4)
    assert AppTotals.of(NOW, {0, 1, 7}, 2) == AppTotals(2, 1600, 5, 2)
    assert totals.avg_time_ms_per_day == 625
    assert AppTotals(0, 0, 0, 0).avg_time_ms_per_day == 0


def test_a_total_stands_beside_that_of_the_comparison_period() -> None:
    now, before = AppTotals.of(NOW, None, 4), AppTotals.of(BEFORE, None, 2)
    assert metrics(now, before) == {
        "unique_users": Metric(3, 2),
        "active_time_ms": Metric(2500, 2200),
        "avg_time_ms_per_day": Metric(625, 1100),
        "session_count": Metric(14, 10),
    }
    assert metrics(now)["session_count"] == Metric(14, None)


def test_the_time_of_users_is_per_day_on_which_they_used_the_app() -> None:
    assert AppUsers(NOW, BEFORE, [0, 1, 2]).times([2, 0]) == {
        0: Metric(333, 200),
        2: Metric(900, 1800),
    }
    assert AppUsers(NOW, None, [0, 1, 2]).times([1, 9]) == {1: Metric(300), 9: Metric(0)}


class Names:
    """A directory in which users have names."""

    def ids_at(self, users: Iterable[int]) -> Iterable[str]:
        return [f"u{user}" for user in users]

    def columns(self, table: str, part: str) -> Mapping[str, Sequence[str]]:
        assert (table, part) == ("users", "names")
        return {"username": ["jo", "Amy", "ZOË"]}


def order(by: UserOrder, direction: Direction, before: Used | None = BEFORE) -> list[int]:
    users = AppUsers(NOW, before, [0, 1, 2])
    return list(users.ranked(by, direction, cast("Directory", Names())))


@pytest.mark.parametrize(
    ("by", "ascending"),
    [
        (UserOrder.TIME, [1, 0, 2]),
        (UserOrder.DAYS, [2, 1, 0]),
        (UserOrder.USERNAME, [1, 0, 2]),
    ],
)
def test_users_are_ranked_by_any_figure(by: UserOrder, ascending: list[int]) -> None:
    assert order(by, UP) == ascending
    assert order(by, DOWN) == ascending[::-1]


def test_who_has_no_change_comes_last_in_either_direction() -> None:
    assert order(UserOrder.CHANGE, UP) == [2, 0, 1]
    assert order(UserOrder.CHANGE, DOWN) == [0, 2, 1]
    assert order(UserOrder.CHANGE, UP, None) == order(UserOrder.CHANGE, DOWN, None)[::1]
    assert sorted(order(UserOrder.CHANGE, DOWN, None)) == [0, 1, 2]


APP_KIND = KINDS["app"]
MANY = 900


class ById:
    """A directory of ids that are in another order than users."""

    def ids_at(self, users: Iterable[int]) -> Iterable[str]:
        return [f"{user * 7919 % 10_007:05}" for user in users]


def assert_in_order(used: Used, some: Collection[int] | None, places: slice) -> None:
    """Those with the longest times come first, and who have equal ones in the order of ids."""
    users = AppUsers(used, None, used.among(some))
    ranked = users.ranked(UserOrder.TIME, DOWN, cast("Directory", ById()))
    times = dict(zip(users.users, average_times(used, users.users), strict=True))
    ids = dict(zip(times, ById().ids_at(times), strict=True))
    expected = sorted(times, key=lambda user: (-times[user], ids[user]))
    assert ranked.part(places) == expected[places]
    assert (len(ranked), list(ranked)) == (len(expected), expected)


@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 40, 10**4, 10**9, 2**50, 2**80]),
    st.integers(0, 40),
    st.integers(1, 60),
    st.sampled_from([None, 0.2, 0.9]),
)
def test_the_longest_times_are_those_of_a_full_sort(
    seed: int, largest: int, start: int, size: int, share: float | None
) -> None:
    random = Random(seed)
    some = None if share is None else {u for u in range(MANY) if random.random() < share}
    assert_in_order(used_by_chance(APP_KIND, seed, largest, MANY), some, slice(start, start + size))


def test_times_are_compared_as_they_are_published() -> None:
    rounded_up, exact = (5, 1, 2), (3, 1, 1)
    assert_in_order(used_of(APP_KIND, [rounded_up, exact] * (MANY // 2)), None, slice(50))
    assert_in_order(used_of(APP_KIND, [(0, 1, 1)] * MANY), None, slice(50))


@pytest.mark.parametrize("some", [None, range(MANY)])
def test_no_equal_time_is_missed_where_fewer_than_a_page_have_longer_ones(
    some: Collection[int] | None,
) -> None:
    longer, exact, rounded_up = (2000, 1, 2), (1998, 1, 2), (2996, 1, 3)
    rows = [longer if user % 12 == 0 else (exact, rounded_up)[user % 2] for user in range(16 * 12)]
    rows += [(exact, rounded_up)[user % 2] for user in range(MANY - len(rows))]
    assert_in_order(used_of(APP_KIND, rows), some, slice(50))


@pytest.mark.parametrize(
    ("order", "direction"), [(UserOrder.TIME, UP), (UserOrder.DAYS, UP), (UserOrder.DAYS, DOWN)]
)
def test_other_orders_of_many_users_are_those_of_a_full_sort(
    order: UserOrder, direction: Direction
) -> None:
    used = used_by_chance(APP_KIND, 3, 10**6, MANY)
    columns = {UserOrder.TIME: average_times(used, used.lanes), UserOrder.DAYS: used.days_active}
    keys = columns[order]
    sign = 1 if direction is UP else -1
    by_id = sorted(used.users, key=lambda user: next(iter(ById().ids_at([user]))))
    ranked = AppUsers(used, None, used.users).ranked(order, direction, cast("Directory", ById()))
    expected = sorted(by_id, key=lambda user: sign * keys[user])
    assert ranked.part(slice(50)) == expected[:50]


def test_time_without_a_day_counts_as_no_average() -> None:
    rows = [(500, 1, 1)] * MANY
    rows[1 : 12 * 60 : 12] = [(10**6, 1, 0)] * 60
    rows[: 12 * 16 : 12] = [(1000, 1, 1)] * 16
    assert_in_order(used_of(APP_KIND, rows), None, slice(50))


def test_nobody_is_missed_where_a_few_users_tell_nothing_of_the_others() -> None:
    every_twelfth = [(10**6 - user if user % 12 == 0 else user, 1, 1) for user in range(MANY)]
    assert_in_order(used_of(APP_KIND, every_twelfth), None, slice(50))
    assert_in_order(used_of(APP_KIND, every_twelfth), range(6, MANY), slice(50))


@pytest.mark.parametrize("users", [10_000, 40_000])
def test_a_first_page_of_many_users_compares_few_of_them(
    users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(used: Used, some: Sequence[int]) -> list[int]:
        asked.append(len(some))
        return average_times(used, some)

    monkeypatch.setattr("odometer.reports.apps.average_times", counted)
    used = used_by_chance(APP_KIND, users, 10**9, users)
    ranked = AppUsers(used, None, used.users).ranked(
        UserOrder.TIME, DOWN, cast("Directory", ById())
    )
    assert len(ranked.part(slice(50))) == 50
    sampled, *near = asked
    assert sampled == -(-len(used.lanes) // 12)
    assert all(50 <= each < 500 for each in near)
