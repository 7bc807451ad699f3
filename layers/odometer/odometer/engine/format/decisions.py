"""The four items that decide: fold, plan, rebuild and head. All others follow from them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final, NamedTuple, Self

from odometer.domain.events import Event
from odometer.engine.format import keys, log_entries
from odometer.engine.format.products import MeteredProduct, shards_of
from odometer.engine.store import Item, KeyRange, Store

ALL: Final = "*"
LOCAL: Final = "local"
FRESH_SECONDS: Final = 15 * 60
"""An eventually consistent read is trusted with what was written longer ago than this."""
_LATE_ENTRIES: Final = 64


class Gap(RuntimeError):
    """A decision that must exist cannot be read."""


@dataclass(frozen=True)
class Fold:
    """Events that count, decided once; storing the fold is the decision."""

    number: int
    events: Sequence[Event[int]]
    through_ms: int
    """Every batch accepted before this is in this fold or an earlier one."""

    @cached_property
    def identities(self) -> frozenset[tuple[date, bytes]]:
        return frozenset(event.identity for event in self.events)

    def to_item(self, organization: str, now: int) -> dict[str, Any]:
        return {
            "pk": keys.folds(organization),
            "sk": keys.number(self.number),
            "w": self.through_ms,
            "ttl": now + log_entries.LOG_SECONDS,
            **log_entries.to_attributes(self.events),
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(int(item["sk"]), log_entries.from_attributes(item), int(item["w"]))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled next: some folds, and the days that end by an instant."""

    number: int
    after: int
    upto: int
    """The folds after `after` up to and including `upto`."""
    sealed_before: int
    sealed: int
    """Days that end at or before this second are sealed; `sealed_before` is the last plan's."""

    def to_item(self, organization: str) -> dict[str, Any]:
        return {
            "pk": keys.plans(organization),
            "sk": keys.number(self.number),
            "lo": self.after,
            "hi": self.upto,
            "t0": self.sealed_before,
            "t": self.sealed,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(int(item["sk"]), *(int(item[name]) for name in ("lo", "hi", "t0", "t")))


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A generation of frames to be made again from segments."""

    generation: int
    scope: str
    """`*`, all products that count local days (`local`), or `product#year`."""
    plan: int
    sealed: int
    """Frames start as of this plan, with days sealed up to this second."""
    zone: str
    done: str = ""
    """The last year of a product that is written, in the order of their names."""
    shown: int = 0
    """When its generation was noticed in the head; what it replaced is removed a day later."""

    def to_item(self, organization: str) -> dict[str, Any]:
        number = keys.number(self.generation)
        return {"pk": keys.rebuilds(organization), "sk": number, **asdict(self)}

    @classmethod
    def from_item(cls, item: Item) -> Self:
        numbers = {name: int(item[name]) for name in ("generation", "plan", "sealed", "shown")}
        return cls(scope=item["scope"], zone=item["zone"], done=item["done"], **numbers)

    def covers(self, product: MeteredProduct, year: int) -> bool:
        return self.scope in scopes(product, year)


def scopes(product: MeteredProduct, year: int) -> tuple[str, ...]:
    own = f"{product.id}#{year}"
    return (own, ALL, LOCAL) if product.kind.local_days else (own, ALL)


class Touched(NamedTuple):
    """A second in which items of a product were written, and their first UTC date."""

    at: int
    since: str


@dataclass(frozen=True, slots=True)
class UsageHead:
    """What readers see: one item, replaced whole, only ever by its next version."""

    zone: str
    """The zone whose days the local frames count."""
    sealed: int
    version: int = 1
    plan: int = 0
    upto: int = 0
    """The last fold that is settled."""
    through_ms: int = 0
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

    def to_item(self, organization: str) -> dict[str, Any]:
        plain = {
            name: value if isinstance(value, str | int) else json.dumps(value)
            for name, value in asdict(self).items()
        }
        return {"pk": keys.head(organization), "sk": "H", **plain}

    @classmethod
    def from_item(cls, item: Item) -> Self:
        numbers = ("sealed", "version", "plan", "upto", "through_ms", "last", "users", "rebuilt")
        fresh = json.loads(item["fresh"])
        return cls(
            zone=item["zone"],
            generations=json.loads(item["generations"]),
            fresh={product: [Touched(*touched) for touched in fresh[product]] for product in fresh},
            late_bytes=json.loads(item["late_bytes"]),
            **{name: int(item[name]) for name in numbers},
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
            fresh.setdefault(product, []).append(Touched(now, first))
        return fresh


def heaviest(late_bytes: Mapping[str, int]) -> dict[str, int]:
    """The heaviest entries, so that the head stays small; `*` in place of the others."""
    order = sorted(late_bytes, key=lambda scope: (-late_bytes[scope], scope))
    kept = {scope: late_bytes[scope] for scope in order[:_LATE_ENTRIES]}
    return kept if len(order) == len(kept) else {**kept, ALL: 1}


def read_folds(organization: str, store: Store, after: int, upto: int | None = None) -> list[Fold]:
    """The folds after a number; their numbers have no gaps."""
    if upto == after:
        return []
    last = keys.TOP if upto is None else keys.number(upto)
    (items,) = store.read([KeyRange(keys.folds(organization), keys.number(after + 1), last)])
    folds = [Fold.from_item(item) for item in items]
    expected = len(folds) if upto is None else upto - after
    if [fold.number for fold in folds] != list(range(after + 1, after + 1 + expected)):
        raise Gap(organization)
    return folds


def read_head(organization: str, store: Store) -> UsageHead | None:
    item = store.get(keys.head(organization), "H")
    return UsageHead.from_item(item) if item else None


def read_plan(organization: str, store: Store, number: int) -> Plan | None:
    item = store.get(keys.plans(organization), keys.number(number))
    return Plan.from_item(item) if item else None


def is_settled_in(organization: str, store: Store, head: UsageHead) -> bool:
    """Whether these tables have the plan that a head shows; no two plans end at the same second."""
    plan = read_plan(organization, store, head.plan) if head.plan else None
    return not head.plan or (
        plan is not None and (plan.upto, plan.sealed) == (head.upto, head.sealed)
    )
