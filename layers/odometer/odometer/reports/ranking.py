"""Rows in order: users by their usage, and users as they are listed."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import nlargest, nsmallest
from typing import Any, TypeVar

from odometer.directory.people import User
from odometer.engine.read.latest import LastActive
from odometer.engine.read.measuring import Used

Row = TypeVar("Row")
Key = str | int | None


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


@dataclass(frozen=True, slots=True)
class UserUsage:
    """What one user has used, measure by measure in the order of the kind."""

    user: int
    measures: tuple[int, ...]


def most_used_first(used: Used, among: Collection[int]) -> list[UserUsage]:
    columns = [used.measure(name) for name in used.product.kind.measures]
    rows = [
        UserUsage(user, tuple(column[user] for column in columns)) for user in used.among(among)
    ]
    return sorted(rows, key=rank_key)


def rank_key(row: UserUsage) -> list[int]:
    return [-value for value in row.measures]


def page_of_ranking(
    ranked: Sequence[UserUsage], page: slice, ids_of: Callable[[Sequence[int]], Iterable[str]]
) -> Sequence[UserUsage]:
    """A page of a ranking, users with equal usage by id.

    Only ids that decide a place on the page are asked for: reading names costs more than usage.
    """
    rows: list[UserUsage] = []
    at = page.start
    while at < min(page.stop, len(ranked)):
        key = rank_key(ranked[at])
        first = bisect_left(ranked, key, key=rank_key)
        end = bisect_right(ranked, key, key=rank_key)
        among = slice(at - first, min(page.stop, end) - first)
        rows += part_by_id(ranked[first:end], among, ids_of)
        at = end
    return rows


def part_by_id(
    tied: Sequence[UserUsage], part: slice, ids_of: Callable[[Sequence[int]], Iterable[str]]
) -> Sequence[UserUsage]:
    """A part of equal users in the order of their ids.

    Ids are looked at one after the other, and only those kept that are nearer to an end than the
    part is: a million of equal users do not fit into memory with their names.
    """
    if len(tied) == 1:
        return tied
    by_ordinal = sorted(tied, key=lambda row: row.user)
    ids = ids_of([row.user for row in by_ordinal])
    pairs = ((each, row.user, row) for each, row in zip(ids, by_ordinal, strict=True))
    if part.stop <= len(tied) - part.start:
        return [row for _, _, row in nsmallest(part.stop, pairs)[part.start :]]
    last = nlargest(len(tied) - part.start, pairs)[::-1]
    return [row for _, _, row in last[: part.stop - part.start]]


def totals_among(used: Used, among: Collection[int] | None) -> dict[str, int]:
    if among is None:
        return used.totals
    users = used.among(among)
    columns = {name: used.measure(name) for name in used.product.kind.measures}
    return {name: sum(map(column.__getitem__, users)) for name, column in columns.items()}


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
