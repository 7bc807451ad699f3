"""A range costs the same wherever it ends, at any rate of events, in units and in memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from bench.counted_store import CountedStore
from odometer.domain.time import DAY, instant_at
from odometer.engine import calendar
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.segments import Segment
from odometer.engine.read.inside import InsideReader, sums_of_each
from odometer.engine.read.views import View
from odometer.engine.rounds import in_rounds
from odometer.engine.write.chunks import ChunkWriter
from odometer.engine.write.inside import InsideWriter, partition_of
from odometer.engine.write.settle import put_segments
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS

TESTS = PRODUCTS[0]
START = 1_793_923_200
DATE = instant_at(START).date()
UTC = calendar.zone_of(TESTS.kind, "UTC")
USERS, A_MINUTE = 300, 3_000


def test_no_edge_reads_more_at_the_end_of_a_busy_day_than_early_in_it(tmp_path: Path) -> None:
    store, random = CountedStore(tmp_path / "table"), Random(1)
    head = UsageHead("UTC", START, users=USERS, running={TESTS.id: []})
    partition, truth = partial(partition_of, ORGANIZATION, head, TESTS), dict[int, int]()
    units, written, extra = list[float](), 0.0, 0
    for plan in range(1, 121):
        now = START + 60 * plan
        seconds = sorted(now - random.choice([1, 5, 30, 600]) for _ in range(A_MINUTE))
        seconds = [max(START, second) for second in seconds]
        measures = [[random.randrange(9) for _ in seconds] for _ in range(TESTS.measures)]
        whole = Segment(seconds, [random.randrange(USERS) for _ in seconds], measures)
        for second, value in zip(seconds, measures[0], strict=True):
            truth[second] = truth.get(second, 0) + value
        put_segments(ORGANIZATION, store, plan, TESTS, whole)
        before = store.counts.write_units
        writer = InsideWriter(ORGANIZATION, store, TESTS, UTC, partition, plan)
        running = writer.advance(head.running[TESTS.id], [DATE], 1)
        written += store.counts.write_units - before
        head = replace(head, plan=plan, last=now, running={TESTS.id: running})
        if plan % 20 == 0:
            figure, cost = read(store, head, range(START, now))
            assert figure == sum(truth.values())
            units.append(cost)
    assert max(units) <= 60
    assert units[-1] <= 1.5 * max(units[:2])
    assert written / (120 * A_MINUTE) <= 0.01

    before = store.counts.write_units
    put_chunks(ChunkWriter(ORGANIZATION, store, TESTS, UTC, partition, head.plan, 0))
    extra = int(store.counts.write_units - before)
    assert extra / (120 * A_MINUTE) <= 0.02
    sealed = replace(head, sealed=calendar.first_second(DATE + DAY, UTC), running={TESTS.id: []})
    for _ in range(5):
        first, end = sorted(random.sample(range(START, START + 7_200), 2))
        figure, cost = read(store, sealed, range(first, end))
        assert figure == sum(value for at, value in truth.items() if first <= at < end)
        assert cost <= 130

    tracemalloc.start()
    read(store, replace(head, running={}), range(START, START + 7_200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def put_chunks(writer: ChunkWriter) -> None:
    for step in writer.steps(DATE):
        step.do()


def read(store: CountedStore, head: UsageHead, seconds: range) -> tuple[int, float]:
    """The first measure of everybody, and the read units that it takes."""
    before = store.counts.read_units
    view = View(ORGANIZATION, store, head, (), head.last)
    (ranges,) = in_rounds(store, sums_of_each([(InsideReader(view, TESTS, [0]), [seconds])]))
    figure = sum(f.sum(0) for days in ranges for of_day in days.values() for f in of_day.values())
    return figure, store.counts.read_units - before
