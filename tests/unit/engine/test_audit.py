"""The audit works through the log in pieces, goes on where it ended, and misses nothing."""

from __future__ import annotations

from random import Random
from unittest.mock import patch

import pytest

from odometer.engine.store import Item
from odometer.engine.write.audit import Audit, Piece
from odometer.engine.write.fold import Folding, Limits
from tests.support.memory_store import dying
from tests.support.simulated_engine import ORGANIZATION
from tests.unit.engine.test_engine import NOON, StepByStep

HOUR = 3_600


@pytest.fixture
def steps() -> StepByStep:
    """Ten entries of two events, half an hour apart, all folded."""
    steps = StepByStep()
    for number in range(10):
        steps.send(*(steps.use(who, NOON + number, 1, 1) for who in ("ann", "bob")))
        steps.simulated.pass_time(HOUR // 2)
    steps.simulated.folding.fold_outstanding(ORGANIZATION, steps.simulated.now_ms)
    return steps


def audit(steps: StepByStep) -> Audit:
    return Audit(steps.simulated.fold_elsewhere(), most_events=6)


def step(steps: StepByStep) -> Piece:
    return audit(steps).step(ORGANIZATION, steps.simulated.now_ms)


def hide_from_folds(steps: StepByStep, seconds_ago: int) -> None:
    """An entry that appears long after its stamp."""
    now = steps.simulated.now
    steps.simulated.now = now - seconds_ago
    steps.simulated.accept([steps.use("eve", NOON, 1, 1, name=f"{seconds_ago}")], Random(1), 0)
    steps.simulated.now = now


def test_pieces_join_and_every_entry_is_audited(steps: StepByStep) -> None:
    audited: list[str] = []

    def note(_: Folding, organization: str, entries: list[Item], now_ms: int) -> int:
        assert (organization, now_ms) == (ORGANIZATION, steps.simulated.now_ms)
        assert len(entries) <= 3
        audited.extend(entry["sk"] for entry in entries)
        return 0

    with patch.object(Folding, "fold_again", note):
        pieces = [step(steps) for _ in range(5)]
    assert [piece.is_last for piece in pieces] == [False, False, True, True, True]
    assert audited == sorted({*audited}), "each is audited once"
    steps.simulated.pass_time(2 * HOUR)
    with patch.object(Folding, "fold_again", note):
        assert not step(steps).missed
    assert len(audited) >= 9, "the last one is younger than the watermark"


def test_what_was_missed_counts_once_and_is_told_once(steps: StepByStep) -> None:
    hide_from_folds(steps, 4 * HOUR)
    assert [step(steps).missed for _ in range(5)] == [1, 0, 0, 0, 0]
    events = [event for fold in steps.simulated.folds() for event in fold.events]
    assert len(events) == len({event.identity for event in events}) == 21


def test_a_piece_whose_audit_died_is_audited_again(steps: StepByStep) -> None:
    hide_from_folds(steps, 4 * HOUR)
    for writes in range(3):
        with dying(steps.simulated.usage, writes):
            while not step(steps).is_last:
                pass
    while not step(steps).is_last:
        pass
    assert len(list(steps.view().unsettled_events)) == 21


def test_late_events_that_were_missed_do_not_wait(steps: StepByStep) -> None:
    hide_from_folds(steps, 4 * HOUR)
    every = steps.simulated.folding
    impatient = Folding(every.log, every.usage, every.subjects, limits=Limits(tail=0))
    assert Audit(impatient).step(ORGANIZATION, steps.simulated.now_ms).missed == 1


def test_it_says_up_to_when_every_lane_was_audited(steps: StepByStep) -> None:
    assert audit(steps).through_ms(ORGANIZATION) is None
    reached = []
    while not step(steps).is_last:
        reached.append(audit(steps).through_ms(ORGANIZATION) or 0)
    assert reached == sorted({*reached}), "it goes on with every piece"
    assert audit(steps).through_ms(ORGANIZATION) == min(
        audit(steps).folding.watermarks(ORGANIZATION)[0], steps.simulated.now_ms - HOUR * 1_000
    )
    with patch.object(Folding, "watermarks", lambda *_: [1, 1]):
        assert audit(steps).through_ms(ORGANIZATION) is None, "the second lane never was"
