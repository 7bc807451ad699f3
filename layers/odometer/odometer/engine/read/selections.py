"""Selections: some users, or everybody, each of which is counted by itself.

Several are counted at once. The sums of a count are those of the first selection, then those of
the second, and so on. Its users are those of all of them: a selection knows the bits of its own.
"""

from collections import ChainMap, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from itertools import chain
from operator import or_
from typing import Final, NamedTuple, TypeAlias

from odometer.engine.format import keys, strips
from odometer.engine.format.codec import Numbers
from odometer.engine.format.frames import SHARD, Frame, numbers_of
from odometer.engine.format.groups import AT_ONCE, USER, Sums, Week, days_before, edge_of
from odometer.engine.format.late import DayRows
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.strips import Count
from odometer.engine.store import Item, KeyRange

ALL_BITS: Final = -1
"""The bits of everybody, however many they are."""

ByDay: TypeAlias = Mapping[date, Count]
OfGroups: TypeAlias = Mapping[int, Sequence[Sums]]
"""What each group used on the days of a week."""


class Selection(NamedTuple):
    """Some users, or everybody, as one."""

    users: Sequence[int] | None = None
    """In order; None is everybody."""
    groups: Sequence[int] = ()
    """The groups that they are all members of, nobody of two."""


EVERYBODY: Final = Selection()


class Divided(NamedTuple):
    """The division whose groups selections are made of."""

    name: str
    digest: str


