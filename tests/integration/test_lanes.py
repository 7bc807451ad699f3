"""Lanes over the real functions: an operator raises their number, and nobody else notices."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from odometer.bootstrap import process
from odometer.domain.events import digest_of
from odometer.engine.format.decisions import read_head
from odometer.engine.format.lanes import lane_of
from odometer.storage.dynamo import Meter
from odometer_cli import app
from tests.integration.test_engine import total_of
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of
from tests.support.storage_calls import Call, record_calls, throttled
from tests.support.usage_sender import fold, log_of, send, stream, usage_event

SOURCE = "ci/eu-1"


@pytest.fixture
def key(stack: Stack) -> str:
    admin_of(stack, OTHER)
    return admin_of(stack, ACME)


def lanes(number: int, *options: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["organization", "lanes", ACME, str(number), *options])
    return said.exit_code, said.output


def lane(name: str, number: int) -> int:
    return lane_of(digest_of(SOURCE, name), number)


def named(prefix: str, wanted: int) -> str:
    """The name of an event that is of this one of two lanes."""
    names = (f"{prefix}{at}" for at in range(1000))
    return next(name for name in names if lane(name, 2) == wanted)


def later(minutes: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def work_for(minutes: int) -> None:
    """Fold and settle each minute, as workers do."""
    engine = process().engine
    for minute in range(minutes):
        engine.fold_outstanding(ACME, later(minute))
        while engine.settle(ACME, later(minute)):
            pass


def batches_in(stack: Stack, number: int) -> list[int]:
    return [len(log_of(stack, ACME, lane)) for lane in range(number)]


def test_one_lane_stores_what_was_stored_without_lanes(stack: Stack, key: str) -> None:
    send(stack, key, [usage_event(f"{n}") for n in range(20)])
    work_for(3)
    head = process().engine.usage.get(f"{ACME}#H", "H")
    plan = process().engine.usage.get(f"{ACME}#P", "0000000001")
    assert head
    assert plan
    assert (head["format"], head["upto"], plan["lo"]) == (2, 2, 0)
    assert type(head["through_ms"]) is type(plan["hi"]) is int
    assert batches_in(stack, 2) == [1, 0]


def test_a_batch_is_split_by_lane_and_all_of_it_is_counted(stack: Stack, key: str) -> None:
    code, said = lanes(4)
    assert (code, said.splitlines()) == (
        0,
        [
            "It has 4 lanes now, and had 1.",
            "Events of the new lanes show some minutes later, once: nothing is lost.",
        ],
    )
    send(stack, key, [usage_event(f"{n}") for n in range(40)])
    assert batches_in(stack, 4) == [1, 1, 1, 1]
    old = sum(lane(f"{n}", 4) == 0 for n in range(40))
    for each in range(4):
        assert fold(stream(log_of(stack, ACME, each))) == {"batchItemFailures": []}
    assert total_of(ACME) == old, "new lanes wait for what old ones have taken"
    work_for(12)
    assert (total_of(ACME), total_of(OTHER)) == (40, 0)
    send(stack, key, [usage_event(f"{n}") for n in range(40, 60)])
    for each in range(4):
        fold(stream(log_of(stack, ACME, each)))
    assert total_of(ACME) == 60, "an open lane folds what the stream brings"


def test_an_event_that_is_sent_before_and_after_the_raise_counts_once(
    stack: Stack, key: str
) -> None:
    events = [usage_event(f"{n}") for n in range(30)]
    send(stack, key, events)
    before = log_of(stack, ACME)
    lanes(2)
    send(stack, key, events)
    fold(stream(log_of(stack, ACME, 1)))
    fold(stream(log_of(stack, ACME)))
    fold(stream(before))
    work_for(12)
    send(stack, key, events)
    for each in range(2):
        fold(stream(log_of(stack, ACME, each)))
    fold(stream(before))
    work_for(3)
    assert total_of(ACME) == 30


def test_records_of_two_lanes_in_one_batch_of_the_stream_are_both_folded(
    stack: Stack, key: str
) -> None:
    lanes(2)
    send(stack, key, [usage_event(named("a", 0)), usage_event(named("a", 1))])
    work_for(12)
    send(stack, key, [usage_event(named("b", 0)), usage_event(named("b", 1))])
    fold(stream([*log_of(stack, ACME), *log_of(stack, ACME, 1)]))
    assert total_of(ACME) == 4


def test_a_batch_that_dies_between_two_lanes_is_sent_again_and_counted_once(
    stack: Stack, key: str
) -> None:
    lanes(2)
    events = [usage_event(f"{n}") for n in range(12)]
    calls, puts = record_calls(), iter([False])
    calls.fail = lambda call: (
        throttled(call) if call == Call("PutItem", "log") and next(puts, True) else None
    )
    assert send(stack, key, events).status == 503
    calls.fail = lambda _: None
    assert sum(batches_in(stack, 2)) == 1
    assert send(stack, key, events).status == 202
    work_for(12)
    assert total_of(ACME) == 12


def test_the_data_is_through_no_later_than_the_lane_that_is_behind(stack: Stack, key: str) -> None:
    send(stack, key, [usage_event("first")])
    work_for(3)
    lanes(2)
    send(stack, key, [usage_event(named("n", 1))])
    usage = process().usage(stack.directories.open(ACME), later(20), float("inf"), Meter())
    (entry,) = log_of(stack, ACME, 1)
    assert usage.through_ms == int(str(entry["sk"])[:13])
    work_for(15)
    usage = process().usage(stack.directories.open(ACME), later(20), float("inf"), Meter())
    assert usage.through_ms > int(str(entry["sk"])[:13])


def test_a_head_that_was_not_told_learns_of_lanes_when_it_settles(stack: Stack, key: str) -> None:
    """The command may die between the directory and the head, and tables may be restored."""
    send(stack, key, [usage_event("first")])
    work_for(1)
    engine = process().engine
    engine.directories.change(ACME, datetime.now(UTC), lambda edit: edit.raise_lanes(2))
    assert "settle" in engine.remaining(ACME, datetime.now(UTC))
    send(stack, key, [usage_event(named("n", 1))])
    work_for(12)
    head = read_head(ACME, engine.usage)
    assert head
    assert (head.lanes, total_of(ACME)) == (2, 2)


def test_the_number_of_lanes_only_grows(stack: Stack, key: str) -> None:
    assert lanes(4)[0] == 0
    assert lanes(4) == (0, "It has 4 lanes already.\n")
    assert lanes(2) == (1, "It has 4 lanes, and never fewer.\nGive more than 4.\n")
    assert lanes(3) == (2, "3 lanes are not possible.\nGive one of 1, 2, 4, 8, 16.\n")
    assert lanes(32)[0] == 2
    assert '"before": 4' in lanes(8, "--json")[1]


def test_parked_entries_go_back_to_the_lanes_that_their_events_have_now(
    stack: Stack, key: str
) -> None:
    send(stack, key, [usage_event(f"{n}") for n in range(9)])
    (entry,) = log_of(stack, ACME)
    engine = process().engine
    engine.usage.put({**entry, "pk": f"{ACME}#X", "reason": "undecodable"})
    lanes(2)
    assert engine.redrive(ACME, datetime.now(UTC)).returned == 1
    assert batches_in(stack, 2) == [2, 1]
    work_for(12)
    assert total_of(ACME) == 9
    findings, _ = engine.audit(ACME, later(180))
    assert findings.missed == 0


def test_what_waits_is_counted_in_all_lanes(stack: Stack, key: str) -> None:
    lanes(2)
    send(stack, key, [usage_event(named("a", 0)), usage_event(named("a", 1))])
    engine = process().engine
    assert engine.waiting(ACME, later(5)).in_log.entries == 2
    work_for(12)
    assert engine.waiting(ACME, later(15)).in_log.entries == 0
    assert engine.waiting(ACME, later(15)).events == 0
