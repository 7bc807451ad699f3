"""How far a restore has come is told by segments, of which a table may have more the next time."""

from types import SimpleNamespace
from typing import cast

import pytest

from odometer.storage.dynamo import Table
from odometer_cli.table_copies import Differences, Progress, Restoring, one_round
from tests.support.simulated_work import MemoryTable

Done = list[tuple[str, int, int]]


class Died(BaseException):
    """The process ended here."""


def restoring(done: Done, dies_after: int = 1_000) -> Restoring:
    """Notes which segments are brought to the copy, and dies after some."""

    def note(name: str, segment: int, of: int) -> Differences:
        if len(done) >= dies_after:
            raise Died
        done.append((name, segment, of))
        return Differences(put=1)

    def put_back(segment: int, of: int, *, write: bool) -> Differences:
        return note("put", segment, of)

    def remove(segment: int, of: int, *, write: bool) -> Differences:
        return note("remove", segment, of)

    table = SimpleNamespace(name="usage")
    return cast("Restoring", SimpleNamespace(table=table, put_back=put_back, remove=remove))


@pytest.fixture
def progress() -> Progress:
    return Progress(cast("Table", MemoryTable()), "RESTORE", "usage")


def test_a_run_that_goes_on_leaves_out_what_was_done(progress: Progress) -> None:
    done: Done = []
    with pytest.raises(Died):
        one_round(restoring(done, dies_after=3), progress, 2, 0)
    one_round(restoring(done), progress, 2, 0)
    assert sorted(done) == [(name, part, 2) for name in ("put", "remove") for part in range(2)]


def test_a_run_that_goes_on_with_more_segments_leaves_out_none(progress: Progress) -> None:
    with pytest.raises(Died):
        one_round(restoring([], dies_after=1), progress, 1, 0)
    done: Done = []
    one_round(restoring(done), progress, 2, 0)
    assert sorted(done) == [(name, part, 2) for name in ("put", "remove") for part in range(2)]
