"""Users as they are listed: found by name or department, and put in order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from odometer.directory.people import User
from odometer.engine.read.activity import LastActive
from odometer.reports.order import Direction, Key, in_order


class PersonOrder(StrEnum):
    """By what users can be listed."""

    USERNAME = "username"
    LAST_ACTIVITY = "last_activity"
    CREATED = "created_at"


def listed(
    users: Sequence[User],
    found: Callable[[User], bool],
    presence: Mapping[int, LastActive],
    order: PersonOrder,
    direction: Direction,
) -> list[User]:
    """The users who are asked for, in order, equal ones by id."""
    keys: Mapping[PersonOrder, Callable[[User], Key]] = {
        PersonOrder.USERNAME: lambda user: user.username.casefold(),
        PersonOrder.LAST_ACTIVITY: lambda user: presence[user.ordinal].last or None,
        PersonOrder.CREATED: lambda user: user.created_at,
    }
    by_id = sorted(filter(found, users), key=lambda user: user.id)
    return in_order(by_id, keys[order], direction)


def finder(words: str, among: Collection[int] | None) -> Callable[[User], bool]:
    """Whether a user is meant: by a part of their name or key, and by where they belong."""
    wanted = words.casefold()

    def found(user: User) -> bool:
        named = wanted in user.username.casefold() or wanted in user.user_key.casefold()
        return named and (among is None or user.ordinal in among)

    return found
