"""Marks, dispatch and workers on the template's tables: whoever dies loses nothing."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest

from odometer.bootstrap import process
from odometer.domain.errors import Unavailable
from odometer.engine.format.decisions import ALL
from odometer.engine.format.marks import AUDIT, FOLD, GROUP, PATIENCE, REBUILD, RETIRE, SETTLE, Mark
from odometer.services.engine import Engine
from odometer.storage.marks import Sweep
from tests.integration.test_engine import (
    NOTHING_FAILED,
    as_a_new_process,
    prepared_for,
    total_of,
)
from tests.integration.test_lanes import named
from tests.support.grants import not_granted, not_used
from tests.support.memory_directory import ACME
from tests.support.memory_store import Killed
from tests.support.stack import OTHER, Stack, admin_of, copy_of_tables, restore_tables
from tests.support.storage_calls import Answer, Call, Request, StorageCalls, record_calls, throttled
from tests.support.usage_sender import (
    dispatch,
    fold,
    log_of,
    make_queue,
    message,
    organizations_in,
    run,
    second_now,
    send,
    stream,
    usage_apart,
    usage_event,
    work,
)
from tests.unit.test_template import FUNCTIONS, granted, granted_by
from tools.emf import lines_in


@pytest.fixture
def queues(stack: Stack) -> Any:
    return make_queue()


@pytest.fixture
def keys(stack: Stack) -> dict[str, str]:
    return {name: admin_of(stack, name) for name in (ACME, OTHER)}


def mark_of(organization: str) -> Mark | None:
    return process().work.marks.get(organization)


def put_mark(organization: str, **due: int) -> None:
    usage_apart().put(Mark(organization, second_now(), due).to_item())


def swept() -> None:
    """The sweep of today is over."""
    process().work.marks.keep_sweep(Sweep(second_now() // 86_400))


# marks


def test_a_batch_marks_its_organization_before_it_is_in_the_log(
    stack: Stack, keys: dict[str, str]
) -> None:
    calls_made = record_calls()
    send(stack, keys[ACME], [usage_event("a")])
    written = [call for call in calls_made.calls if call.resource in ("log", "usage")]
    assert written == [Call("UpdateItem", "usage"), Call("PutItem", "log")]
    mark = mark_of(ACME)
    assert mark
    assert mark.due.keys() == {FOLD}
    assert mark_of(OTHER) is None
    calls_made.calls.clear()
    send(stack, keys[ACME], [usage_event("b")])
    send(stack, keys[ACME], [usage_event("c")])
    marked = calls_made.calls.count(Call("UpdateItem", "usage"))
    assert marked <= 1  # unless a minute has ended


def test_intake_goes_on_where_marks_cannot_be_written(stack: Stack, keys: dict[str, str]) -> None:
    calls_made = record_calls()
    calls_made.fail = lambda call: throttled(call) if call == Call("UpdateItem", "usage") else None
    assert send(stack, keys[ACME], [usage_event("a")]).status == 202
    assert len(log_of(stack, ACME)) == 1


def test_a_batch_without_events_marks_nobody(stack: Stack, keys: dict[str, str]) -> None:
    send(stack, keys[ACME], [usage_event("a", subject=None)])
    assert mark_of(ACME) is None


# dispatch and work


def test_what_no_stream_has_brought_a_worker_brings(
    stack: Stack, keys: dict[str, str], queues: Any
) -> None:
    swept()
    send(stack, keys[ACME], [usage_event("a")])
    assert (dispatch(), organizations_in(queues)) == ({}, [ACME])
    assert work(message(ACME)) == NOTHING_FAILED
    assert (total_of(ACME), total_of(OTHER)) == (1, 0)
    mark = mark_of(ACME)
    assert mark
    assert mark.due[FOLD] <= second_now() + 1  # more may have been accepted meanwhile
    assert mark.due[SETTLE] > second_now() + 250


def test_a_message_without_a_due_mark_does_nothing(stack: Stack, queues: Any) -> None:
    calls_made = record_calls()
    assert work(message(ACME)) == NOTHING_FAILED
    assert calls_made.calls == [Call("GetItem", "usage")]


def test_a_message_is_sent_for_the_next_step(
    stack: Stack, keys: dict[str, str], queues: Any
) -> None:
    put_mark(ACME, settle=1, retire=1)
    work(message(ACME))
    mark = mark_of(ACME)
    assert mark
    assert mark.due.keys() == {RETIRE, GROUP}
    for _ in mark.due:
        assert organizations_in(queues) == [ACME]
        work(message(ACME))
    assert (mark_of(ACME), organizations_in(queues)) == (None, [])


def test_the_sweep_marks_everyone_once_a_day(stack: Stack, queues: Any) -> None:
    dispatch()
    assert sorted(organizations_in(queues)) == sorted([ACME, OTHER])
    for organization in (ACME, OTHER):
        for _ in range(3):
            assert work(message(organization)) == NOTHING_FAILED
    assert [mark_of(ACME), mark_of(OTHER)] == [None, None]
    organizations_in(queues)
    dispatch()
    assert organizations_in(queues) == []


def test_dispatch_counts_what_was_not_reached(
    stack: Stack, queues: Any, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    swept()
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "odometer-dev")
    put_mark(ACME, fold=second_now() - PATIENCE[FOLD] - 100)
    put_mark(OTHER, audit=second_now() - 100)
    dispatch()
    (line,) = lines_in(capsys.readouterr().out)
    counted = {name: line[name] for name in ("waiting", "overdue", "failing", "service")}
    assert counted == {"waiting": 2, "overdue": 1, "failing": 0, "service": "odometer-dev"}
    assert line["overdue_seconds"] in (100, 101, 102)
    assert line["fold_lag_seconds"] - PATIENCE[FOLD] == line["overdue_seconds"]
    assert (line["audit_lag_seconds"], line["settle_lag_seconds"]) in ((100, 0), (101, 0), (102, 0))


# failures


def failing_for(organization: str) -> Any:
    whole = Engine.fold_outstanding

    def fold_outstanding(self: Engine, name: str, now: Any) -> bool:
        if name == organization:
            raise RuntimeError(name)
        return whole(self, name, now)

    return patch.object(Engine, "fold_outstanding", fold_outstanding)


def test_a_poisoned_organization_fails_alone_and_is_postponed(
    stack: Stack, keys: dict[str, str], queues: Any
) -> None:
    for key in keys.values():
        send(stack, key, [usage_event("a")])
    with failing_for(ACME):
        assert work(message(ACME), message(OTHER), message(ACME)) == NOTHING_FAILED
    assert (total_of(ACME), total_of(OTHER)) == (0, 1)
    mark = mark_of(ACME)
    assert mark
    assert (mark.failures, mark.due[FOLD] > second_now() + 50) == ({FOLD: 1}, True)
    swept()
    dispatch()
    assert ACME not in organizations_in(queues)


def test_a_step_that_fails_blocks_nothing_else_of_its_organization(
    stack: Stack, queues: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message that a worker answers as failed comes again after 150 s, and others wait for it."""
    put_mark(ACME, settle=1, audit=1)
    with patch.object(Engine, "settle", side_effect=Unavailable("usage")):
        assert work(message(ACME)) == NOTHING_FAILED
    assert organizations_in(queues) == [ACME]  # a message for the audit, at once
    mark = mark_of(ACME)
    assert mark
    assert (mark.most_urgent(second_now()), mark.failures) == (AUDIT, {SETTLE: 1})
    (line,) = lines_in(capsys.readouterr().out)
    assert (line["level"], line["exception_name"], line["failed"]) == ("ERROR", "Unavailable", 1)


