"""When users last used what: rows of items, items that are full, and tables without rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import Fold, UsageHead
from odometer.engine.format.frames import SHARD
from odometer.engine.format.last_used import GROUP, from_item, to_attributes
from odometer.engine.format.latest import BLOCK
from odometer.engine.format.products import RESERVED, MeteredProduct
from odometer.engine.memory import NO_MEMORY, Memory
from odometer.engine.read.last_used import (
    ByUser,
    LastUse,
    LastUses,
    active_days,
    begin_days_of_use,
    last_of_days,
    users_in,
)
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.engine.write.last_used import LastUsed
from odometer.services.tasks import Tasks
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine
from tests.unit.engine.test_first_format import stored

MOST_BYTES = 400_000
ORDER = [each.id for each in PRODUCTS]


def test_rows_of_any_order_are_stored_in_one() -> None:
    rows = {(BLOCK + 7, GROUP + 2): 5, (BLOCK, GROUP): 2**40, (BLOCK + 7, GROUP): 0}
    attributes = to_attributes(rows)
    assert attributes == to_attributes(dict(reversed(rows.items())))
    assert from_item(attributes, 1, 1) == rows
    assert from_item(to_attributes({}), 0, 0) == {}


def test_an_item_is_stored_whole_even_if_everybody_uses_every_product() -> None:
    random = Random(1)
    rows = {
        (user, place): random.randrange(2**31) for user in range(BLOCK) for place in range(GROUP)
    }
    assert sum(map(len, to_attributes(rows).values())) < MOST_BYTES


def test_products_beyond_a_group_are_in_items_of_their_own() -> None:
    """An organization may have any number of apps: a plan rewrites the items it is about."""
    own = [MeteredProduct(f"app-{number}", KINDS["app"]) for number in range(2 * GROUP)]
    store = MemoryStore(lambda: 0)
    first, last = own[0], own[-1]
    events = [
        Event(BLOCK, each.id, "", 9 + at, 0, (1,), b"") for at, each in enumerate((first, last))
    ]
    LastUsed(ORGANIZATION, store, 1, 0, own).record(events)
    groups = [RESERVED // GROUP, (RESERVED + 2 * GROUP - 1) // GROUP]
    found = {item["sk"] for item in store.everything() if "k" in item}
    assert found == {"since", *(keys.last_used_of(1, group) for group in groups)}


class CountedStore(MemoryStore):
    """A store that knows how often it was asked, and for how many items."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.asked: list[int] = []

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        self.asked.append(len(sks))
        return super().get_each(pk, sks)

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        self.asked.append(-len(key_ranges))
        return super().read(key_ranges)


def test_20_000_users_are_one_call_and_none_while_nothing_more_is_settled() -> None:
    users, store = range(20_000), CountedStore()
    pairs = product(users, ORDER)
    events = [Event(user, name, "", user + 1, 0, (1,), b"") for user, name in pairs]
    LastUsed(ORGANIZATION, store, 1, 0, PRODUCTS).record(events)
    head = UsageHead("UTC", 0, plan=1, users=len(users))
    view = View(ORGANIZATION, store, head, [], 0, Memory().of(ORGANIZATION))
    store.asked.clear()
    for products in (PRODUCTS, PRODUCTS, PRODUCTS[1:2]):
        found = LastUses(view, PRODUCTS, products).found()
        assert found.by_user == {user: LastUse(user + 1, products[0].id) for user in users}
    assert store.asked == [11, 11]


def test_the_product_that_stands_first_counts_of_those_used_in_the_same_second() -> None:
    for order in ((0, 1), (1, 0)):
        simulated = stored()
        random, second = Random(1), simulated.now - 5
        for place in order:
            event = Event("new", ORDER[place], "ci", second, 0, (1, 0, 0, 0), bytes([place]) * 12)
            entry = simulated.accept([event], random, 0)
            simulated.folding.fold_new(ORGANIZATION, [entry], simulated.now_ms)
        new = simulated.subjects.ordinals(ORGANIZATION, ["new"], 0)["new"]
        assert LastUses(simulated.view(), PRODUCTS, PRODUCTS).found().by_user[new] == LastUse(
            second, ORDER[0]
        )


