"""A storm of late events: who sends new ones between them waits no longer and pays no more."""

from pathlib import Path

import pytest

from bench.scale import InTurn

ROUNDS, LATE = 20, 400


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> InTurn:
    return sent(tmp_path_factory.mktemp("alone"), 0)


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> InTurn:
    return sent(tmp_path_factory.mktemp("stormy"), LATE)


def sent(folder: Path, late: int) -> InTurn:
    """Eight writers, half of them in the organization of the storm, each with a batch a round."""
    in_turn = InTurn(folder / "tables", late, users=200)
    in_turn.send_all(ROUNDS)
    return in_turn


def test_new_events_show_at_once_while_late_ones_wait(stormy: InTurn) -> None:
    assert stormy.late_waited > 0
    assert (len(stormy.costs), stormy.waited) == (8 * ROUNDS, 0)


def test_new_events_cost_as_many_calls_and_rounds_as_without_late_ones(
    alone: InTurn, stormy: InTurn
) -> None:
    for writer in range(8):
        calm, busy = alone.costs[writer::8], stormy.costs[writer::8]
        assert max(cost.calls for cost in busy) <= max(cost.calls for cost in calm)
        assert max(cost.rounds for cost in busy) <= max(cost.rounds for cost in calm)
        assert sum(cost.calls for cost in busy) <= sum(cost.calls for cost in calm)


def test_nothing_is_lost_or_doubled_in_a_storm(stormy: InTurn) -> None:
    for each in stormy.everyone:
        assert each.wrong_figures().startswith("0 of ")
    assert stormy.acme.drifts() == 0
