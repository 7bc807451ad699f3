"""Figures: sums, distinct users and active days, of everybody who is asked about and by group.

One mechanism answers for any products, users, groups and blocks of time. A figure of a group is
that of its members as the directory has them now. Whoever is in two departments counts in both, and
the group of whoever is in none is None. Groups that used nothing are left out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain, repeat
from operator import add
from typing import Any, NamedTuple

from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import Used, distinct_users
from odometer.engine.read.selections import Selection, Selections
from odometer.engine.read.tallies import (
    Measured,
    Tallies,
    Tally,
    days_of_users,
    paid_for,
    used_in_each,
)
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, in_rounds, side_by_side
from odometer.services.groups import remembered_roster
from odometer.services.usage import Usage, products_of
from odometer.services.whose import ANYBODY, Filter, Group, GroupBy, Whose, whose_of

__all__ = ["ANYBODY", "Filter", "Group", "GroupBy"]


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

    sums: Mapping[Measured, int]
    """Those of several products are added."""
    active_users: int | None
    """Who used any of the products; nobody counts twice. None where users are not told apart."""
    active_days: int | None = None
    """The days, as their products count them, on which any of the users was active."""


class Columns(NamedTuple):
    """Several figures, column by column: those of groups, or those of blocks."""

    sums: Mapping[Measured, Sequence[int]]
    active_users: Sequence[int] | None
    active_days: Sequence[int] | None = None

    def at(self, place: int) -> Figures:
        sums = {name: column[place] for name, column in self.sums.items()}
        users, days = (
            None if counts is None else counts[place]
            for counts in (self.active_users, self.active_days)
        )
        return Figures(sums, users, days)


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
    """The answer to one question. All but the blocks of users is read in one round."""

    usage: Usage
    asked: Asked

    @property
    def totals(self) -> Totals:
        """Of the whole range, with all groups."""
        return self._totals[0]

    @property
    def compared(self) -> Totals | None:
        """The same of the range to compare with."""
        return self._totals[1] if self.asked.compare else None

    def blocks(self, groups: Sequence[Group]) -> Blocks:
        """Block by block, with some of the groups."""
        tallies = self.ranges[0].tallies
        known = dict(self._named(tallies))
        if self._is_by_user:
            known = self._blocks_of([group for group in groups if isinstance(group, int)])
        nothing = Tally(len(self.asked.edges) - 1)
        each = {group: self._columns(known.get(group, nothing)) for group in groups}
        return Blocks(self._columns(tallies.each[0]), each)

    def affordable(self, users: Sequence[int], units: float) -> int:
        """How many of these users, in order, have blocks that so many read units pay for, about.

        One is always paid for.
        """
        return paid_for(self._view, self.asked.products, self.asked.edges, users, units)

    # what is read

    @cached_property
    def ranges(self) -> list["Range"]:
        """What is asked of each range, read."""
        return in_rounds(self._view.store, self.in_rounds())

    def in_rounds(self) -> Steps[list["Range"]]:
        """The same, for whoever reads more at once.

        Blocks and active days are counted by day, which tells the whole range, too. Any other range
        is the difference of readings, and so is whatever users are ranked by.
        """
        compare = [self.asked.compare] if self.asked.compare else []
        ranges = [self._range(edges) for edges in (self.asked.edges, *compare)]
        if not self.asked.products:
            return ranges
        measured = [each for each in ranges if each.is_measured]
        steps: list[Steps[Any]] = [
            used_in_each(self._view, self.asked.products, [each.seconds for each in measured]),
            *(
                each.tallies.in_rounds(self._view, self._catalog, has_sums=not each.is_apart)
                for each in ranges
                if each.is_by_day
            ),
        ]
        used, *_ = yield from side_by_side(steps)
        for each, of_products in zip(measured, zip(*used, strict=True), strict=True):
            each.used = of_products
            if each.is_apart or not each.is_by_day:
                each.tallies.add_used(of_products)
        return ranges

    def _range(self, edges: Sequence[int]) -> "Range":
        """How a range is read: sums that many items would tell are apart from active days."""
        by_product, days = self.asked.group_by == GroupBy.PRODUCT, self.asked.days
        whose, whole = self._whose, len(edges) - 1 == 1
        is_apart = (
            days and whole and not by_product and (self._is_by_user or not whose.is_told_by_few)
        )
        is_by_day = days or not whole
        is_measured = self._is_by_user or is_apart or not is_by_day
        tallies = Tallies(edges, whose.selections, self.asked.products, by_product, days)
        return Range(tallies, is_by_day, is_measured, is_apart)

    def _blocks_of(self, users: Sequence[int]) -> dict[Group, Tally]:
        """The blocks of some users, read after the totals, from which it follows who they are."""
        each = Selections([Selection([user]) for user in users])
        tallies = Tallies(self.asked.edges, each, self.asked.products, by_day=self.asked.days)
        if users:
            in_rounds(self._view.store, tallies.in_rounds(self._view, self._catalog))
        return dict(zip(users, tallies.each, strict=False))

    def _named(self, tallies: Tallies) -> Iterator[tuple[Group, Tally]]:
        """The tallies of groups."""
        if self.asked.group_by == GroupBy.PRODUCT:
            names: Iterable[Group] = (product.id for product in self.asked.products)
        else:
            names = self._whose.groups
        return zip(names, tallies.each[1:], strict=False)

    # what is made of it

    @cached_property
    def _totals(self) -> list[Totals]:
        of_range = self._of_users if self._is_by_user else self._of_groups
        return [of_range(each) for each in self.ranges]

    def _of_groups(self, each: "Range") -> Totals:
        used = [(group, tally) for group, tally in self._named(each.tallies) if tally.all_users]
        tallies = [tally for _, tally in used]
        sums = {name: [tally.sum(name) for tally in tallies] for name in self._measures}
        days = [tally.all_days for tally in tallies] if self.asked.days else None
        columns = Columns(sums, [tally.all_users for tally in tallies], days)
        return Totals(self._figures(each.tallies), [group for group, _ in used], columns)

    def _of_users(self, each: "Range") -> Totals:
        chosen = self._whose.users
        users = (
            each.used[0].among(chosen)
            if len(each.used) == 1
            else [user for user in distinct_users(each.used) if chosen is None or user in chosen]
        )
        sums = {name: self._of_each(name, each.used, users) for name in self._measures}
        days = self._days_of(each, users) if self.asked.days else None
        return Totals(self._figures(each.tallies), users, Columns(sums, [1] * len(users), days))

    def _of_each(self, measured: Measured, used: Sequence[Used], users: Sequence[int]) -> list[int]:
        kind, name = measured
        columns = (each.columns[name] for each in used if each.product.kind.name == kind)
        first, *others = ([*each_of(column, users)] for column in columns)
        return reduce(lambda one, other: list(map(add, one, other)), others, first)

    def _days_of(self, each: "Range", users: Sequence[int]) -> list[int]:
        if len(each.used) == 1:
            return [*each_of(each.used[0].days_active, users)]
        days = in_rounds(
            self._view.store, days_of_users(self._view, self.asked.products, each.seconds)
        )
        return [*each_of(days, users)]

    def _figures(self, tallies: Tallies) -> Figures:
        """Of everybody who is asked about, in the whole range."""
        tally = tallies.each[0]
        days = tally.all_days if self.asked.days else None
        return Figures({name: tally.sum(name) for name in self._measures}, tally.all_users, days)

    def _columns(self, tally: Tally) -> Columns:
        nothing = [0] * tally.blocks
        sums = {name: tally.sums.get(name, nothing) for name in self._measures}
        return Columns(sums, tally.users, tally.days if self.asked.days else None)

    # what is asked about

    @property
    def _is_by_user(self) -> bool:
        return self.asked.group_by == GroupBy.USER

    @cached_property
    def _view(self) -> View:
        return self.usage.view

    @cached_property
    def _catalog(self) -> Sequence[MeteredProduct]:
        return products_of(self.usage.directory)

    @cached_property
    def _whose(self) -> Whose:
        roster = remembered_roster(self.usage.directory, self._view.memory)
        return whose_of(roster, self.asked.users, self.asked.group_by)

    @cached_property
    def _measures(self) -> Sequence[Measured]:
        kinds = dict.fromkeys(product.kind for product in self.asked.products)
        return [(kind.name, name) for kind in kinds for name in kind.measures]


@dataclass(eq=False)
class Range:
    """A range of time, and what was found of it."""

    tallies: Tallies
    is_by_day: bool
    """Whether days are counted, by strips where there are any."""
    is_measured: bool
    """Whether readings are subtracted."""
    is_apart: bool
    """Whether both is done: one tells active days, the other one the rest."""
    used: Sequence[Used] = ()
    """What every user has used of each product, where it was measured."""

    @property
    def seconds(self) -> range:
        return range(self.tallies.edges[0], self.tallies.edges[-1])


def each_of(column: Sequence[int], users: Sequence[int]) -> Iterable[int]:
    """The numbers of some users in a column; 0 of those beyond its end."""
    known = bisect_left(users, len(column))
    return chain(map(column.__getitem__, users[:known]), repeat(0, len(users) - known))
