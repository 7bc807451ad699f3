"""Late bulk waits in the log while much is unsettled; nobody else's events do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from odometer.domain.events import Event
from odometer.engine.format import keys
from odometer.engine.store import Item, KeyRange
from odometer.engine.write import fold
from odometer.engine.write.fold import Folding, Limits, Waiting
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine, Subjects
from tests.unit.engine.test_engine import DAY, NOON, StepByStep

MINUTE = 60


class Busy(StepByStep):
    """An organization in which four unsettled events are many."""

    def __init__(self, limits: Limits = Limits(tail=4, events=6)) -> None:  # noqa: B008
        super().__init__()
        self.simulated.folding = folding_of(self.simulated, limits)

    @property
    def folding(self) -> Folding:
        return self.simulated.folding

    def late(self, name: str, count: int = 3) -> int:
        days = [NOON - (30 + ago) * DAY for ago in range(count)]
        return self.send(*(self.use("ann", at, 1, 1, name=f"{name} {at}") for at in days))

    def fresh(self, name: str) -> int:
        return self.send(self.use("bob", self.simulated.now, 1, 1, name=name))

    def fold_outstanding(self) -> bool:
        return self.folding.fold_outstanding(ORGANIZATION, self.simulated.now_ms)

    def waiting(self) -> Waiting:
        return self.folding.waiting(ORGANIZATION, self.simulated.now_ms)

    def decided(self) -> Counter[str]:
        return Counter(event.digest.hex() for f in self.simulated.folds() for event in f.events)


def folding_of(simulated: SimulatedEngine, limits: Limits) -> Folding:
    return Folding(simulated.log, simulated.usage, simulated.subjects, limits=limits)


@pytest.fixture
def busy() -> Busy:
    return Busy()


def test_late_events_wait_and_fresh_ones_do_not(busy: Busy) -> None:
    assert [busy.late("a"), busy.late("b"), busy.late("c"), busy.fresh("now")] == [3, 3, 0, 1]
    assert busy.folding.unsettled(ORGANIZATION) == 7
    busy.simulated.pass_time(5 * MINUTE)
    assert busy.fold_outstanding(), "what waits is outstanding until something is settled"
    assert busy.folding.unsettled(ORGANIZATION) == 7


def test_late_events_wait_an_hour_at_most_however_fast_new_ones_come(busy: Busy) -> None:
    """Where more comes than can be settled meanwhile, there are never few unsettled events."""
    assert [busy.late("a"), busy.late("b"), busy.late("c")] == [3, 3, 0]
    left = []
    for turn in range(1, 5):
        busy.simulated.pass_time(20 * MINUTE)
        busy.settle()
        for name in range(5):
            busy.fresh(f"{turn} {name}")
        busy.fold_outstanding()
        left.append(9 + 5 * turn - busy.decided().total())
    assert left == [3, 3, 0, 0]


def test_whoever_folds_a_few_of_many_reads_few(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large import is folded some entries at a time, between two steps of settling."""
    monkeypatch.setattr(fold, "FOLD_BYTES", 1)
    for name in range(80):
        busy.late(f"{name}")
    busy.simulated.pass_time(5 * MINUTE)
    busy.settle()
    read: list[Item] = []
    items_in = busy.simulated.log.items_in

    def counted(key_range: KeyRange) -> list[Item]:
        found = items_in(key_range)
        read.extend(found)
        return found

    monkeypatch.setattr(busy.simulated.log, "items_in", counted)
    before = busy.decided().total()
    assert busy.fold_outstanding()
    assert (busy.decided().total() - before, len(read)) == (6, 8)


def test_what_waits_is_why_to_settle_at_once(busy: Busy) -> None:
    """A tail that holds back late events would otherwise wait for five minutes of its own."""
    folding, seen = busy.folding, []
    for name in "ab":
        busy.late(name)
        seen.append(folding.holds_back(ORGANIZATION))
    busy.late("c")
    seen.append(folding.holds_back(ORGANIZATION))
    busy.simulated.pass_time(5 * MINUTE)
    busy.fold_outstanding()
    seen.append(folding.holds_back(ORGANIZATION))
    busy.settle()
    busy.fold_outstanding()
    seen.append(folding.holds_back(ORGANIZATION))
    assert seen == [False, False, True, True, False]


def test_entries_of_a_lane_that_is_not_open_are_left_until_it_opens() -> None:
    busy = Busy(Limits())
    simulated, seen = busy.simulated, []

    def leaves_some() -> bool:
        return busy.folding.leaves_some(ORGANIZATION, simulated.lanes, simulated.now_ms)

    def send(*names: str) -> None:
        uses = [busy.use("ann", simulated.now, 1, 1, name=name) for name in names]
        simulated.accept_in_lanes(uses, Random(1), 0)

    def settle_all() -> None:
        while simulated.settle():
            pass

    seen.append(leaves_some())
    send("a")
    seen.append(leaves_some())  # lane 0 is open: a fold takes it at once
    simulated.lanes = 2
    settle_all()
    seen.append(leaves_some())  # nothing is in the new lane
    send(*"bcdefg")
    seen.append(leaves_some())
    for _ in range(3):
        simulated.pass_time(5 * MINUTE)
        busy.fold_outstanding()
        settle_all()
    seen.append(leaves_some())
    assert seen == [False, False, False, True, False]
    assert busy.decided().total() == len(simulated.landed)


def test_late_entries_that_are_held_back_are_left(busy: Busy) -> None:
    now_ms = busy.simulated.now_ms
    seen = []
    for name in "abc":
        busy.late(name)
        seen.append(busy.folding.leaves_some(ORGANIZATION, 1, now_ms))
    assert seen == [False, False, True]


