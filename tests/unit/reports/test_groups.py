"""Groups in the order of a figure, of its change, or of their names."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from odometer.reports.columns import Column, Count, Sum, Term
from odometer.reports.groups import Compared, Names, Order, name_key, ranked
from odometer.reports.ranking import Direction

TESTS = Column("tests", Sum([Term("test", "tests", 1)]))
USERS = Column("active_users", Count("active_users"))
NAMES = {0: "Core", 1: "edge", 2: None, 3: "CORE team"}
IDS = {0: "d", 1: "c", 2: "b", 3: "a"}


class Counts(NamedTuple):
    """What some users did."""

    sums: Mapping[tuple[str, str], int]
    active_users: int | None = None
    active_days: int | None = None


def group(now: int, before: int | None = None, users: int | None = None) -> Compared:
    past = None if before is None else Counts({("test", "tests"): before})
    return Compared(Counts({("test", "tests"): now}, users), past)


GROUPS = {0: group(5, 10, 2), 1: group(20, 10), 2: group(5, 0, 1), 3: group(7, 7, 9)}
CALLED = Names(lambda places: [IDS[each] for each in places], lambda some: map(NAMES.get, some))


def places(
    column: Column | None, direction: Direction, *, by_change: bool = False, words: str = ""
) -> list[int]:
    order = Order(column, by_change, direction)
    return list(ranked(dict(reversed(GROUPS.items())), CALLED, order, words))


UP, DOWN = Direction.ASCENDING, Direction.DESCENDING


def test_a_group_is_compared_with_itself_before() -> None:
    compared = GROUPS[0]
    figures = (compared.value(TESTS), compared.compare_value(TESTS), compared.change(TESTS))
    assert figures == (5, 10, -500)
    assert group(5).compare_value(TESTS) is None
    assert [each.change(TESTS) for each in (group(5), group(5, 0))] == [None, None]
    assert GROUPS[1].change(USERS) is None


def test_groups_are_ranked_by_a_figure_and_equal_ones_by_their_ids() -> None:
    assert places(TESTS, UP) == [2, 0, 3, 1]
    assert places(TESTS, DOWN) == [1, 3, 2, 0]


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_group_without_the_figure_comes_last_in_either_direction(direction: Direction) -> None:
    assert places(USERS, direction)[-1] == 1
    assert places(TESTS, direction, by_change=True)[-1] == 2


def test_groups_are_ranked_by_a_change() -> None:
    assert places(TESTS, UP, by_change=True) == [0, 3, 1, 2]
    assert places(TESTS, DOWN, by_change=True) == [1, 3, 0, 2]


def test_groups_are_ranked_by_their_names_in_either_case_and_one_without_comes_last() -> None:
    assert places(None, UP) == [0, 3, 1, 2]
    assert places(None, DOWN) == [1, 3, 0, 2]
    assert [name_key("É", UP), name_key(None, UP) > "\uffff", name_key(None, DOWN)] == [
        "é",
        True,
        "",
    ]


def test_groups_are_found_by_a_part_of_their_name() -> None:
    assert places(TESTS, UP, words="core") == [0, 3]
    assert places(None, UP, words="CORE T") == [3]
    assert places(TESTS, UP, words="nobody") == []
    assert places(TESTS, UP, words="xx") == []


def test_what_nobody_knows_any_more_has_not_changed() -> None:
    compared = Compared(Counts({}), Counts({}, active_users=3))
    assert (compared.compare_value(USERS), compared.change(USERS)) == (3, None)
