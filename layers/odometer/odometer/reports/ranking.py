"""Users in the order of their usage."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from odometer.readings.reading import Used


@dataclass(frozen=True, slots=True)
class UserUsage:
    """What one user has used, measure by measure in the order of the kind."""

    user: int
    measures: tuple[int, ...]


def most_used_first(used: Used, among: Collection[int], ids: Sequence[str]) -> list[UserUsage]:
    """The users among these who have used anything: by each measure in turn, then by id."""
    columns = [used.measure(name) for name in used.product.kind.measures]
    rows = [
        UserUsage(user, tuple(column[user] for column in columns))
        for user in used.users
        if user in among
    ]
    return sorted(rows, key=lambda row: ([-value for value in row.measures], ids[row.user]))


def totals_among(used: Used, among: Collection[int] | None) -> dict[str, int]:
    """Every measure of some users together; None is everybody."""
    if among is None:
        return used.totals
    present = [user for user in used.users if user in among]
    columns = {name: used.measure(name) for name in used.product.kind.measures}
    return {name: sum(column[user] for user in present) for name, column in columns.items()}