def test_a_message_comes_again_where_its_step_could_not_be_postponed(
    stack: Stack, queues: Any
) -> None:
    put_mark(ACME, settle=1)
    calls_made = record_calls()
    calls_made.fail = lambda call: throttled(call) if call.verb == "UpdateItem" else None
    with patch.object(Engine, "settle", side_effect=Unavailable("usage")):
        failed = work(message(ACME), message(OTHER), message(ACME))
    named = {"itemIdentifier": f"message for {ACME}"}
    assert failed == {"batchItemFailures": [named, named]}


def test_a_task_with_which_a_worker_died_is_postponed_before_it_is_tried_again(
    stack: Stack, keys: dict[str, str], queues: Any
) -> None:
    put_mark(ACME, settle=1, audit=1)
    with patch.object(Engine, "settle", side_effect=Killed), pytest.raises(Killed):
        work(message(ACME))
    with patch.object(Engine, "settle", side_effect=Killed), pytest.raises(Killed):
        work(message(ACME, received=2))
    assert work(message(ACME, received=3)) == NOTHING_FAILED  # the audit, meanwhile
    mark = mark_of(ACME)
    assert mark
    assert (set(mark.due), mark.failures) == ({SETTLE}, {SETTLE: 1})


@pytest.mark.parametrize("task", [FOLD, SETTLE])
def test_a_worker_killed_at_any_call_loses_nothing(stack: Stack, queues: Any, task: str) -> None:
    prepared_for(stack, task)
    put_mark(ACME, **{task: second_now()})
    calls_made, before = record_calls(), copy_of_tables()
    as_a_new_process()
    calls_made.calls.clear()
    work(message(ACME))
    count, total = len(calls_made.calls), total_of(ACME)
    assert total == 3
    for number in range(count):
        restore_tables(before)
        as_a_new_process()
        calls_made.calls.clear()
        calls_made.fail = killing(calls_made, number)
        with pytest.raises(Killed):
            work(message(ACME))
        calls_made.fail = lambda _: None
        as_a_new_process()
        mark = mark_of(ACME)
        if mark and mark.due[task] <= second_now():
            assert work(message(ACME, received=2)) == NOTHING_FAILED
        assert total_of(ACME) == total


