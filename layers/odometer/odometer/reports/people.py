"""Users as they are listed: found by name or department, and put in order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from odometer.directory.people import User
from odometer.engine.read.activity import LastActive
from odometer.reports.ranking import Direction, Key, in_order


class PersonOrder(StrEnum):
    """By what users can be listed."""

    USERNAME = "username"
    LAST_ACTIVITY = "last_activity"
    CREATED = "created_at"


def list_users(
    users: Sequence[User],
    matches: Callable[[User], bool],
    last_active: Mapping[int, LastActive],
    order: PersonOrder,
    direction: Direction,
) -> list[User]:
    """The users who match, in order, equal ones by id."""
    keys: Mapping[PersonOrder, Callable[[User], Key]] = {
        PersonOrder.USERNAME: lambda user: user.username.casefold(),
        PersonOrder.LAST_ACTIVITY: lambda user: last_active[user.ordinal].last or None,
        PersonOrder.CREATED: lambda user: user.created_at,
    }
    by_id = sorted(filter(matches, users), key=lambda user: user.id)
    return in_order(by_id, keys[order], direction)


def matcher(words: str, among: Collection[int] | None) -> Callable[[User], bool]:
    """Whether a user's name or key has the words, and whether they are among some."""
    wanted = words.casefold()

    def matches(user: User) -> bool:
        named = wanted in user.username.casefold() or wanted in user.user_key.casefold()
        return named and (among is None or user.ordinal in among)

    return matches
