"""Rows in order: users by their usage, and users as they are listed."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from heapq import nlargest, nsmallest
from typing import Any, Final, TypeVar

from odometer.directory.people import User
from odometer.domain.frozen import frozen
from odometer.engine.read.latest import LastActive
from odometer.engine.read.measuring import Used

Row = TypeVar("Row")
Key = str | int | None

FEW: Final = 12
"""Where fewer than one in so many are looked at, choosing them takes less than sorting all."""


STEPS: Final = 4
"""A sample takes one user of a quarter of those that are wanted: of 13, if 52 are wanted."""
LEAST_STEP: Final = 8
"""A sample takes one user of so many at most."""
LARGEST: Final = 16
"""So many users of the sample have the figure that is enough, which makes four times as many as are
wanted of all users."""


class Direction(StrEnum):
    """Which end of an order comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


def in_order(rows: Sequence[Row], key: Callable[[Row], Key], direction: Direction) -> list[Row]:
    """Rows by a key; those without one come last, and equal ones stay as they stood."""
    keys: list[Any] = list(map(key, rows))
    present = [place for place, key_of in enumerate(keys) if key_of is not None]
    present.sort(key=keys.__getitem__, reverse=direction is Direction.DESCENDING)
    absent = (row for row, key_of in zip(rows, keys, strict=True) if key_of is None)
    return [*map(rows.__getitem__, present), *absent]


@frozen
class Ranking:
    """Users by a key, sorted no further than they are looked at; equal ones are sorted by id.

    Only ids that decide a place are asked for: reading names costs more than usage.
    """

    users: Sequence[int]
    """In the order of their ordinals."""
    keys: Sequence[Any]
    """One for each user."""
    direction: Direction
    ids_of: Callable[[Sequence[int]], Iterable[str]]

    def __len__(self) -> int:
        return len(self.users)

    def __iter__(self) -> Iterator[int]:
        return iter(self.part(slice(None)))

    def part(self, places: slice) -> list[int]:
        start, stop, _ = places.indices(len(self))
        if start >= stop:
            return []
        first_keys = self._first_keys(stop)
        skipped = start - first_keys.index(first_keys[start])
        found = self._with_keys(first_keys[start:])
        return self._in_order(found, range(skipped, skipped + stop - start))

    def _first_keys(self, stop: int) -> list[Any]:
        largest_first = self.direction is Direction.DESCENDING
        if stop * FEW < len(self.keys):
            return (nlargest if largest_first else nsmallest)(stop, self.keys)
        return sorted(self.keys, reverse=largest_first)[:stop]

    def _with_keys(self, keys: Sequence[Any]) -> list[tuple[int, int]]:
        """All users with any of the keys that stand here in order, and the ranks of theirs."""
        ranks = {key: rank for rank, key in enumerate(dict.fromkeys(keys))}
        low, high = sorted((keys[0], keys[-1]))
        pairs = zip(self.users, self.keys, strict=True)
        return [(ranks[key], user) for user, key in pairs if low <= key <= high]

    def _in_order(self, found: Sequence[tuple[int, int]], places: range) -> list[int]:
        """Some places of users by their ranks, and by their ids where these are equal.

        Ids are looked at one after the other, and only those kept that are nearer to an end than
        these places are: a million of equal users do not fit into memory with their names.
        """
        if len({rank for rank, _ in found}) == len(found):
            return [user for _, user in sorted(found)][places.start : places.stop]
        ids = self.ids_of([user for _, user in found])
        rows = ((rank, each, user) for (rank, user), each in zip(found, ids, strict=True))
        if places.stop <= len(found) - places.start:
            return [user for *_, user in nsmallest(places.stop, rows)[places.start :]]
        last = nlargest(len(found) - places.start, rows)[::-1]
        return [user for *_, user in last[: len(places)]]


@frozen
class LazyRanking:
    """A ranking that compares those users alone who may stand in the places that are looked at."""

    users: Sequence[int]
    near_top: Callable[[int], Sequence[int]]
    """Users among whom are the first so many."""
    ranking_of: Callable[[Sequence[int]], Ranking]

    def __len__(self) -> int:
        return len(self.users)

    def __iter__(self) -> Iterator[int]:
        return iter(self.part(slice(None)))

    def part(self, places: slice) -> list[int]:
        start, stop, _ = places.indices(len(self))
        return self.ranking_of(self.near_top(stop)).part(slice(start, stop))


def near_top(
    used: Used,
    users: Sequence[int],
    figures_of: Callable[[Sequence[int]], Iterable[int]],
    reaching: Callable[[int], Sequence[int] | None],
    count: int,
) -> Sequence[int]:
    """Users among whom are so many with the largest figures; at worst all of them.

    A sample of users tells a figure that about four times as many users reach as are wanted.
    `reaching` may name users who do not quite reach it, so those who do are counted.
    """
    are_all = users is used.users
    some = used.lanes if are_all else users
    if count * FEW >= len(some):
        return users
    sample = some[:: max(LEAST_STEP, count // STEPS)]
    enough = nlargest(LARGEST, figures_of(sample))[-1]
    near = reaching(enough) or ()
    near = near if are_all else sorted(set(near).intersection(users))
    return near if sum(each >= enough for each in figures_of(near)) >= count else users


def most_used_first(
    used: Used, users: Sequence[int], ids_of: Callable[[Sequence[int]], Iterable[str]]
) -> LazyRanking:
    """By the first measure; equal ones by the second, and so on."""
    first = used.product.kind.measures[0]

    def ranking(some: Sequence[int]) -> Ranking:
        columns = [used.values(column, some) for column in used.columns.values()]
        return Ranking(some, list(zip(*columns, strict=True)), Direction.DESCENDING, ids_of)

    figures_of = partial(used.values, used.column(first))
    near = partial(near_top, used, users, figures_of, partial(used.reaching, first))
    return LazyRanking(users, near, ranking)


def totals_among(used: Used, among: Collection[int] | None) -> dict[str, int]:
    if among is None:
        return used.totals
    users = used.among(among)
    return {name: sum(used.values(column, users)) for name, column in used.columns.items()}


class PersonOrder(StrEnum):
    """By what users can be listed."""

    USERNAME = "username"
    LAST_ACTIVITY = "last_activity"
    CREATED = "created_at"


def list_users(
    users: Iterable[User],
    last_active: Mapping[int, LastActive],
    order: PersonOrder,
    direction: Direction,
) -> list[User]:
    keys: Mapping[PersonOrder, Callable[[User], Key]] = {
        PersonOrder.USERNAME: lambda user: user.username.casefold(),
        PersonOrder.LAST_ACTIVITY: lambda user: last_active[user.ordinal].last or None,
        PersonOrder.CREATED: lambda user: user.created_at,
    }
    by_id = sorted(users, key=lambda user: user.id)
    return in_order(by_id, keys[order], direction)


def is_called(user: User, words: str) -> bool:
    """Whether the words are in a name of the user, in either case."""
    wanted = words.casefold()
    return wanted in user.username.casefold() or wanted in user.user_key.casefold()
