"""A 202 is a promise: durable whatever storage does, and under a key answered once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.template import written
from odometer.bootstrap import process
from odometer.domain.people import Role
from odometer.engine.format import log_entries
from odometer.engine.format.log_entries import SETTLING_MS
from odometer.storage.aws import TRIES
from odometer.storage.connections import CONNECT_SECONDS, READ_SECONDS
from odometer.storage.dynamo import Meter, Table
from odometer.storage.log import EventLog, KeptAnswer
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack
from tests.support.storage_calls import (
    Answer,
    Call,
    StorageCalls,
    record_calls,
    throttled,
    timed_out,
)
from tests.support.storage_calls import refused as refused_by_storage
from tests.support.usage_sender import log_of, receipt, refused, send, usage_event

KEY = {"idempotency_key": "batch-1"}
BATCH = [usage_event("a"), {}, usage_event("b"), usage_event("a")]
ANSWER = receipt(
    2,
    duplicate=1,
    errors=[
        {
            "index": 1,
            "id": None,
            "code": "invalid_specversion",
            "message": 'specversion: expected "1.0"',
        }
    ],
)
UNAVAILABLE = refused("unavailable", "Temporarily unavailable")
CONFLICT = refused("conflict", "Conflicts with what is stored")
IN_LOG, UNDER_KEY = Call("PutItem", "log"), Call("PutItem", "activity")


@pytest.fixture
def calls_made(stack: Stack) -> StorageCalls:
    return record_calls()


@pytest.fixture
def key(stack: Stack, calls_made: StorageCalls) -> str:
    return sender_of(stack, ACME)


def sender_of(stack: Stack, organization: str) -> str:
    return stack.key(organization, stack.user(organization, username="ci", role=Role.MEMBER))


def answer(reply: Reply) -> tuple[int, Any, str | None]:
    return reply.status, reply.json, reply.headers.get("Idempotent-Replayed")


def batches(stack: Stack) -> list[list[str]]:
    """The sources of the events of every batch in the log."""
    return [[event.who for event in log_entries.events_of(entry)] for entry in log_of(stack, ACME)]


WHOLE = ["james.wilson@example.com"] * 2


def broken(_: Call) -> Answer:
    return refused_by_storage("InternalServerError", 500)


FAULTS: dict[str, Callable[[Call], Answer]] = {
    "throttled": throttled,
    "broken": broken,
    "timed out": timed_out,
}
PLACES = [
    *((call, {}) for call in (Call("BatchGetItem", "directory"), IN_LOG)),
    *((call, KEY) for call in (Call("BatchGetItem", "directory"), UNDER_KEY, IN_LOG)),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("place", "headers"), PLACES, ids=str)
def test_what_is_not_durable_is_refused_and_taken_whole_when_sent_again(
    stack: Stack,
    key: str,
    calls_made: StorageCalls,
    place: Call,
    headers: dict[str, str],
    fault: str,
) -> None:
    send(stack, key, [])  # the use of a key is noted once a minute, in the table of the answers
    calls_made.fail = lambda call: FAULTS[fault](call) if call == place else None
    reply = send(stack, key, BATCH, **headers)
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, UNAVAILABLE, "2")
    assert batches(stack) == []
    calls_made.fail = lambda _: None
    died_after_the_answer_was_kept = "true" if headers and place == IN_LOG else None
    assert answer(send(stack, key, BATCH, **headers)) == (
        202,
        ANSWER,
        died_after_the_answer_was_kept,
    )
    assert batches(stack) == [WHOLE]


def test_a_put_whose_answer_is_lost_is_one_batch(
    stack: Stack, key: str, calls_made: StorageCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    lost = iter([True])
    calls_made.lose = lambda call: call == IN_LOG and next(lost, False)
    assert answer(send(stack, key, BATCH)) == (202, ANSWER, None)
    assert next(lost, "all lost") == "all lost"
    assert batches(stack) == [WHOLE]


def test_the_same_body_under_a_key_gets_the_first_answer(stack: Stack, key: str) -> None:
    assert answer(send(stack, key, BATCH, **KEY)) == (202, ANSWER, None)
    assert answer(send(stack, key, BATCH, **KEY)) == (202, ANSWER, "true")
    assert answer(send(stack, key, BATCH)) == (202, ANSWER, None)


def test_the_first_answer_stays_though_the_directory_has_changed(stack: Stack, key: str) -> None:
    batch = [usage_event("a"), usage_event("b", data={"product": "later", "tests": 1})]
    error = {
        "index": 1,
        "id": "b",
        "code": "unknown_product",
        "message": "product: later is not in the directory",
    }
    assert answer(send(stack, key, batch, **KEY)) == (202, receipt(1, errors=[error]), None)
    stack.apply(ACME, "product", {"id": "later", "name": "Later", "kind": "test"})
    assert answer(send(stack, key, batch, **KEY)) == (202, receipt(1, errors=[error]), "true")
    assert batches(stack) == [WHOLE[:1]] * 2


def test_another_body_under_a_key_is_a_conflict(stack: Stack, key: str) -> None:
    send(stack, key, BATCH, **KEY)
    reply = send(stack, key, [usage_event("c")], **KEY)
    assert (reply.status, reply.json) == (409, CONFLICT)
    assert batches(stack) == [WHOLE]


def test_a_key_means_nothing_in_another_organization(stack: Stack, key: str) -> None:
    send(stack, key, BATCH, **KEY)
    other = send(stack, sender_of(stack, OTHER), [usage_event("c")], **KEY)
    assert answer(other) == (202, receipt(1), None)


@pytest.mark.parametrize("left", ["an expired item", "nothing"])
def test_a_key_is_forgotten_after_a_day(stack: Stack, key: str, left: str) -> None:
    event_log = process().event_log(Meter())
    past = datetime.now(UTC) - timedelta(hours=24, seconds=1)
    event_log.keep_answer(ACME, "batch-1", KeptAnswer("another digest", "{}", past))
    if left == "nothing":
        process().table("activity").delete(f"{ACME}#KEY", "batch-1")
    assert answer(send(stack, key, BATCH, **KEY)) == (202, ANSWER, None)
    assert answer(send(stack, key, BATCH, **KEY)) == (202, ANSWER, "true")


def test_a_key_is_remembered_for_a_day(stack: Stack, key: str) -> None:
    event_log = process().event_log(Meter())
    past = datetime.now(UTC) - timedelta(hours=23, minutes=59)
    event_log.keep_answer(ACME, "batch-1", KeptAnswer("another digest", "{}", past))
    assert send(stack, key, BATCH, **KEY).status == 409


def test_of_two_who_renew_an_expired_key_at_once_one_is_first(stack: Stack) -> None:
    now = datetime.now(UTC)
    first, second = KeptAnswer("1", "{}", now), KeptAnswer("2", "{}", now)
    marks, log = process().marks(Meter()), process().table("log")
    event_log = EventLog(log, Rival("activity", Meter(), process().dynamodb), marks)
    event_log.keep_answer(ACME, "batch-1", KeptAnswer("0", "{}", now - timedelta(days=2)))
    Rival.overtake = lambda: EventLog(log, process().table("activity"), marks).keep_answer(
        ACME, "batch-1", first
    )
    assert event_log.keep_answer(ACME, "batch-1", second).digest == "1"


class Rival(Table):
    """A table in which somebody else is a moment faster."""

    overtake: Callable[[], object] = staticmethod(lambda: None)

    def put_if(self, *arguments: Any) -> bool:
        Rival.overtake()
        return super().put_if(*arguments)


@pytest.mark.parametrize("name", ["k" * 256, "é" * 128, "a\tb", "\x7f"])
def test_a_key_that_cannot_be_kept_is_refused(stack: Stack, key: str, name: str) -> None:
    reply = send(stack, key, BATCH, idempotency_key=name)
    message = "Idempotency-Key: expected text of at most 255 bytes"
    assert (reply.status, reply.json) == (400, refused("invalid_parameter", message))
    assert batches(stack) == []


def test_an_answer_to_the_worst_of_bodies_is_kept(stack: Stack, key: str) -> None:
    long = "\U0010ffff" * 32
    worst = [usage_event(long * 2, data={"product": long, "tests": 1})] * 1000
    body = json.dumps(worst, ensure_ascii=False).encode()
    headers = {**KEY, "content_type": "application/json"}
    first, second = (send(stack, key, body, **headers) for _ in range(2))
    assert (first.status, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert first.json == second.json
    assert first.json["rejected"] == 1000


def test_a_put_into_the_log_ends_long_before_the_watermark_passes_its_stamp() -> None:
    """Were an entry to appear behind the watermark, no sweep would ever read it."""
    each = CONNECT_SECONDS + READ_SECONDS
    backoff = sum(2**number for number in range(TRIES - 1))  # at most, when throttled
    template = written()
    function_ends = template["Globals"]["Function"]["Timeout"]
    assert "Timeout" not in template["Resources"]["V1SendEvents"]["Properties"]
    assert TRIES * each + backoff <= 20
    assert function_ends * 1000 <= SETTLING_MS - 90_000  # clocks may differ by this much