def test_a_view_sees_the_last_uses_of_its_moment_whatever_was_settled_since() -> None:
    """Ann had used a product before and uses another then; Bob comes then."""
    simulated = SimulatedEngine(1_790_000_000, "UTC", PRODUCTS)
    memory = Memory().of(ORGANIZATION)
    seen: list[tuple[View, ByUser]] = []
    for who, place in (("ann", 1), ("ann", 1), ("ann", 0), ("bob", 0), ("ann", 1)):
        simulated.pass_time(1_000)
        digest = simulated.now.to_bytes(12, "big")
        event = Event(who, ORDER[place], "ci", simulated.now, 0, (1, 0, 0, 0), digest)
        entry = simulated.accept([event], Random(1), 0)
        simulated.folding.fold_new(ORGANIZATION, [entry], simulated.now_ms)
        while simulated.settle():
            pass
        view = replace(simulated.view(), memory=memory)
        before = seen[-1][1] if seen else {}
        user = simulated.subjects.ordinals(ORGANIZATION, [who], 0)[who]
        seen.append((view, {**before, user: LastUse(simulated.now, ORDER[place])}))
        for earlier, expected in (*seen, *reversed(seen)):
            cold = replace(earlier, memory=NO_MEMORY)
            assert LastUses(cold, PRODUCTS, PRODUCTS).found().by_user == expected
            assert LastUses(earlier, PRODUCTS, PRODUCTS).found().by_user == expected


def days_by_force(folds: Iterable[Fold], zone: str, seconds: range) -> ByUser:
    """The first second of the last day of everybody, and of which product."""
    zones = {each.id: calendar.zone_of(each.kind, zone) for each in PRODUCTS}
    last: dict[int, tuple[int, int]] = {}
    for event in (event for fold in folds for event in fold.events if event.second in seconds):
        day = calendar.day_of(event.second, zones[event.product])
        first = max(seconds.start, calendar.first_second(day, zones[event.product]))
        use = first, -ORDER.index(event.product)
        last[event.who] = max(use, last.get(event.who, use))
    return {user: LastUse(first, ORDER[-place]) for user, (first, place) in last.items()}


@pytest.mark.parametrize("products", [PRODUCTS, PRODUCTS[-1:]], ids=["all", "an app"])
def test_frames_tell_the_day_where_no_rows_do(products: Sequence[MeteredProduct]) -> None:
    """Tables of the first format have no rows, and a plan that is settled now brings no mark."""
    simulated = stored()
    while simulated.settle():
        pass
    view, names = simulated.view(), {each.id for each in products}
    assert not LastUses(view, PRODUCTS, products).found().is_all
    year = range(simulated.now - 500 * 86_400, simulated.now + 86_400)
    for seconds in (year, range(year.start, simulated.now - 40 * 86_400 - 4_711)):
        days = begin_days_of_use(view, products, seconds, Tasks().begin)()
        folds = [
            Fold(fold.number, [e for e in fold.events if e.product in names], fold.through_ms)
            for fold in simulated.folds()
        ]
        assert last_of_days(days, ORDER) == days_by_force(folds, view.head.zone, seconds)
        users = range(view.head.users)
        assert active_days(days, users) == {
            user: days_of(folds, view.head.zone, seconds, user) for user in users
        }


def days_of(folds: Iterable[Fold], zone: str, seconds: range, user: int) -> int:
    zones = {each.id: calendar.zone_of(each.kind, zone) for each in PRODUCTS}
    mine = (e for fold in folds for e in fold.events if e.who == user and e.second in seconds)
    return len({calendar.day_of(event.second, zones[event.product]) for event in mine})


@pytest.mark.parametrize("users", [[], [0], [2], [0, 1, 2, 5], [0, 63, 64, SHARD - 1]])
def test_every_user_of_a_shard_is_found_by_their_bit(users: list[int]) -> None:
    bits = sum(1 << user for user in users)
    assert list(users_in(3, bits)) == [3 * SHARD + user for user in users]
