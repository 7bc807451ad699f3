"""What the groups of an answer are called, and in which order they stand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from odometer.directory.people import Department, Team
from odometer.directory.snapshot import Directory
from odometer.reports.apps import usernames
from odometer.reports.groups import LAST_OF_ALL, Names
from odometer.services.figures import Group, GroupBy
from odometer.services.usage import Usage

NAMED: Final = (GroupBy.PRODUCT, GroupBy.TEAM, GroupBy.DEPARTMENT)
"""These groups have an id and a name; all others are shown as they are called."""

Shown = Mapping[str, str] | str | None
"""What stands for a group in the answer."""


class Called(NamedTuple):
    """A group as it is known: by its id, by its name, and as it is shown."""

    id: str | None
    name: str | None
    shown: Shown


class Places(NamedTuple):
    """Groups by numbers, which are those of users or of the places in a list."""

    keys: Mapping[int, Group]
    names: Names
    shown: Callable[[Sequence[int]], Sequence[Shown]]
    parts: Sequence[str] = ()
    """What a group is shown by, unless it is shown as it is called."""


def places_of(group_by: GroupBy | int, usage: Usage, keys: Sequence[Group]) -> Places:
    if group_by is GroupBy.USER:
        users = [key for key in keys if isinstance(key, int)]
        return places_of_users(usage.directory_of(users), users)
    called = [called_by(group_by, usage.directory, key) for key in keys]
    names = Names(
        lambda places: [LAST_OF_ALL if (it := called[at].id) is None else it for at in places],
        lambda places: [called[at].name for at in places],
    )
    parts = ("id", "name") if group_by in NAMED else ()
    return Places(
        dict(enumerate(keys)), names, lambda places: [called[at].shown for at in places], parts
    )


def places_of_users(directory: Directory, used: Sequence[int]) -> Places:
    """Everybody but those who were erased: they are nobody."""
    users = {user: user for user in used if user not in directory.erased}
    names = Names(directory.ids_at, lambda places: usernames(directory, places))

    def shown(places: Sequence[int]) -> list[Shown]:
        rows = directory.names_at(places)
        return [{name: row[name] for name in ("id", "username")} for row in rows]

    return Places(users, names, shown, ("id", "username"))


def called_by(group_by: GroupBy | int, directory: Directory, key: Group) -> Called:
    match key:
        case None:
            return Called(None, None, None)
        case int():
            return named(
                (directory.teams if group_by is GroupBy.TEAM else directory.departments)[key]
            )
    if group_by is GroupBy.PRODUCT:
        name = next((each.name for each in directory.products if each.id == key), key)
        return Called(key, name, {"id": key, "name": name})
    return Called(key, key, key)


def named(member: Team | Department) -> Called:
    return Called(member.id, member.name, {"id": member.id, "name": member.name})
