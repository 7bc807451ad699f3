"""The four items that decide: fold, plan, rebuild and head. All others follow from them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple, Self
from zlib import crc32

from odometer.domain.errors import Unavailable
from odometer.domain.events import Event
from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored
from odometer.engine.format import keys, lanes, log_entries
from odometer.engine.format.inside import Running
from odometer.engine.format.lanes import ByLane
from odometer.engine.format.products import MeteredProduct, shards_of
from odometer.engine.store import Item, KeyRange, Store

ALL: Final = "*"
LOCAL: Final = "local"
FRESH_SECONDS: Final = 15 * 60
"""An eventually consistent read is trusted with what was written longer ago than this."""
FRESH_PRODUCTS: Final = 100
"""The head names no more products that are fresh than these, else all are."""
PINNED_BYTES: Final = 2_400
"""About what a cursor keeps of the names of products: it has to fit a URL."""
_TOUCHES: Final = 8
_LATE_ENTRIES: Final = 64


FORMAT: Final = 3
"""What these functions write at most: the heads and plans of several lanes."""
FORMAT_OF_ONE_LANE: Final = 2
"""Late items of a year, strips, running frames, rebuilds of a year."""


class Gap(RuntimeError):
    """A decision that must exist cannot be read."""


class NewerFormat(Unavailable):
    """These functions are older than the tables: newer ones have written what they do not know."""

    def __init__(self, found: int) -> None:
        super().__init__(f"functions of format {FORMAT} are older than tables of format {found}")


@dataclass(frozen=True)
class Fold:
    """Events that count, decided once; storing the fold is the decision."""

    number: int
    events: Sequence[Event[int]]
    through_ms: int
    """Every batch of the lane accepted before this is in this fold or an earlier one."""
    lane: int = 0

    @cached_property
    def mark(self) -> int:
        """What `mark_of` says of its item."""
        digests = b"".join(event.digest for event in self.events)
        return mark_of({"digests": digests, "w": self.through_ms})

    @cached_property
    def identities(self) -> frozenset[tuple[date, bytes]]:
        return frozenset(event.identity for event in self.events)

    def to_item(self, organization: str, now: int) -> dict[str, Any]:
        return {
            "pk": keys.folds(organization, self.lane),
            "sk": keys.number(self.number),
            "w": self.through_ms,
            "ttl": now + log_entries.LOG_SECONDS,
            **log_entries.to_attributes(self.events),
        }

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        number, events = int(item["sk"]), log_entries.from_attributes(item)
        return cls(number, events, int(item["w"]), keys.lane_of(item["pk"]))


@frozen
class Plan:
    """What is settled next: some folds, and the days that end by an instant."""

    number: int
    after: ByLane
    upto: ByLane
    """The folds after `after` up to and including `upto`."""
    sealed_before: int
    sealed: int
    """Days that end at or before this second are sealed; `sealed_before` is the last plan's."""
    done: str = ""
    """The version of the head that the plan is done for, and the last step done."""
    late: Mapping[str, int] = field(default_factory=dict)
    """By product and year, the bytes that these steps have written late."""

    def to_item(self, organization: str) -> dict[str, Any]:
        progress = {"done": self.done, "late": json.dumps(self.late)} if self.done else {}
        return {
            "pk": keys.plans(organization),
            "sk": keys.number(self.number),
            "lo": lanes.to_attribute(self.after),
            "hi": lanes.to_attribute(self.upto),
            "t0": self.sealed_before,
            "t": self.sealed,
            **progress,
        }

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        after, upto = (lanes.from_attribute(item[name]) for name in ("lo", "hi"))
        require(len(after) == len(upto))
        sealed_before, sealed = (int(item[name]) for name in ("t0", "t"))
        done, late = item.get("done", ""), numbers_by_name(item.get("late", "{}"))
        require(done or not late)
        return cls(int(item["sk"]), after, upto, sealed_before, sealed, done, late)


@frozen
class Rebuild:
    """A generation of frames to be made again from segments."""

    generation: int
    scope: str
    """`*`, all products of a year (`*#year`) or that count local days (`local`), `product#year`."""
    plan: int
    sealed: int
    """Frames start as of this plan, with days sealed up to this second."""
    zone: str
    done: str = ""
    """The last step done."""
    shown: int = 0
    """When its generation was noticed in the head; what it replaced is removed a day later."""
    late: Mapping[str, int] = field(default_factory=dict)
    """By product and year, the bytes that these steps have written late."""

    def to_item(self, organization: str) -> dict[str, Any]:
        plain = asdict(self) | {"late": json.dumps(self.late)}
        if not self.late:
            del plain["late"]
        return {"pk": keys.rebuilds(organization), "sk": keys.number(self.generation), **plain}

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        numbers = {name: int(item[name]) for name in ("generation", "plan", "sealed", "shown")}
        late = numbers_by_name(item.get("late", "{}"))
        require(all(isinstance(item[name], str) for name in ("scope", "zone", "done")))
        return cls(scope=item["scope"], zone=item["zone"], done=item["done"], late=late, **numbers)

    def is_same(self, other: Self | None) -> bool:
        """Whether both make the same frames, however far each is."""
        decided = replace(self, done="", shown=0, late={})
        return other is not None and decided == replace(other, done="", shown=0, late={})

    def covers(self, product: MeteredProduct, year: int) -> bool:
        return self.scope in scopes(product, year)