def test_very_many_unsettled_events_make_all_others_wait() -> None:
    """Reports, and whoever folds, hold all that is unsettled in memory."""
    busy = Busy(Limits(tail=2, events=100, most=4))
    folded = []
    for number in range(7):
        folded.append(busy.fresh(f"{number}"))
        busy.simulated.pass_time(MINUTE)
    assert folded == [1, 1, 1, 1, 1, 0, 0]
    busy.simulated.pass_time(5 * MINUTE)
    assert busy.fold_outstanding(), "what waits is outstanding until something is settled"
    assert busy.waiting().entries == 2
    assert busy.view().through_ms == busy.waiting().oldest_ms
    busy.settle()
    assert not busy.fold_outstanding()
    assert set(busy.decided().values()) == {1}
    assert busy.decided().total() == 7


def test_the_watermark_stays_before_what_waits(busy: Busy) -> None:
    accepted = []
    for name in "abcd":
        accepted.append(busy.simulated.now_ms)
        busy.late(name)
        busy.simulated.pass_time(MINUTE)
    busy.simulated.pass_time(5 * MINUTE)
    assert busy.fold_outstanding()
    assert busy.view().through_ms == accepted[2]
    assert busy.waiting() == Waiting(2, accepted[2])
    busy.settle()
    assert not busy.fold_outstanding()
    assert busy.waiting() == Waiting(0, None)
    assert busy.view().through_ms > accepted[3]


def test_settling_and_folding_take_turns_until_nothing_waits(busy: Busy) -> None:
    for number in range(12):
        busy.late(f"{number}")
        busy.fresh(f"{number}")
        busy.simulated.pass_time(1)
    busy.simulated.pass_time(5 * MINUTE)
    turns = 0
    while busy.fold_outstanding():
        assert busy.folding.unsettled(ORGANIZATION) <= 4 + 3 + 12
        busy.settle()
        turns += 1
    assert 3 <= turns <= 12
    assert set(busy.decided().values()) == {1}
    assert busy.decided().total() == 12 * 4


def test_a_run_of_the_schedule_reads_a_bounded_part_of_the_log() -> None:
    busy = Busy(Limits(tail=10**6, events=4))
    for number in range(5):
        item = busy.simulated.accept([busy.use("ann", NOON, 1, 1, name=f"{number}")], Random(1), 0)
        busy.simulated.log.delete(item["pk"], item["sk"])
        padded = {**item, "padding": bytes(200_000)}
        busy.simulated.log.put_new(padded)
        busy.simulated.pass_time(1)
    busy.simulated.pass_time(5 * MINUTE)
    assert busy.fold_outstanding()
    assert busy.decided().total() == 4
    assert not busy.fold_outstanding()
    assert busy.decided().total() == 5


def test_a_run_reads_on_where_the_watermark_could_not_move() -> None:
    """Much was accepted in one millisecond: a run that stopped there would begin there for good."""
    busy = Busy(Limits(tail=10**6, events=1))
    for number in range(3):
        item = busy.simulated.accept([busy.use("ann", NOON, 1, 1, name=f"{number}")], Random(1), 0)
        busy.simulated.log.delete(item["pk"], item["sk"])
        busy.simulated.log.put_new({**item, "padding": bytes(200_000)})
    assert not busy.fold_outstanding()
    assert busy.decided().total() == 3


def test_before_anything_is_settled_history_waits_as_late_events_do(busy: Busy) -> None:
    assert [busy.late("a", 5), busy.late("b"), busy.fresh("now")] == [5, 0, 1]


def test_what_waits_is_counted_up_to_a_limit() -> None:
    busy = Busy(Limits(tail=0, entries=3))
    busy.fresh("first")
    for name in "abcde":
        busy.late(name)
    busy.simulated.pass_time(5 * MINUTE)
    busy.fold_outstanding()
    assert busy.waiting() == Waiting(3, NOON * 1000)


def test_entries_that_are_not_landed_for_long_do_not_count_as_waiting(busy: Busy) -> None:
    busy.fresh("now")
    assert busy.waiting() == Waiting(0, None)


class Full(Subjects):
    """A directory without room for some people."""

    refused: frozenset[str] = frozenset({"eve"})

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        room = [subject for subject in subjects if subject not in self.refused]
        return super().ordinals(organization, room, at)


def parked(busy: Busy) -> list[Item]:
    pk = keys.parked(ORGANIZATION)
    return [item for item in busy.simulated.usage.everything() if item["pk"] == pk]


def test_who_cannot_be_registered_is_parked_alone_and_comes_back() -> None:
    busy = Busy()
    busy.simulated.subjects = Full(1)
    busy.simulated.folding = folding_of(busy.simulated, Limits())
    uses: list[Event[str]] = [busy.use(who, NOON, 1, 1) for who in ("ann", "eve", "bob")]
    assert busy.send(*uses) == 2
    assert [item["reason"] for item in parked(busy)] == ["unknown subject"]
    busy.simulated.pass_time(5 * MINUTE)
    assert not busy.fold_outstanding()
    assert busy.view().through_ms >= NOON * 1000, "the watermark passes what is parked"
    (entry,) = parked(busy)
    busy.simulated.subjects.refused = frozenset()
    again = {**entry, "pk": keys.log(ORGANIZATION), "sk": keys.entry(busy.simulated.now_ms, "x")}
    assert busy.folding.fold_new(ORGANIZATION, [again], busy.simulated.now_ms) == 1
    assert busy.decided() == {use.digest.hex(): 1 for use in uses}
