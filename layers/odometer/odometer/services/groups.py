"""Groups of users as the engine adds them up: teams, departments, types and cells of a directory.

Whoever is in the same team and the same departments and of the same type is in the same cell. So
whatever is asked of teams, departments and types together is asked of some cells.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from odometer.directory.columns import DirectoryHead
from odometer.directory.snapshot import Directory
from odometer.domain.people import UserType
from odometer.engine.format.groups import (
    CELL,
    DEPARTMENT,
    NO_GROUP,
    TEAM,
    USER_TYPE,
    Division,
    EachUser,
    Groups,
    Members,
)
from odometer.engine.memory import OrganizationMemory

MOST_CELLS: Final = 1_024
"""Beyond so many, weeks are not added up by cell."""
PLAIN: Final = 0
"""The number of the cell of accounts in no team and no department, and of accounts as a type."""
_BYTES_OF_USER: Final = 400
_FORM: Final = 2
"""Another form of the divisions makes all weeks be added up again."""


class Cell(NamedTuple):
    """What users of a cell have in common."""

    team: int
    """-1 for none."""
    departments: tuple[int, ...]
    is_service: bool

    @property
    def user_type(self) -> UserType:
        return UserType.SERVICE if self.is_service else UserType.ACCOUNT


class Roster:
    """Who is in which group, at one version of a directory."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self.kept: dict[str, Any] = {}
        """What a process keeps of it."""
        self._teams: Sequence[int | None] = columns["team"]
        self._departments: Sequence[Sequence[int]] = columns["departments"]
        self._services = [int(each == UserType.SERVICE) for each in columns["type"]]

    def __len__(self) -> int:
        return len(self._teams)

    @cached_property
    def cells(self) -> Mapping[Cell, Sequence[int]]:
        """The users of each cell; the plain one is the first, even where nobody is in it."""
        cells: dict[tuple[int | None, tuple[int, ...], int], list[int]] = {(None, (), 0): []}
        rows = zip(self._teams, map(tuple, self._departments), self._services, strict=True)
        for user, key in enumerate(rows):
            cells.setdefault(key, []).append(user)
        named = {
            Cell(-1 if team is None else team, departments, bool(service)): users
            for (team, departments, service), users in cells.items()
        }
        return dict(sorted(named.items()))

    def digest(self, division: str) -> str:
        return self._digests[division]

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        teams, departments = digest_of(self._teams), digest_of(self._departments)
        types = digest_of([each or None for each in self._services])
        digests = {TEAM: teams, DEPARTMENT: departments, USER_TYPE: types}
        return {**digests, CELL: _digest([teams, departments, types])}

    @property
    def divisions(self) -> list[Division]:
        services = ((user, 1) for user, service in enumerate(self._services) if service)
        teams = ((user, team) for user, team in enumerate(self._teams) if team is not None)
        groups = [
            Groups.of(TEAM, self.digest(TEAM), teams, NO_GROUP),
            Groups.of(DEPARTMENT, self.digest(DEPARTMENT), _pairs(self._departments), NO_GROUP),
            Groups.of(USER_TYPE, self.digest(USER_TYPE), services, PLAIN),
        ]
        if len(self.cells) > MOST_CELLS:
            return [*groups]
        return [*groups, Groups.of(CELL, self.digest(CELL), self._pairs_of_cells(), PLAIN)]

    def members_as_cells(self, departments: Collection[int]) -> Members | None:
        """The members of any of some departments; None where there are too many cells."""
        if len(self.cells) > MOST_CELLS:
            return None
        some = [n for n, cell in enumerate(self.cells) if {*departments} & {*cell.departments}]
        return Members(CELL, self.digest(CELL), some)

    def _pairs_of_cells(self) -> Iterable[tuple[int, int]]:
        some = enumerate(self.cells.values())
        return sorted((user, n) for n, users in some if n != PLAIN for user in users)


def divisions_of(directory: Directory, zone: str, users: int) -> list[Division]:
    """Everything that weeks are added up by.

    People are in it where days of the organization, which their own rows count, are none of UTC.
    """
    divisions = roster_of(directory).divisions
    return [*divisions, EachUser(users)] if zone != "UTC" else divisions


def form_of(head: DirectoryHead) -> str:
    """Tells from others what the divisions of a directory follow from, without reading it."""
    return f"{head.roster} {_FORM}"


def roster_of(directory: Directory) -> Roster:
    return Roster(directory.columns("users", "roster"))


def remembered_roster(directory: Directory, memory: OrganizationMemory) -> Roster:
    """The same, kept for as long as the blocks that it is made of are those of the directory."""
    commits = directory.commits(directory.head.blocks_of("users", "roster"))
    name = (Roster, tuple(sorted(commits.items())))
    known: Roster | None = memory.get(name)
    if known is None:
        known = roster_of(directory)
        memory.keep(name, known, _BYTES_OF_USER * len(known))
    return known


def team_members(directory: Directory, team: int) -> Members:
    return Members(TEAM, digest_of(directory.columns("users", "roster")["team"]), [team])


def department_members(directory: Directory, ids: Collection[str]) -> Members | None:
    """The members of some departments; as cells where somebody is in two of them.

    None where there are too many cells.
    """
    departments = directory.departments_with(ids)
    columns = directory.columns("users", "roster")
    of_users = columns["departments"]
    if any(len(departments & set(each)) > 1 for each in of_users if len(each) > 1):
        return Roster(columns).members_as_cells(departments)
    return Members(DEPARTMENT, digest_of(of_users), sorted(departments))


def digest_of(column: Sequence[Any]) -> str:
    """Tells who is in which group from any other way; users without a group change nothing."""
    last = max((place for place, each in enumerate(column) if each not in (None, [])), default=-1)
    return _digest(column[: last + 1])


def _digest(content: Sequence[Any]) -> str:
    return blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def _pairs(groups_of_users: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    return ((user, group) for user, those in enumerate(groups_of_users) for group in those)
