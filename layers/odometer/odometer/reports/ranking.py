"""Users in the order of their usage."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from odometer.engine.read.measuring import Used


@dataclass(frozen=True, slots=True)
class UserUsage:
    """What one user has used, measure by measure in the order of the kind."""

    user: int
    measures: tuple[int, ...]


def most_used_first(used: Used, among: Collection[int]) -> list[UserUsage]:
    """The users among these who have used anything, by each measure in turn."""
    columns = [used.measure(name) for name in used.product.kind.measures]
    rows = [
        UserUsage(user, tuple(column[user] for column in columns)) for user in used.among(among)
    ]
    return sorted(rows, key=place)


def place(row: UserUsage) -> list[int]:
    """What puts a row before those that are greater."""
    return [-value for value in row.measures]


def places(
    ranked: Sequence[UserUsage], shown: slice, ids_of: Callable[[Sequence[int]], Sequence[str]]
) -> Sequence[UserUsage]:
    """Some places of a ranking, those who used equally by id.

    Only of users whose place it can decide is the id asked: reading names costs more than usage.
    """
    if not ranked[shown]:
        return []
    first = bisect_left(ranked, place(ranked[shown][0]), key=place)
    end = bisect_right(ranked, place(ranked[shown][-1]), key=place)
    tied = ranked[first:end]
    ids = dict(zip(tied, ids_of([row.user for row in tied]), strict=True))
    by_id = sorted(tied, key=lambda row: (place(row), ids[row]))
    return by_id[shown.start - first : shown.stop - first]


def totals_among(used: Used, among: Collection[int] | None) -> dict[str, int]:
    """Every measure of some users together; None is everybody."""
    if among is None:
        return used.totals
    present = used.among(among)
    columns = {name: used.measure(name) for name in used.product.kind.measures}
    return {name: sum(map(column.__getitem__, present)) for name, column in columns.items()}