@stored
def numbers_by_name(text: str) -> dict[str, int]:
    """Numbers as an item holds them, in JSON."""
    found: dict[str, int] = json.loads(text)
    require(all(type(number) is int for number in found.values()))
    return found


def scopes(product: MeteredProduct, year: int) -> tuple[str, ...]:
    always = (f"{product.id}#{year}", f"{ALL}#{year}", ALL)
    return (*always, LOCAL) if product.kind.local_days else always


def includes(scope: str, other: str) -> bool:
    """Whether a scope, by its name, has all of another one."""
    year = scope.partition("#")[2]
    return scope in {ALL, other} or (scope == f"{ALL}#{year}" and other.endswith(f"#{year}"))


class Touched(NamedTuple):
    """A second in which items of a product were written, and their first UTC date."""

    at: int
    since: str

    @classmethod
    def of(cls, at: int, since: str) -> Self:
        require(type(at) is int and isinstance(since, str))
        return cls(at, since)


@frozen
class UsageHead:
    """What readers see: one item, replaced whole, only ever by its next version."""

    zone: str
    """The zone whose days the local frames count."""
    sealed: int
    version: int = 1
    plan: int = 0
    upto: ByLane = (0,)
    """The last fold that is settled."""
    through_ms: ByLane = (0,)
    """Every batch accepted before this is settled."""
    last: int = 0
    """The latest second of any settled event."""
    users: int = 0
    """The ordinals of all users with usage are below this."""
    rebuilt: int = 0
    """The last rebuild that readers see."""
    generations: Mapping[str, int] = field(default_factory=dict)
    fresh: Mapping[str, Sequence[Touched]] = field(default_factory=dict)
    late_bytes: Mapping[str, int] = field(default_factory=dict)
    """The weight of late items by product and year; `*` stands for more than are listed."""
    running: Mapping[str, Sequence[Running]] = field(default_factory=dict)
    """Products whose days have frames inside them; of their open days the newest."""

    def to_item(self, organization: str) -> dict[str, Any]:
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        plain = {
            name: value if isinstance(value, str | int) else json.dumps(value)
            for name, value in values
        }
        by_lane = {
            "upto": lanes.to_attribute(self.upto),
            "through_ms": lanes.to_attribute(self.through_ms),
        }
        known = FORMAT if self.lanes > 1 else FORMAT_OF_ONE_LANE
        return {"pk": keys.head(organization), "sk": "H", "format": known, **plain, **by_lane}

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        """Raises `NewerFormat` rather than read past what these functions do not know."""
        if (found := int(item.get("format", 1))) > FORMAT:
            raise NewerFormat(found)
        numbers = ("sealed", "version", "plan", "last", "users", "rebuilt")
        fresh, running = json.loads(item["fresh"]), json.loads(item.get("running", "{}"))
        require(isinstance(item["zone"], str))
        return cls(
            zone=item["zone"],
            generations=numbers_by_name(item["generations"]),
            fresh={product: [Touched.of(*each) for each in fresh[product]] for product in fresh},
            late_bytes=numbers_by_name(item["late_bytes"]),
            upto=lanes.from_attribute(item["upto"]),
            through_ms=lanes.from_attribute(item["through_ms"]),
            running={p: [Running.of(*each) for each in running[p]] for p in running},
            **{name: int(item[name]) for name in numbers},
        )

    @property
    def lanes(self) -> int:
        return len(self.upto)

    def with_lanes(self, number: int) -> Self:
        """The next version, which knows of more lanes: nothing of the new ones is settled."""
        return replace(
            self,
            version=self.version + 1,
            upto=lanes.widened(self.upto, number),
            through_ms=lanes.widened(self.through_ms, number),
        )

    def generation(self, product: MeteredProduct, year: int) -> int:
        return max(self.generations.get(scope, 0) for scope in scopes(product, year))

    def shards(self, product: MeteredProduct) -> int:
        return shards_of(product, self.users)

    def has_late(self, product: str, year: int) -> bool:
        return ALL in self.late_bytes or f"{product}#{year}" in self.late_bytes

    def is_fresh(self, product: str, day: date, now: int) -> bool:
        """Whether items of a day or an earlier one may have been written a moment ago."""
        touched = (*self.fresh.get(product, ()), *self.fresh.get(ALL, ()))
        return any(now - at < FRESH_SECONDS and since <= str(day) for at, since in touched)

    def freshened(self, since: Mapping[str, str], now: int) -> dict[str, list[Touched]]:
        """What is still fresh, and the products that are written now, with their first dates."""
        fresh = {
            product: kept
            for product, touches in self.fresh.items()
            if (kept := [touch for touch in touches if now - touch.at < FRESH_SECONDS])
        }
        for product, first in since.items():
            fresh[product] = without_covered([*fresh.get(product, ()), Touched(now, first)])
        return fresh if len(fresh) <= FRESH_PRODUCTS else of_all(fresh)

    @property
    def pinned(self) -> Self:
        """What a cursor keeps. What it lacks costs its readers more, and changes no figure."""
        names = accumulate((len(name.encode()) for name in self.running), initial=0)
        running = {
            name: several
            for (name, several), before in zip(self.running.items(), names, strict=False)
            if before < PINNED_BYTES
        }
        few = sum(len(name.encode()) for name in self.fresh) <= PINNED_BYTES // 2
        fresh = self.fresh if few else of_all(self.fresh)
        return replace(self, late_bytes={ALL: 1}, running=running, fresh=fresh)


