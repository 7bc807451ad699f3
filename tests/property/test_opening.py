"""Views of a process that remembers: exact whatever happens, in whatever order it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import utc_date
from odometer.domain.time import epoch_second
from odometer.engine.format import keys
from odometer.engine.format.lanes import widened
from odometer.engine.format.products import MeteredProduct
from odometer.engine.memory import Memory
from odometer.engine.read.opening import Opening
from odometer.engine.read.views import View
from tests.property.interleaving import Interleaving
from tests.property.test_engine import BEGINNINGS, DAY, STEPS, WORK, ZONES, History
from tests.support.simulated_engine import NEIGHBOUR, ORGANIZATION, PRODUCTS, SimulatedEngine

MEMORIES = (10**8, 10**8, 4_000, 0)
"""Bytes that processes remember: all, next to nothing, nothing."""


@dataclass
class Read:
    """What a request has asked for, and what it has been answered so far."""

    simulated: SimulatedEngine
    opening: Opening

    def answered(self, random: Random) -> View:
        """The view, after all that was asked for has been answered in some order."""
        found: dict[Any, Any] = {}
        folds: dict[int, Any] = {}
        asked: list[Any] = [*self.opening.keys, *enumerate(self.opening.key_ranges)]
        for each in random.sample(asked, len(asked)):
            if isinstance(each[0], int):
                folds[each[0]] = self.simulated.usage.read([each[1]])[0]
            elif item := self.simulated.usage.get(*each):
                found[each] = item
        by_lane = [folds[place] for place in sorted(folds)]
        zone, now = self.simulated.zone, self.simulated.now
        return self.opening.view(self.simulated.usage, found, by_lane, zone, now)


@dataclass
class WarmHistory(History):
    """A history that several processes look at, each with a memory of its own."""

    memories: list[Memory] = field(default_factory=lambda: [Memory(most) for most in MEMORIES])

    def look_again(self, random: Random) -> None:
        """A process sees what another one sees that remembers nothing."""
        memory = random.choice(self.memories)
        opening = Opening.of(ORGANIZATION, memory)
        view, fresh = Read(self.simulated, opening).answered(random), self.simulated.view()
        assert (view.head, list(view.unsettled)) == (fresh.head, list(fresh.unsettled))
        self.compare(view, random)
        self._remember_all(view)
        assert Opening.of(NEIGHBOUR, memory).known is None

    def _remember_all(self, view: View) -> None:
        """Whatever is remembered of settled items is what the tables have."""
        for item in self.simulated.usage.everything():
            pk, sk = item["pk"], item["sk"]
            if "#R#" in pk and is_shown(view, pk, sk):
                known = view.memory.get((pk, sk))
                assert known in (None, item)
                view.memory.keep((pk, sk), item, 100)

    def look_while_others_work(self, random: Random) -> None:
        """Answers in any order, while anything may be written between them."""
        memory = random.choice(self.memories)
        workers = [self._work(random) for _ in range(2)]
        Interleaving(random, [self.simulated.usage, self.simulated.log]).run(
            *((worker, 10**6) for worker in workers),
            (lambda: self._look_meanwhile(memory, Random(random.getrandbits(32))), 10**6),
        )

    def _look_meanwhile(self, memory: Memory, random: Random) -> None:
        before = {fold.lane: fold.number for fold in self.simulated.folds()}
        view = Read(self.simulated, Opening.of(ORGANIZATION, memory)).answered(random)
        upto = widened(view.upto, 16)
        assert all(upto[lane] >= number for lane, number in before.items())
        self.compare(view, random)

    def restore(self, random: Random) -> None:
        """Go on from an older copy, mostly until there are as many decisions again."""
        copy = deepcopy(self.simulated.usage._items)  # noqa: SLF001  restoring is no API
        self._go_on(random)
        self.simulated.usage._items = copy  # noqa: SLF001
        self.pins.clear()
        self.version = 0
        self.simulated.folding = self.simulated.fold_elsewhere()
        self.simulated.memory.forget(ORGANIZATION)  # it opens no view, so it would not notice
        self._go_on(random)

    def _go_on(self, random: Random) -> None:
        """Some of what decides, and a look at it."""
        for _ in range(random.choice([0, 1, 2, 4])):
            self.simulated.pass_time(random.choice([1, 600, DAY]))
            for step in random.sample(DECIDING, random.choice([1, 2, 3])):
                self.take(step, random)
        self.look_again(random)

    def close(self) -> None:
        for seed in range(4):
            self.look_again(Random(seed))


def is_shown(view: View, pk: str, sk: str) -> bool:
    """Whether a view sees an item of frames."""
    generation, head = int(pk.rsplit("#", 2)[1]), view.head
    sealed = keys.is_keyframe(sk) and keys.day_of(sk) < utc_date(head.sealed)
    of_plan = not keys.is_keyframe(sk) and keys.plan_of(sk) <= head.plan
    return generation <= head.rebuilt and (sealed or of_plan)


SEEN = ["look_again"] * 8 + ["look_while_others_work"] * 4
DECIDING = ["send", "fold_outstanding", "settle", "request", "rebuild"]


def warm_histories(words: Sequence[str]) -> Callable[[Any], Any]:
    steps = st.tuples(st.sampled_from(words), st.integers(0, 2**32))
    return given(
        start=st.sampled_from(BEGINNINGS),
        zone=st.sampled_from(ZONES),
        products=st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=2, unique=True),
        lanes=st.sampled_from([1, 1, 2, 4]),
        steps=st.lists(steps, min_size=8, max_size=40),
    )


def history(start: datetime, zone: str, products: list[MeteredProduct], lanes: int) -> WarmHistory:
    simulated = SimulatedEngine(epoch_second(start), zone, products, lanes=lanes)
    return WarmHistory(simulated, products)


@settings(max_examples=settings().max_examples // 10)
@warm_histories([*(step for step in STEPS if step != "look"), *SEEN])
def test_what_is_remembered_changes_no_figure(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    lanes: int,
    steps: list[tuple[str, int]],
) -> None:
    history(start, zone, products, lanes).run(steps)


@settings(max_examples=settings().max_examples // 10)
@warm_histories([*["send"] * 6, *["wait"] * 3, *WORK, *SEEN, *["restore"] * 8])
def test_tables_that_were_restored_are_seen_as_they_are(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    lanes: int,
    steps: list[tuple[str, int]],
) -> None:
    history(start, zone, products, lanes).run(steps)
