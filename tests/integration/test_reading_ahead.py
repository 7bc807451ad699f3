"""What is read before a caller has proved to be one: the same for every stranger."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest

from odometer.access.keys import AccessKey
from odometer.bootstrap import Process, process
from odometer.services.ahead import ViewAhead
from tests.support.memory_directory import ACME
from tests.support.stack import Reply, Stack, admin_of
from tests.support.storage_calls import Call, StorageCalls, record_calls, refused
from tests.support.usage_sender import run, send, usage_event

COVERAGE = "/v1/coverage"
ORGANIZATION = "/api/v1/organization"
ASKED_OF_STRANGERS = [Call("BatchGetItem", "directory"), Call("BatchGetItem", "usage")]
"""One call about two tables."""


@pytest.fixture
def key(stack: Stack) -> str:
    """A key in a process that knows what is settled and what is not."""
    key = admin_of(stack, ACME)
    send(stack, key, [usage_event("a", subject="a")])
    run("fold")
    run("settle")
    send(stack, key, [usage_event("b", subject="b")])
    run("fold")
    return key


@pytest.fixture
def calls_made(key: str) -> StorageCalls:
    return record_calls()


def wrong(key: str) -> AccessKey:
    """The same id with another secret."""
    known = AccessKey.parse(key)
    assert known
    return AccessKey.make(known.organization, known.key_id)


STRANGERS: dict[str, Callable[[str], AccessKey]] = {
    "wrong": wrong,
    "unknown": lambda _: AccessKey.make(ACME),
    "of nobody": lambda _: AccessKey.make("99999999-9ca9-46a3-9778-9015d6580d50"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_costs_one_call_however_warm_the_process_is(
    stack: Stack, key: str, calls_made: StorageCalls, stranger: str
) -> None:
    for _ in range(2):
        assert stack.get(COVERAGE, key).status == 200
    calls_made.calls.clear()
    assert stack.get(COVERAGE, str(STRANGERS[stranger](key))).status == 401
    assert calls_made.calls == ASKED_OF_STRANGERS


def test_only_a_key_that_was_accepted_asks_for_folds_before_it_is_accepted_again(
    stack: Stack, key: str, calls_made: StorageCalls
) -> None:
    other, accepted = admin_of(stack, ACME), process().has_accepted
    assert stack.get(COVERAGE, key).status == 200
    known = [AccessKey.parse(each) for each in (key, other)]
    assert [accepted(each) for each in known if each] == [True, False]
    assert not accepted(wrong(key))


def test_a_key_stays_accepted_where_the_first_view_is_opened_later(stack: Stack, key: str) -> None:
    known, was_accepted = AccessKey.parse(key), Event()
    accept, open_view = Process.accepted, ViewAhead._open  # noqa: SLF001  it is begun by a thread

    def accepted(own: Process, proof: AccessKey) -> None:
        accept(own, proof)
        was_accepted.set()

    def open_later(ahead: ViewAhead, *found: Any) -> Any:
        assert was_accepted.wait(10)
        return open_view(ahead, *found)

    with patch.object(Process, "accepted", accepted), patch.object(ViewAhead, "_open", open_later):
        assert stack.get(COVERAGE, key).status == 200
    assert known
    assert process().has_accepted(known)


def test_a_key_that_was_revoked_is_refused_whatever_was_read_ahead(
    stack: Stack, key: str, calls_made: StorageCalls
) -> None:
    other = admin_of(stack, ACME)
    assert stack.get(COVERAGE, key).status == 200
    known = AccessKey.parse(key)
    assert known
    assert stack.call("DELETE", f"/v1/keys/{known.key_id}", other).status == 204
    assert stack.get(COVERAGE, key).status == 401


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_learns_nothing_of_a_usage_table_that_fails(
    stack: Stack, key: str, calls_made: StorageCalls, stranger: str
) -> None:
    url, refuse = COVERAGE, refused("AccessDeniedException", 400)
    calls_made.fail = lambda call: refuse if call.resource == "usage" else None
    assert stack.get(url, str(STRANGERS[stranger](key))).status == 401


def test_who_needs_no_usage_meets_no_error_of_it(
    stack: Stack, key: str, calls_made: StorageCalls
) -> None:
    refuse = refused("AccessDeniedException", 400)
    calls_made.fail = lambda call: refuse if call.resource == "usage" else None
    assert stack.get(ORGANIZATION, key).status == 200
    assert stack.get(f"{COVERAGE}?product=nothing", key).status in (400, 404)


def test_a_warm_request_wakes_a_thread_for_each_call_but_those_it_makes_itself(
    stack: Stack, key: str, calls_made: StorageCalls
) -> None:
    for _ in range(2):
        assert stack.get(COVERAGE, key).status == 200
    calls_made.calls.clear()
    submit = ThreadPoolExecutor.submit
    with patch.object(ThreadPoolExecutor, "submit", autospec=True, side_effect=submit) as begun:
        assert stack.get(COVERAGE, key).status == 200
    calls = [call for call in calls_made.calls if call.resource != "directory"]
    assert begun.call_count == len(calls) - 2


def test_what_is_read_ahead_is_counted(
    stack: Stack, key: str, calls_made: StorageCalls, capsys: pytest.CaptureFixture[str]
) -> None:
    def units() -> float:
        month = datetime.now(UTC)
        query = f"product=automation&measure=tests&from={month:%Y-01-01}T00:00:00Z"
        reply: Reply = stack.get(f"/v1/explain?{query}&to={month:%Y-%m-%d}T00:00:00Z", key)
        assert reply.status == 200
        return float(reply.headers["X-Read-Units"])

    cold, warm = units(), units()
    assert cold >= warm > 4  # credential, directory, head, plan, fold
