"""A ranking says what a full sort would, and sorts no more than is looked at."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar, Self, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odometer.directory.people import User
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.engine.read.latest import LastActive
from odometer.engine.read.measuring import Used
from odometer.reports.ranking import (
    Direction,
    PersonOrder,
    Ranking,
    in_order,
    is_called,
    list_users,
    most_used_first,
    totals_among,
)
from tests.support.used import used_by_chance, used_of

KEYS = st.one_of(
    st.lists(st.integers(0, 3)),
    st.lists(st.one_of(st.integers(-2, 2), st.just(inf))),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2))),
    st.lists(st.text("ab", max_size=2)),
    st.lists(st.integers(2**60, 2**70), min_size=60, max_size=90),
)
MANY = 10_000


def ids_of(users: Sequence[int]) -> Iterator[str]:
    """Ids in another order than users."""
    assert list(users) == sorted(users)
    return (f"{user * 7919 % 10_007:05}" for user in users)


def ranking(keys: Sequence[Any], direction: Direction) -> Ranking:
    """Of users who have gaps between them."""
    return Ranking([3 * place for place in range(len(keys))], keys, direction, ids_of)


def sorted_fully(ranked: Ranking) -> list[int]:
    keys = dict(zip(ranked.users, ranked.keys, strict=True))
    by_id = sorted(keys, key=lambda user: next(ids_of([user])))
    return sorted(by_id, key=keys.__getitem__, reverse=ranked.direction is Direction.DESCENDING)


@given(KEYS, st.sampled_from(Direction), st.integers(0, 100), st.integers(0, 100))
def test_any_part_is_that_of_a_full_sort(
    keys: list[Any], direction: Direction, start: int, size: int
) -> None:
    ranked = ranking(keys, direction)
    expected = sorted_fully(ranked)
    assert ranked.part(slice(start, start + size)) == expected[start : start + size]
    assert (list(ranked), len(ranked)) == (expected, len(expected))


class Compared(int):
    """A number that counts with how many others numbers are compared."""

    times: ClassVar = Counter[str]()

    def __lt__(self, other: int) -> bool:
        self.times["compared"] += 1
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        self.times["compared"] += 1
        return int(self) <= int(other)

    @classmethod
    def many(cls) -> list[Self]:
        return [cls(each) for each in Random(7).sample(range(10**9), MANY)]


@pytest.mark.parametrize("direction", Direction)
def test_a_first_page_of_many_users_compares_each_a_few_times(direction: Direction) -> None:
    ranked = ranking(Compared.many(), direction)
    Compared.times.clear()
    page = ranked.part(slice(50))
    assert Compared.times["compared"] < 4 * MANY
    assert page == sorted_fully(ranked)[:50]


def test_ids_are_asked_for_only_where_keys_are_equal() -> None:
    asked: list[int] = []

    def noted(users: Sequence[int]) -> Iterator[str]:
        asked.extend(users)
        return ids_of(users)

    ranked = Ranking(range(6), [5, 4, 4, 4, 3, 2], Direction.DESCENDING, noted)
    assert (ranked.part(slice(1)), ranked.part(slice(4, 6)), asked) == ([0], [4, 5], [])
    assert (len(ranked.part(slice(2, 3))), asked) == (1, [1, 2, 3])
    assert (ranked.part(slice(6, 9)), ranked.part(slice(2**70, 2**71))) == ([], [])


UP, DOWN = Direction.ASCENDING, Direction.DESCENDING


def test_rows_without_a_key_come_last_and_equal_ones_stay_as_they_stood() -> None:
    rows = [("a", 2), ("b", None), ("c", 1), ("d", 2), ("e", None), ("f", 0)]

    def names(direction: Direction) -> str:
        return "".join(name for name, _ in in_order(rows, lambda row: row[1], direction))

    assert (names(UP), names(DOWN)) == ("fcadbe", "adcfbe")


@dataclass
class Known:
    """What users have used of two measures."""

    rows: Mapping[int, tuple[int, int]]
    columns: ClassVar[dict[str, int]] = {"tests": 0, "duration_ms": 1}

    @property
    def totals(self) -> dict[str, int]:
        return {"tests": -1, "duration_ms": -1}

    def among(self, some: Collection[int]) -> list[int]:
        return [user for user in self.rows if user in some]

    def values(self, place: int, users: Iterable[int]) -> list[int]:
        return [self.rows[user][place] for user in users]


USED = cast("Used", Known({0: (1, 5), 1: (3, 0), 2: (1, 7), 3: (1, 5)}))


TESTS = DEFAULT_PRODUCTS["automation"]


def test_users_are_ranked_by_the_measures_in_their_order() -> None:
    used = used_of(TESTS, [(1, 5, 1), (3, 0, 1), (1, 7, 1), (1, 5, 1)])
    assert list(most_used_first(used, [0, 1, 2, 3], ids_of)) == [1, 2, 0, 3]


@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 40, 10**9, 2**50, 2**80]),
    st.integers(0, 40),
    st.integers(1, 60),
    st.sampled_from([0.2, 0.9, 1]),
)
def test_those_who_used_most_are_those_of_a_full_sort(
    seed: int, largest: int, start: int, size: int, share: float
) -> None:
    used, random = used_by_chance(TESTS, seed, largest, 900), Random(seed)
    users = [user for user in used.users if random.random() < share]
    columns = [list(used.values(column, users)) for column in used.columns.values()]
    keys = dict(zip(users, zip(*columns, strict=True), strict=True))
    ids = dict(zip(users, ids_of(users), strict=True))
    by_id = sorted(users, key=ids.__getitem__)
    expected = sorted(by_id, key=keys.__getitem__, reverse=True)
    ranked = most_used_first(used, users, ids_of)
    assert ranked.part(slice(start, start + size)) == expected[start : start + size]
    assert (len(ranked), list(ranked)) == (len(expected), expected)


def test_totals_are_of_everybody_or_of_some() -> None:
    assert totals_among(USED, None) == {"tests": -1, "duration_ms": -1}
    assert totals_among(USED, {1, 2, 9}) == {"tests": 4, "duration_ms": 7}


def user(ordinal: int, username: str, user_id: str, created_at: int) -> User:
    told = {"ordinal": ordinal, "username": username, "id": user_id, "user_key": f"{username}@Ex"}
    return cast("User", SimpleNamespace(**told, created_at=created_at))


JO, AMY, ZOE = user(0, "Jo", "c", 20), user(1, "amy", "b", 10), user(2, "ZOË", "a", 20)
ACTIVE = {0: LastActive(5, 9), 1: LastActive(), 2: LastActive(9, 0)}


@pytest.mark.parametrize(
    ("order", "up", "down"),
    [
        (PersonOrder.USERNAME, [AMY, JO, ZOE], [ZOE, JO, AMY]),
        (PersonOrder.LAST_ACTIVITY, [ZOE, JO, AMY], [ZOE, JO, AMY]),
        (PersonOrder.CREATED, [AMY, ZOE, JO], [ZOE, JO, AMY]),
    ],
)
def test_users_are_listed_in_order_and_equal_ones_by_their_ids(
    order: PersonOrder, up: list[User], down: list[User]
) -> None:
    assert list_users([JO, AMY, ZOE], ACTIVE, order, UP) == up
    assert list_users([JO, AMY, ZOE], ACTIVE, order, DOWN) == down


def test_a_user_is_found_by_either_name_in_either_case() -> None:
    found = [is_called(ZOE, words) for words in ("zo", "OË", "@ex", "ZOË@", "jo")]
    assert found == [True, True, True, True, False]