def killing(calls_made: StorageCalls, number: int) -> Any:
    def fail(_: Call) -> Answer | None:
        if len(calls_made.calls) > number:
            raise Killed
        return None

    return fail


def test_a_record_that_names_nobody_fails_its_batch_so_that_the_queue_keeps_it() -> None:
    with pytest.raises(KeyError):
        work({"messageId": "1", "body": json.dumps({}), "attributes": {}})


# permissions

RESOURCES = {
    "DirectoryTable": "directory",
    "LogTable": "log",
    "UsageTable": "usage",
    "WorkQueue": "work.fifo",
}
EVERY_TASK = ("RunsEngine", "DoesWork", "MarksWork", "SendsWork")
POLICIES = {
    "fold": (*EVERY_TASK, "WritesDirectory"),
    "settle": (*EVERY_TASK, "SettlesUsage"),
    "rebuild": (*EVERY_TASK, "SettlesUsage"),
    "group": (*EVERY_TASK, "SettlesUsage"),
    "retire": (*EVERY_TASK, "SettlesUsage"),
    "audit": (*EVERY_TASK, "WritesDirectory"),
}


def verbs_on_resources(grants: dict[str, set[str]]) -> dict[str, set[str]]:
    verbs = {RESOURCES[name]: verbs for name, verbs in grants.items()}
    if "work.fifo" in verbs:
        verbs["work.fifo"] = {"SendMessageBatch"}  # is granted as SendMessage
    return verbs


def test_a_worker_uses_exactly_what_it_is_granted_and_each_task_no_more_than_its_own(
    stack: Stack, queues: Any
) -> None:
    prepared_for(stack, "fold")
    used: dict[str, set[str]] = {}
    asked: list[Request] = []
    for task, policies in POLICIES.items():
        if task == REBUILD:
            process().engine.rebuilding.request(ACME, ALL, "UTC")
        if task == AUDIT:
            prepared_for(stack, AUDIT)
        later = {} if task == AUDIT else {AUDIT: 1}
        put_mark(ACME, **{**later, task: -(10**9)})
        calls_made = record_calls()
        assert work(message(ACME)) == NOTHING_FAILED
        allowed = verbs_on_resources(granted_by(policies))
        assert not_granted("EngineWork", calls_made.requests) == []
        asked += calls_made.requests
        for resource, verbs in calls_made.verbs.items():
            assert verbs <= allowed[resource], task
            used.setdefault(resource, set()).update(verbs)
    put_mark(OTHER, retire=1)  # nothing is left to do
    calls_made = record_calls()
    work(message(OTHER))
    used["usage"] |= calls_made.verbs["usage"]
    assert not_used("EngineWork", [*asked, *calls_made.requests]) == []
    assert used == verbs_on_resources(granted("EngineWork"))
    named = {policy["Ref"] for policy in FUNCTIONS["EngineWork"]["Properties"]["Policies"]}
    assert named == {policy for policies in POLICIES.values() for policy in policies}


def test_the_fold_uses_exactly_what_it_is_granted(stack: Stack, queues: Any) -> None:
    """Whether a new lane is open, it reads in the log."""
    key = prepared_for(stack, "fold")
    process().engine.raise_lanes(ACME, 2, datetime.now(UTC))
    send(stack, key, [usage_event(named("lane", 1))])
    entries = [*log_of(stack, ACME), *log_of(stack, ACME, 1)]
    calls_made = record_calls()
    as_a_new_process()
    with patch("odometer.services.engine.LONGEST_TAIL", 0):
        for entry in entries:
            fold(stream([entry]))
    assert calls_made.verbs == verbs_on_resources(granted("EngineFold"))
    asked = calls_made.requests
    assert (not_granted("EngineFold", asked), not_used("EngineFold", asked)) == ([], [])


def test_dispatch_uses_exactly_what_it_is_granted(stack: Stack, queues: Any) -> None:
    calls_made = record_calls()
    as_a_new_process()
    dispatch()
    assert calls_made.verbs == verbs_on_resources(granted("EngineDispatch"))
    asked = calls_made.requests
    assert (not_granted("EngineDispatch", asked), not_used("EngineDispatch", asked)) == ([], [])


def test_a_settled_organization_costs_a_worker_no_more_than_its_state(
    stack: Stack, keys: dict[str, str], queues: Any
) -> None:
    send(stack, keys[ACME], [usage_event("a")])
    for task in ("fold", "settle", "group"):
        run(task)
    calls_made = record_calls()
    put_mark(ACME, fold=1)
    work(message(ACME))
    assert len(calls_made.calls) <= 17
