"""The engine on stores in memory, and what it must report by brute force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random

from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, instant_at
from odometer.domain.values import NONE, OTHER, SentValue, Values
from odometer.engine import calendar
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold
from odometer.engine.format.lanes import MOST_LANES, widened
from odometer.engine.format.products import MeteredProduct
from odometer.engine.memory import REMEMBERED_BYTES, Memory
from odometer.engine.read.measuring import Used
from odometer.engine.read.views import View
from odometer.engine.store import Item
from odometer.engine.write.fold import LIMITS, Folding, Limits
from odometer.engine.write.groups import Grouping
from odometer.engine.write.rebuild import Rebuilding
from odometer.engine.write.retire import Retirement
from odometer.engine.write.settle import Settling
from odometer.engine.write.steps import BUDGET
from tests.support.memory_store import MemoryStore

ORGANIZATION = "0b7e9d0e-6f0a-4c8e-9d53-2f4f6f0d9a11"
NEIGHBOUR = "0b7e9d0e-6f0a-4c8e-9d53-2f4f6f0d9a12"
PRODUCTS = [
    MeteredProduct("automation", KINDS["test"]),
    MeteredProduct("smartui", KINDS["visual"]),
    MeteredProduct("code-completions", KINDS["completion"]),
    MeteredProduct("chat", KINDS["chat"]),
    MeteredProduct("6f2d4a2e-0b1c-4d3e-8f5a-6b7c8d9e0f1a", KINDS["app"]),
]
Row = tuple[int, ...]


class Subjects:
    """A directory that knows two names for some users, and leaves gaps between ordinals.

    It has room for a few values of each breakdown of a kind.
    """

    def __init__(self, spread: int, products: Sequence[MeteredProduct] = ()) -> None:
        self._spread = spread
        self._ordinals: dict[tuple[str, str], int] = {}
        self._kinds = {product.id: product.kind.name for product in products}
        self.known: defaultdict[tuple[str, int], Values] = defaultdict(Values)
        """The values of each place of a kind."""

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        people = {subject: subject.split("@")[0] for subject in subjects}
        for person in people.values():
            following = len(self._ordinals) * self._spread
            self._ordinals.setdefault((organization, person), following)
        return {name: self._ordinals[organization, person] for name, person in people.items()}

    def values(
        self, organization: str, sent: Sequence[SentValue], at: int
    ) -> Mapping[SentValue, int]:
        numbers = {}
        for value in sent:
            breakdown = self._kinds[value.product], value.place
            self.known[breakdown] = self.known[breakdown].with_new([value.text])
            numbers[value] = self.known[breakdown].number(value.text) or OTHER
        return numbers


@dataclass
class SimulatedEngine:
    """The engine with its stores, a clock, and batches that are not in the log yet."""

    now: int
    zone: str
    products: Sequence[MeteredProduct]
    spread: int = 1
    in_flight: list[tuple[int, Item]] = field(default_factory=list)
    """Puts into the log that land later than their timestamp says."""
    sent: defaultdict[tuple[date, bytes], list[Event[str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    remembered: int = REMEMBERED_BYTES
    """A process that folds remembers so many bytes."""
    fold_limits: Limits = LIMITS
    lanes: int = 1
    batches: int = 0
    landed: set[tuple[date, bytes]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.log = MemoryStore(lambda: self.now)
        self.usage = MemoryStore(lambda: self.now)
        self.subjects = Subjects(self.spread, self.products)
        self.memory = Memory(self.remembered)
        self.settling = Settling(self.usage, lambda _: self.products)
        self.rebuilding = Rebuilding(self.usage, self.settling)
        self.grouping = Grouping(self.usage, self.settling.catalog)
        self.retirement = Retirement(self.usage, self.settling.catalog)
        self.folding = self.fold_elsewhere()

    def fold_elsewhere(self) -> Folding:
        """Folding in another process, which remembers nothing."""
        return Folding(
            self.log, self.usage, self.subjects, Memory(self.remembered), self.fold_limits
        )

    @property
    def now_ms(self) -> int:
        return self.now * 1000

    def accept(self, events: Sequence[Event[str]], random: Random, lands_after: int) -> Item:
        (item,) = self.accept_in_lanes(events, random, lands_after)
        return item

    def accept_in_lanes(
        self, events: Sequence[Event[str]], random: Random, lands_after: int
    ) -> list[Item]:
        """An entry for each lane; of several, some land at once and others later or never."""
        self.batches += 1
        name = f"{random.getrandbits(64):x}-{self.batches}"
        items = log_entries.to_items(ORGANIZATION, events, self.now_ms, name, self.lanes)
        items = items or [log_entries.to_item(ORGANIZATION, events, self.now_ms, name)]
        some = items[: random.choice([1, *[len(items)] * 3])] if len(items) > 1 else items
        for at, item in enumerate(some):
            self.in_flight.append((self.now + (0 if at else lands_after), item))
        for event in events:
            self.sent[event.identity].append(event)
        self.pass_time(0)
        return some

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        for at, item in list(self.in_flight):
            if at <= self.now:
                self.in_flight.remove((at, item))
                assert self.log.put_new(item)
                self.landed.update(event.identity for event in log_entries.events_of(item))

    def settle(self, budget: int = BUDGET) -> bool:
        return self.settling.settle(ORGANIZATION, self.zone, self.now, budget, self.lanes)

    def view(self) -> View:
        return View.latest(ORGANIZATION, self.usage, self.zone, self.now)

    def warm_view(self) -> View:
        """The same, seen by a process that has read before."""
        return replace(self.view(), memory=self.memory.of(ORGANIZATION))

    def folds(self) -> list[Fold]:
        """All folds in the order of their lanes and numbers, settled or not."""
        pks = {keys.folds(ORGANIZATION, lane) for lane in range(MOST_LANES)}
        folds = [Fold.from_item(item) for item in self.usage.everything() if item["pk"] in pks]
        return sorted(folds, key=lambda fold: (fold.lane, fold.number))

    def seen_by(self, view: View) -> list[Fold]:
        """The folds that a view sees."""
        upto = widened(view.upto, MOST_LANES)
        return [fold for fold in self.folds() if fold.number <= upto[fold.lane]]

    def was_sent(self, event: Event[int]) -> bool:
        """Whether exactly this was sent, by whatever name of the user."""
        names = {sent.who for sent in self.sent[event.identity]}
        known = self.subjects.ordinals(ORGANIZATION, sorted(names), self.now)
        several = self.sent[event.identity]
        texts = [value for sent in several for value in log_entries.values_of(sent)]
        values = self.subjects.values(ORGANIZATION, texts, self.now)
        return any(log_entries.numbered(sent, known[sent.who], values) == event for sent in several)


def brute_force(
    folds: Sequence[Fold], product: MeteredProduct, seconds: range, zone: str
) -> dict[int, Row]:
    """Every user's measures and days active, event by event."""
    place = calendar.zone_of(product.kind, zone)
    wide = len(product.kind.measures)
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0] * wide)
    days: defaultdict[int, set[date]] = defaultdict(set)
    for event in (event for fold in folds for event in fold.events):
        if event.product == product.id and event.second in seconds:
            days[event.who].add(calendar.day_of(event.second, place))
            for at, value in enumerate(event.measures[:wide]):
                sums[event.who][at] += value
    return {who: (*sums[who], len(days[who])) for who in sums}


def brute_force_by_value(
    folds: Sequence[Fold], product: MeteredProduct, place: int, seconds: range, zone: str
) -> dict[int, Row]:
    """The measures of every value, and the days on which it was used, event by event."""
    events = (event for fold in folds for event in fold.events if event.values)
    by_value = [event._replace(who=int(event.values[place])) for event in events]
    found = brute_force([Fold(0, by_value, 0)], product, seconds, zone)
    return {value: row for value, row in found.items() if value != NONE}


def rows(used: Used) -> dict[int, Row]:
    """Every user's measures and days active, as the engine has them."""
    columns = [*used.columns.values(), used.days_active]
    table = list(zip(*columns, strict=True))
    assert list(used.users) == [who for who, row in enumerate(table) if row.count(0) < len(row)]
    return {who: table[who] for who in used.users}


def period(seconds: range) -> Period:
    return Period(instant_at(seconds.start), instant_at(seconds.stop))