@dataclass(frozen=True)
class Selections:
    """Several selections that are counted at once."""

    several: Sequence[Selection]
    division: Divided | None = None
    """Without one, only frames tell what some of the users used together."""
    has_sums: bool = True
    """Whether it is asked what they used, and not only who was active."""

    def in_shard(self, shard: int) -> "Selected":
        if shard not in self._known:
            self._known[shard] = self._selected(shard)
        return self._known[shard]

    @property
    def of_people(self) -> "Selections":
        """The same, each user as a group of one."""
        each = [Selection(some.users, some.users or ()) for some in self.several]
        return Selections(each, Divided(USER, ""), self.has_sums)

    @cached_property
    def _known(self) -> dict[int, "Selected"]:
        return {}

    def _selected(self, shard: int) -> "Selected":
        lanes = [
            None if each.users is None else of_it.get(shard, ())
            for each, of_it in zip(self.several, self._lanes, strict=True)
        ]
        groups = [self._groups_in(shard, each.groups) for each in self.several]
        return Selected(lanes, groups, self.division, self.has_sums)

    def _groups_in(self, shard: int, groups: Sequence[int]) -> Sequence[int]:
        if self.division and self.division.name == USER:
            return [user for user in groups if user // SHARD == shard]
        return groups

    @cached_property
    def _lanes(self) -> list[Mapping[int, Sequence[int]]]:
        return [lanes_by_shard(each.users or ()) for each in self.several]


@dataclass(frozen=True)
class Selected:
    """Selections in one shard."""

    lanes: Sequence[Sequence[int] | None]
    groups: Sequence[Sequence[int]]
    division: Divided | None = None
    has_sums: bool = True

    @cached_property
    def bits(self) -> Sequence[int]:
        """By selection, a bit for each of its users."""
        return [ALL_BITS if lanes is None else bits_of_lanes(lanes) for lanes in self.lanes]

    @cached_property
    def users(self) -> int:
        """The bits of all of them."""
        return reduce(or_, self.bits, 0)

    @property
    def are_told_by_weeks(self) -> bool:
        """Whether items of weeks may say what each of them used."""
        pairs = zip(self.lanes, self.groups, strict=True)
        return not self.has_sums or all(
            not lanes or (self.division and groups) for lanes, groups in pairs
        )

    @cached_property
    def chunks(self) -> Sequence[int]:
        """The chunks of the division that have their groups."""
        numbers = {group // AT_ONCE for groups in self.groups for group in groups}
        return sorted(numbers) if self.division and self.has_sums else ()

    def ranges(self, pk: str, first: date, last: date) -> list[KeyRange]:
        """Where the weeks that end on some days are told."""
        of_strips = KeyRange(pk, keys.strip(first), keys.strip(last), strong=False)
        return [of_strips, *(self._range(pk, chunk, first, last) for chunk in self.chunks)]

    def _range(self, pk: str, chunk: int, first: date, last: date) -> KeyRange:
        name = self.division.name if self.division else ""
        start, end = (keys.week_of_groups(name, chunk, edge) for edge in (first, last))
        return KeyRange(pk, start, end, strong=False)

    def weeks(self, items: Sequence[Item], product: MeteredProduct) -> Mapping[date, ByDay]:
        """What the items tell of whole weeks, by their end."""
        of_groups = self._of_groups(items, product)
        strip_items = (item for item in items if keys.is_strip(item["sk"]))
        told = ((keys.day_of(i["sk"]), self._week(i, of_groups, product)) for i in strip_items)
        return {edge: week for edge, week in told if week is not None}

    def _of_groups(self, items: Sequence[Item], product: MeteredProduct) -> Mapping[date, OfGroups]:
        """What each group used, by week; weeks that lack a chunk of groups are left out."""
        digest = self.division.digest if self.division else ""
        weeks: defaultdict[date, list[OfGroups]] = defaultdict(list)
        for item in items:
            if keys.is_of_groups(item["sk"]) and item["of"] == digest:
                weeks[edge_of(item)].append(Week.from_item(item, product).sums)
        chunks = len(self.chunks)
        return {e: dict(ChainMap(*map(dict, w))) for e, w in weeks.items() if len(w) == chunks}

    def _week(
        self,
        strip: Item,
        of_groups: Mapping[date, OfGroups],
        product: MeteredProduct,
    ) -> ByDay | None:
        """The days of a week; None where its items do not tell."""
        edge = keys.day_of(strip["sk"])
        active = {
            day: mine
            for day, users in strips.active_in(strip).items()
            if (mine := users & self.users)
        }
        if not active or not self.has_sums:
            return {day: Count(users) for day, users in active.items()}
        week = days_before(edge)
        each = [
            self._rows(lanes, groups, strip, of_groups.get(edge), product, len(week))
            for lanes, groups in zip(self.lanes, self.groups, strict=True)
        ]
        rows = [rows for rows in each if rows is not None]
        if len(rows) < len(each):
            return None
        flat = dict(zip(week, map(chain.from_iterable, zip(*rows, strict=True)), strict=True))
        return {day: Count(users, tuple(flat[day])) for day, users in active.items()}

    def _rows(
        self,
        lanes: Sequence[int] | None,
        groups: Sequence[int],
        strip: Item,
        told: OfGroups | None,
        product: MeteredProduct,
        days: int,
    ) -> Sequence[Sums] | None:
        """What one selection used on each day of a week."""
        if lanes is None:
            if not strips.has_sums(strip):
                return None
            return strips.sums_in(strip, product, days)
        some = [told[group] for group in groups if group in told] if told is not None else []
        if lanes and told is None:
            return None
        if len(some) == 1:
            return some[0]
        by_day = zip(*some, strict=True) if some else ((),) * days
        nothing = (0,) * product.measures
        return [tuple(map(sum, zip(*each, strict=True))) or nothing for each in by_day]

    def of_frame(self, frame: Frame, product: MeteredProduct) -> Count:
        if self.lanes == [None] and self.has_sums:
            return Count.of(frame, product)
        if not self.has_sums:
            return Count(strips.users_of(frame) & self.users)
        columns = [numbers_of([frame], place) for place in range(product.measures)]
        sums = (sums_of_lanes(columns, lanes) for lanes in self.lanes)
        return Count(strips.users_of(frame) & self.users, tuple(chain.from_iterable(sums)))

    def of_rows(self, rows: DayRows) -> Count:
        if self.lanes == [None] and self.has_sums:
            return Count.of_rows(rows)
        users = Count.of_rows(rows).users & self.users
        if not self.has_sums:
            return Count(users)
        each = (rows.among(users & bits).measures if users & bits else () for bits in self.bits)
        nothing = (0,) * len(rows.measures)
        sums = (tuple(map(sum, measures)) or nothing for measures in each)
        return Count(users, tuple(chain.from_iterable(sums)))


def sums_of_lanes(columns: Sequence[Numbers], lanes: Sequence[int] | None) -> Iterator[int]:
    """What some users of a shard used together, or all, by measure."""
    if lanes is None:
        return map(sum, columns)
    last = len(columns[0]) if columns else 0
    known = lanes if not lanes or lanes[-1] < last else [lane for lane in lanes if lane < last]
    return (sum(map(column.__getitem__, known)) for column in columns)


def lanes_by_shard(users: Iterable[int]) -> Mapping[int, Sequence[int]]:
    lanes: defaultdict[int, list[int]] = defaultdict(list)
    for user in users:
        lanes[user // SHARD].append(user % SHARD)
    return lanes


def bits_of_lanes(lanes: Sequence[int]) -> int:
    bits = bytearray(SHARD // 8)
    for lane in lanes:
        bits[lane >> 3] |= 1 << (lane & 7)
    return int.from_bytes(bits, "little")
