"""A ranking says what a full sort would, and sorts no more than is looked at."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf
from random import Random
from typing import Any, ClassVar, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odometer.reports.ranking import Direction, Ranking

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
