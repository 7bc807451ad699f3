"""Each event counts exactly once, whatever happens to applications, network, server and clocks."""

from pathlib import Path

from clients.python.tests.crashes import run


def test_each_event_counts_once_through_kills_lost_answers_and_wrong_clocks(
    tmp_path: Path, socket_enabled: None
) -> None:
    outcome = run(1_200, tmp_path, longest_life=0.4)
    assert (outcome.lost, outcome.double) == ([], [])
    assert outcome.counted >= 1_200 - outcome.unsure
    assert outcome.kills >= 2
    assert outcome.happened["sent twice"] > 0
    assert outcome.happened["refused"] > 0
