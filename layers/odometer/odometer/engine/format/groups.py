"""Groups: what the users of each team used together, on each day of a week.

Who is in which group is as of now, also in figures of last year. So an item names the division of
users that it was made for; for any other division it says nothing, and the deltas of the week tell.
Only measures are in it: who was active is in the strip of the week.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, pairwise, repeat
from typing import Any, Final, NamedTuple, Protocol, Self

from odometer.domain.stored import require, stored
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.codec import Numbers, pack, pack_measures, unpack, unpack_measures
from odometer.engine.format.frames import SHARD, Frame, numbers_of
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Item

AT_ONCE: Final = 64
"""Groups in an item."""
TEAM: Final = "team"
DEPARTMENT: Final = "department"
USER: Final = "user"
"""Each user by themselves."""
USER_TYPE: Final = "type"
NO_GROUP: Final = AT_ONCE * 1_000_000
"""The number of whoever is in no team, or in no department: in an item of its own."""
CELL: Final = "cell"
"""Whoever is in the same team and departments and of the same type."""

Sums = tuple[int, ...]


Lanes = Mapping[int, Sequence[int]]
"""By group, the lanes of its users in a shard, in order."""


class Division(Protocol):
    """Which users are in which group."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """Tells it from any other division of that name."""

    def sums(self, shard: int, used: Sequence[Numbers]) -> dict[int, Sums]:
        """By group, the sums of the columns of a shard, unless all of them are 0."""

    def chunks(self, shard: int) -> Sequence[int]:
        """The items that a week takes in a shard, also where nobody of it used anything."""


@dataclass(frozen=True)
class Groups:
    """The groups that a directory has: teams, or departments."""

    name: str
    digest: str
    by_shard: Mapping[int, Lanes]
    count: int
    """Groups but the rest have numbers below this."""
    rest: int | None = None
    """The group of everybody who is in no other one, whoever joins later among them."""
    again: Lanes = field(default_factory=dict)
    """By shard, the lanes of users for each further group that they are in."""

    @classmethod
    def of(
        cls, name: str, digest: str, pairs: Iterable[tuple[int, int]], rest: int | None = None
    ) -> Self:
        """Of users and a group of each, in the order of the users."""
        by_shard: defaultdict[int, defaultdict[int, list[int]]]
        by_shard = defaultdict(lambda: defaultdict(list))
        again: defaultdict[int, list[int]] = defaultdict(list)
        last = before = -1
        for user, group in pairs:
            by_shard[user // SHARD][group].append(user % SHARD)
            if user == before:
                again[user // SHARD].append(user % SHARD)
            last, before = max(last, group), user
        return cls(name, digest, by_shard, last + 1, rest, again)

    def sums(self, shard: int, used: Sequence[Numbers]) -> dict[int, Sums]:
        sums, last = {}, len(used[0])
        for group, lanes in self.by_shard.get(shard, {}).items():
            known = lanes if lanes[-1] < last else [lane for lane in lanes if lane < last]
            sums[group] = tuple(sum(map(column.__getitem__, known)) for column in used)
        if self.rest is not None:
            more = tuple(_sum_of(column, self.again.get(shard, ())) for column in used)
            others = map(sum, zip(*sums.values(), strict=True)) if sums else repeat(0)
            parts = zip(map(sum, used), others, more, strict=False)
            sums[self.rest] = tuple(whole - other + twice for whole, other, twice in parts)
        return {group: each for group, each in sums.items() if any(each)}

    def chunks(self, shard: int) -> Sequence[int]:
        of_rest = {self.rest // AT_ONCE} if self.rest is not None else set()
        return sorted({*range(-(-self.count // AT_ONCE)), *of_rest})


def _sum_of(column: Numbers, lanes: Sequence[int]) -> int:
    return sum(column[lane] for lane in lanes if lane < len(column))


@dataclass(frozen=True)
class EachUser:
    """Every user by themselves, up to a number of users."""

    users: int
    name: str = USER
    digest: str = ""

    def sums(self, shard: int, used: Sequence[Numbers]) -> dict[int, Sums]:
        each = enumerate(zip(*used, strict=True), SHARD * shard)
        return {user: sums for user, sums in each if any(sums)}

    def chunks(self, shard: int) -> range:
        first, end = SHARD * shard, min(SHARD * (shard + 1), self.users)
        return range(first // AT_ONCE, -(-end // AT_ONCE))


class Members(NamedTuple):
    """All users of some groups, who have nobody in common."""

    division: str
    digest: str
    groups: Sequence[int]

    def within(self, shard: int) -> Members:
        """Those that a shard may have anybody of."""
        if self.division != USER:
            return self
        return self._replace(groups=[user for user in self.groups if user // SHARD == shard])

    @property
    def chunks(self) -> list[int]:
        return sorted({group // AT_ONCE for group in self.groups})


class Week(NamedTuple):
    """What each group of a shard used on the days of a week, by group and day."""

    edge: date
    sums: Mapping[int, Sequence[Sums]]

    @classmethod
    def of(
        cls,
        edge: date,
        division: Division,
        shard: int,
        frames: Mapping[date, Frame],
        product: MeteredProduct,
    ) -> Week:
        """From what every user used on each day; groups without use are left out."""
        week, places = days_before(edge), range(product.measures)
        used = {
            day: division.sums(shard, [numbers_of([frame], place) for place in places])
            for day, frame in frames.items()
        }
        nothing = (0,) * product.measures
        groups = sorted({group for sums in used.values() for group in sums})
        return cls(edge, {g: [used.get(day, {}).get(g, nothing) for day in week] for g in groups})

    def chunk(self, number: int) -> Week:
        first = number * AT_ONCE
        some = {g: days for g, days in self.sums.items() if first <= g < first + AT_ONCE}
        return Week(self.edge, some)

    def to_attributes(self, division: Division) -> dict[str, Any]:
        gaps = (later - earlier for earlier, later in pairwise((0, *self.sums)))
        rows = [sums for days in self.sums.values() for sums in days]
        columns = pack_measures(zip(*rows, strict=True))
        return {"of": division.digest, "group": pack(gaps), **columns}

    @classmethod
    @stored
    def from_item(cls, item: Item, product: MeteredProduct) -> Week:
        edge, groups = edge_of(item), list(accumulate(unpack(item["group"])))
        require(len(set(groups)) == len(groups))
        if not groups:
            return cls(edge, {})
        days = len(days_before(edge))
        columns = unpack_measures(item, product.measures, days * len(groups))
        rows = list(zip(*columns, strict=True))
        each = (rows[first : first + days] for first in range(0, len(rows), days))
        return cls(edge, dict(zip(groups, each, strict=True)))

    def of_groups(self, groups: Collection[int]) -> Iterator[tuple[date, Sums]]:
        """What some groups used together, day by day."""
        some = [self.sums[group] for group in groups if group in self.sums]
        for day, each in zip(days_before(self.edge), zip(*some, strict=True), strict=False):
            yield day, tuple(map(sum, zip(*each, strict=True)))


def edge_of(item: Item) -> date:
    return keys.edge_of_groups(item["sk"])


def days_before(edge: date) -> list[date]:
    """The days of the week that ends there."""
    return calendar.days(calendar.keyframe_before(edge - DAY), edge)