def without_covered(touches: Iterable[Touched]) -> list[Touched]:
    """Those that no later one covers, which is of as early a date; the oldest of many are one."""
    newest: list[Touched] = []
    for touch in sorted(touches, key=lambda touch: (-touch.at, touch.since)):
        if not newest or touch.since < newest[-1].since:
            newest.append(touch)
    if len(newest) > _TOUCHES:
        newest[_TOUCHES - 1 :] = [Touched(newest[_TOUCHES - 1].at, newest[-1].since)]
    return newest[::-1]


def of_all(fresh: Mapping[str, Iterable[Touched]]) -> dict[str, list[Touched]]:
    return {ALL: without_covered(chain.from_iterable(fresh.values()))}


def heaviest(late_bytes: Mapping[str, int]) -> dict[str, int]:
    """The heaviest entries, so that the head stays small; `*` in place of the others."""
    order = sorted(late_bytes, key=lambda scope: (-late_bytes[scope], scope))
    kept = {scope: late_bytes[scope] for scope in order[:_LATE_ENTRIES]}
    return kept if len(order) == len(kept) else {**kept, ALL: 1}


def fold_ranges(
    organization: str, after: ByLane, upto: ByLane | None = None
) -> dict[int, KeyRange]:
    """Where the folds after a number are, by lane, without lanes that need not be read."""
    ends = [keys.TOP] * len(after) if upto is None else map(keys.number, upto)
    lanes_and_ends = enumerate(zip(map(_following, after), ends, strict=True))
    return {
        lane: KeyRange(keys.folds(organization, lane), first, last)
        for lane, (first, last) in lanes_and_ends
        if first <= last
    }


def read_folds(
    organization: str, store: Store, after: ByLane, upto: ByLane | None = None
) -> list[Fold]:
    """The folds of every lane after a number; their numbers have no gaps."""
    ranges = fold_ranges(organization, after, upto)
    answers = store.read(list(ranges.values()))
    folds = list(folds_by_lane(zip(ranges, answers, strict=True), after))
    if upto is not None and len(folds) != sum(upto) - sum(after):
        raise Gap(organization)
    return folds


def each_fold(
    organization: str, store: Store, after: int, upto: int | None = None, lane: int = 0
) -> Iterator[Fold]:
    """Folds of a lane in turn: no more than a page of them is in memory."""
    last = keys.TOP if upto is None else keys.number(upto)
    folds = KeyRange(keys.folds(organization, lane), _following(after), last)
    return folds_in(chain.from_iterable(store.pages(folds)), after)


def folds_by_lane(answers: Iterable[tuple[int, Iterable[Item]]], after: ByLane) -> Iterator[Fold]:
    """The folds of every lane after a number, lane by lane."""
    for lane, items in answers:
        yield from folds_in(items, after[lane])


def folds_in(items: Iterable[Item], after: int) -> Iterator[Fold]:
    """The folds of a lane that follow a number; raises `Gap` where one is missing."""
    for number, item in enumerate(items, after + 1):
        if int(item["sk"]) != number:
            raise Gap(item["pk"])
        yield Fold.from_item(item)


def _following(number: int) -> str:
    return keys.number(number + 1)


@stored
def mark_of(fold: Item) -> int:
    """Tells a fold from another one with its number."""
    return crc32(fold["digests"], int(fold["w"]) & 0xFFFFFFFF)


def read_head(organization: str, store: Store) -> UsageHead | None:
    item = store.get(keys.head(organization), "H")
    return UsageHead.from_item(item) if item else None


def read_plan(organization: str, store: Store, number: int) -> Plan | None:
    item = store.get(keys.plans(organization), keys.number(number))
    return Plan.from_item(item) if item else None


def is_settled_in(organization: str, store: Store, head: UsageHead) -> bool:
    """Whether these tables have the plan that a head shows."""
    plan = read_plan(organization, store, head.plan) if head.plan else None
    return is_shown(plan, head)


def is_shown(plan: Plan | None, head: UsageHead) -> bool:
    """Whether a head shows this very plan; no two plans end at the same second."""
    return not head.plan or (
        plan is not None
        and (lanes.widened(plan.upto, head.lanes), plan.sealed) == (head.upto, head.sealed)
    )
