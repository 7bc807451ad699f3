"""Frames are compared with the events of a week at a time, whatever a year has."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, timedelta
from pathlib import Path
from random import Random

import pytest

from bench.counted_store import CountedStore
from odometer.engine import calendar
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.segments import Segment
from odometer.engine.read import verify
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.settle import put_segments
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS

TESTS = PRODUCTS[0]
FIRST, DAY = date(2026, 3, 2), 86_400
A_DAY = 4_000


def sealed_weeks(store: CountedStore, weeks: int, users: int) -> YearCheck:
    random, start = Random(weeks), calendar.first_second(FIRST, UTC)
    for plan in range(1, 7 * weeks + 1):
        begin = start + (plan - 1) * DAY
        seconds = sorted(begin + random.randrange(DAY) for _ in range(A_DAY))
        columns = [[random.randrange(1, 999) for _ in seconds] for _ in range(TESTS.measures)]
        who = [random.randrange(users) for _ in seconds]
        put_segments(ORGANIZATION, store, plan, TESTS, Segment(seconds, who, columns))
    end, plan = FIRST + timedelta(7 * weeks), 7 * weeks
    writer = FrameWriter(ORGANIZATION, store, TESTS, UTC, lambda _: 0, plan)
    for step in writer.steps_of_sealing(FIRST, end, -(-users // 16_384)):
        step.do()
    sealed = calendar.first_second(end, UTC)
    head = UsageHead("UTC", sealed, plan=plan, last=sealed, users=users)
    return YearCheck(View(ORGANIZATION, store, head, (), sealed), TESTS, 2026)


def test_memory_does_not_grow_with_the_year(tmp_path: Path) -> None:
    """All events of the year were held at once, and a frame of each day."""
    peaks = []
    for weeks in (4, 16):
        check = sealed_weeks(CountedStore(tmp_path / str(weeks)), weeks, 300)
        tracemalloc.start()
        assert check.compare().drifts == []
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.2 * peaks[0]


def test_as_many_shards_are_compared_at_once_as_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = sealed_weeks(CountedStore(tmp_path / "usage"), 2, 50_000)
    together = check.compare()
    monkeypatch.setattr(verify, "ROWS_AT_ONCE", 2 * 16_384)
    assert check.compare() == together
    assert together.frames == 4 * (14 + 2 + 2)
