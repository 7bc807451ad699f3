"""Whose use is asked about: a filter of users, what they are grouped by, and who that is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from odometer.domain.people import UserType
from odometer.engine.format.groups import CELL, DEPARTMENT, NO_GROUP, TEAM, USER_TYPE
from odometer.engine.read.selections import EVERYBODY, Divided, Selection, Selections
from odometer.services.groups import MOST_CELLS, Cell, Roster

Group: TypeAlias = str | int | None
"""The ordinal of a team, a department or a user, the id of a product, or a type of users.

Or a value of a breakdown; None is what had none.
"""


class GroupBy(StrEnum):
    """What figures are shown by."""

    NONE = "none"
    PRODUCT = "product"
    TEAM = "team"
    DEPARTMENT = "department"
    USER = "user"
    USER_TYPE = "user_type"


class Filter(NamedTuple):
    """Whose use is asked about: of whoever is in all that is named here."""

    team: int | None = None
    departments: frozenset[int] | None = None
    """Whoever is in one of them."""
    user_type: UserType | None = None
    users: frozenset[int] | None = None

    def has(self, cell: Cell) -> bool:
        """Whether users of a cell are asked about, unless users are named."""
        return (
            self.team in (None, cell.team)
            and (self.departments is None or not self.departments.isdisjoint(cell.departments))
            and self.user_type in (None, cell.user_type)
        )


ANYBODY: Final = Filter()
FEW_CHUNKS: Final = 2
"""More of them weigh more than two readings do."""
DIVISION_OF: Final[Mapping[GroupBy, str]] = {
    GroupBy.TEAM: TEAM,
    GroupBy.DEPARTMENT: DEPARTMENT,
    GroupBy.USER_TYPE: USER_TYPE,
}


class Whose:
    """Who is asked about, altogether and by group."""

    def __init__(self, roster: Roster, only: Filter, by: GroupBy) -> None:
        self._roster, self._only, self._by = roster, only, by

    @cached_property
    def all(self) -> Selection:
        """Everybody who is asked about."""
        if self._only == ANYBODY:
            return EVERYBODY
        return self._selection(range(len(self._cells)), self._groups_of_all)

    @cached_property
    def users(self) -> frozenset[int] | None:
        return None if self.all.users is None else frozenset(self.all.users)

    @cached_property
    def groups(self) -> Mapping[Group, Selection]:
        """The members of each group that has any, of those who are asked about."""
        by_group: defaultdict[Group, list[int]] = defaultdict(list)
        for place, (_, cell, _) in enumerate(self._cells):
            for group in groups_of(cell, self._by):
                by_group[group].append(place)
        return {
            group: self._selection(places, [number_of(group)])
            for group, places in sorted(by_group.items(), key=lambda each: number_of(each[0]))
        }

    @cached_property
    def selections(self) -> Selections:
        """Everybody who is asked about, and then each group."""
        return Selections([self.all, *self.groups.values()], self._division)

    @property
    def is_told_by_few(self) -> bool:
        """Whether few items beside the strips of weeks tell all of it."""
        if self._division is None:
            return self._only == ANYBODY
        return len(self.selections.in_shard(0).chunks) <= FEW_CHUNKS

    @cached_property
    def _cells(self) -> Sequence[tuple[int, Cell, Sequence[int]]]:
        """The number of each cell with anybody who is asked about, and who they are."""
        only, cells = self._only.users, enumerate(self._roster.cells.items())
        found = ((n, cell, users) for n, (cell, users) in cells if users and self._only.has(cell))
        if only is None:
            return list(found)
        some = ((n, cell, [u for u in users if u in only]) for n, cell, users in found)
        return [each for each in some if each[2]]

    def _selection(self, places: Sequence[int], groups: Sequence[int]) -> Selection:
        """The users of some cells, who are the members of some groups of a simple division."""
        users = sorted(chain.from_iterable(self._cells[place][2] for place in places))
        if self._division is None or self._division.name != CELL:
            return Selection(users, groups)
        return Selection(users, [self._cells[place][0] for place in places])

    @property
    def _groups_of_all(self) -> Sequence[int]:
        """The groups of the one division that is asked about."""
        team, departments, user_type, _ = self._only
        if departments is not None:
            return sorted(departments)
        if user_type is not None:
            return [number_of(user_type)]
        return [] if team is None else [team]

    @cached_property
    def _division(self) -> Divided | None:
        """What weeks are added up by that tells all of it: the simplest."""
        named = self._names
        if self._only.users is not None or not named:
            return None
        name = named.pop() if len(named) == 1 else CELL
        if name == DEPARTMENT and self._overlap:
            name = CELL
        if name == CELL and len(self._roster.cells) > MOST_CELLS:
            return None
        return Divided(name, self._roster.digest(name))

    @property
    def _names(self) -> set[str]:
        team, departments, user_type, _ = self._only
        named = {DIVISION_OF[self._by]} if self._by in DIVISION_OF else set()
        asked = {TEAM: team, DEPARTMENT: departments, USER_TYPE: user_type}
        return named | {name for name, value in asked.items() if value is not None}

    @property
    def _overlap(self) -> bool:
        """Whether somebody is in two of the departments that are asked about."""
        departments = self._only.departments
        if departments is None:
            return False
        grouped = self._by == GroupBy.DEPARTMENT
        return any(
            len(cell.departments if grouped else departments.intersection(cell.departments)) > 1
            for _, cell, _ in self._cells
        )


def whose_of(roster: Roster, only: Filter, by: GroupBy) -> Whose:
    """Who is asked about; a process keeps that of everybody with the roster."""
    if only != ANYBODY:
        return Whose(roster, only, by)
    whose: Whose = roster.kept.setdefault(by, Whose(roster, only, by))
    return whose


def groups_of(cell: Cell, by: GroupBy) -> Sequence[Group]:
    match by:
        case GroupBy.TEAM:
            return [None if cell.team < 0 else cell.team]
        case GroupBy.DEPARTMENT:
            return cell.departments or [None]
        case GroupBy.USER_TYPE:
            return [cell.user_type]
    return ()


def number_of(group: Group) -> int:
    """The number of a group in its division."""
    if group is None:
        return NO_GROUP
    return int(group == UserType.SERVICE) if isinstance(group, str) else group
