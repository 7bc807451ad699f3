"""Figures: sums, distinct users and active days, of everybody who is asked about and by group.

One mechanism answers for any products, users, groups and blocks of time. A figure of a group is
that of its members as the directory has them now. Whoever is in two departments counts in both, and
whoever is in none is in no group. Groups that used nothing are left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from odometer.domain.people import UserType
from odometer.domain.time import Period, instant_at
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.selections import EVERYBODY, Selection, Selections
from odometer.engine.read.tallies import Tallies, Tally
from odometer.services.usage import Usage

Group: TypeAlias = str | int
"""The ordinal of a team, a department or a user, the id of a product, or a type of users."""


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


ANYBODY: Final = Filter()


class Asked(NamedTuple):
    """What is asked for at once."""

    products: Sequence[MeteredProduct]
    edges: Sequence[int]
    """Seconds; block i is from edge i up to, but not including, edge i + 1."""
    users: Filter = ANYBODY
    group_by: GroupBy = GroupBy.NONE
    compare: tuple[int, int] | None = None
    """Another range that is read with it, for the totals."""
    days: bool = False
    """Whether active days are asked for."""


class Figures(NamedTuple):
    """What some users did in a range or a block."""

    sums: Mapping[str, int]
    """By measure; equal measures of several products are added."""
    active_users: int
    """Who used any of the products; nobody counts twice."""
    active_days: int | None = None
    """The days, as their products count them, on which any of the users was active."""


class Columns(NamedTuple):
    """Several figures, column by column: those of groups, or those of blocks."""

    sums: Mapping[str, Sequence[int]]
    active_users: Sequence[int]
    active_days: Sequence[int] | None = None

    def at(self, place: int) -> Figures:
        sums = {name: column[place] for name, column in self.sums.items()}
        days = None if self.active_days is None else self.active_days[place]
        return Figures(sums, self.active_users[place], days)


class Totals(NamedTuple):
    """What a whole range comes to."""

    all: Figures
    """Of everybody who is asked about."""
    groups: Sequence[Group]
    """The groups that used anything, in order of their numbers."""
    of_groups: Columns
    """Of each of these groups."""


class Blocks(NamedTuple):
    """What each block comes to."""

    all: Columns
    groups: Mapping[Group, Columns]


@dataclass(eq=False)
class Report:
    """The answer to one question, read as far as it is used."""

    usage: Usage
    asked: Asked

    @cached_property
    def totals(self) -> Totals:
        """Of the whole range, with all groups."""
        return self._of_range(self.asked.edges[0], self.asked.edges[-1])

    @cached_property
    def compared(self) -> Totals | None:
        """The same of the range to compare with."""
        return self._of_range(*self.asked.compare) if self.asked.compare else None

    def blocks(self, groups: Sequence[Group]) -> Blocks:
        """Block by block, with some of the groups."""
        all_, *of_groups = self._tallies(self.asked.edges, groups)
        each = (self._columns(tally) for tally in of_groups)
        return Blocks(self._columns(all_), dict(zip(groups, each, strict=True)))

    def _of_range(self, first: int, end: int) -> Totals:
        groups = self._groups(first, end)
        all_, *of_groups = (self._columns(t).at(0) for t in self._tallies([first, end], groups))
        used = [(g, f) for g, f in zip(groups, of_groups, strict=True) if f.active_users]
        names = self._measures
        sums = {name: [figures.sums[name] for _, figures in used] for name in names}
        days = [f.active_days or 0 for _, f in used] if self.asked.days else None
        columns = Columns(sums, [figures.active_users for _, figures in used], days)
        return Totals(all_, [group for group, _ in used], columns)

    def _columns(self, tally: Tally) -> Columns:
        nothing = [0] * tally.blocks
        sums = {name: tally.sums.get(name, nothing) for name in self._measures}
        return Columns(sums, tally.users, tally.days if self.asked.days else None)

    @cached_property
    def _measures(self) -> Sequence[str]:
        names = (name for product in self.asked.products for name in product.kind.measures)
        return list(dict.fromkeys(names))

    def _tallies(self, edges: Sequence[int], groups: Sequence[Group]) -> list[Tally]:
        by_product = self.asked.group_by == GroupBy.PRODUCT
        selections = self._selections(groups)
        tallies = Tallies(edges, selections, self.asked.products, by_product, self.asked.days)
        each = tallies.read(self.usage.view)
        if not by_product:
            return each
        of_product = {p.id: tally for p, tally in zip(self.asked.products, each[1:], strict=True)}
        return [each[0], *(of_product[str(group)] for group in groups)]

    # whose use

    def _groups(self, first: int, end: int) -> Sequence[Group]:
        match self.asked.group_by:
            case GroupBy.NONE:
                return []
            case GroupBy.PRODUCT:
                return [product.id for product in self.asked.products]
            case GroupBy.USER:
                return self._users(first, end)
        return sorted(self._members, key=str)

    def _users(self, first: int, end: int) -> list[Group]:
        period = Period(instant_at(first), instant_at(end))
        used = {user for p in self.asked.products for user in self.usage.of(p.id, period).users}
        return sorted(used if self._chosen is None else used & self._chosen)

    @cached_property
    def _chosen(self) -> frozenset[int] | None:
        """Who is asked about; None is everybody."""
        team, departments, user_type, users = self.asked.users
        roster = self.usage.directory.columns("users", "roster")
        chosen = users
        if team is not None:
            chosen = both(chosen, (u for u, each in enumerate(roster["team"]) if each == team))
        if departments is not None:
            of_users = enumerate(roster["departments"])
            chosen = both(chosen, (u for u, each in of_users if not departments.isdisjoint(each)))
        if user_type is not None:
            chosen = both(chosen, (u for u, each in enumerate(roster["type"]) if each == user_type))
        return chosen

    @cached_property
    def _members(self) -> Mapping[Group, Sequence[int]]:
        """Who of those that are asked about is in each group."""
        members: dict[Group, list[int]] = {}
        for user, groups in enumerate(self._groups_of_users):
            if self._chosen is None or user in self._chosen:
                for group in groups:
                    members.setdefault(group, []).append(user)
        return members

    @property
    def _groups_of_users(self) -> Iterable[Sequence[Group]]:
        roster = self.usage.directory.columns("users", "roster")
        match self.asked.group_by:
            case GroupBy.TEAM:
                return ([] if team is None else [team] for team in roster["team"])
            case GroupBy.DEPARTMENT:
                return iter(roster["departments"])
            case GroupBy.USER_TYPE:
                return ([each] for each in roster["type"])
        return ()

    def _selections(self, groups: Sequence[Group]) -> Selections:
        """Everybody who is asked about, and the members of each of some groups."""
        everyone = EVERYBODY if self._chosen is None else Selection(sorted(self._chosen))
        match self.asked.group_by:
            case GroupBy.NONE | GroupBy.PRODUCT:
                return Selections([everyone])
            case GroupBy.USER:
                return Selections([everyone, *(Selection([int(user)]) for user in groups)])
        return Selections([everyone, *(Selection(self._members.get(g, ())) for g in groups)])


def both(some: frozenset[int] | None, others: Iterable[int]) -> frozenset[int]:
    """Who is in both; None is everybody."""
    return frozenset(others) if some is None else some.intersection(others)
