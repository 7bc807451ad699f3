"""Batches that DynamoDB carries out in part, or not at all: tried again, or refused whole."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from odometer.bootstrap import process
from odometer.storage import dynamo
from odometer.storage.aws import botocore_session
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of
from tests.support.usage_sender import log_of, receipt, refused, run, send, usage_event

EMPTY: dict[str, dict[str, Any]] = {"BatchGetItem": {"Responses": {}}, "BatchWriteItem": {}}
LEFT = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}


@dataclass
class Busy:
    """A table that leaves a batch as it was, as often as it is told to."""

    verb: str = ""
    times: float = 0
    asked: dict[str, Any] = field(default_factory=dict)

    def remember(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.asked[model.name] = params.get("RequestItems")

    def answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if model.name != self.verb or self.times <= 0:
            return None
        self.times -= 1
        content = {**EMPTY[self.verb], LEFT[self.verb]: self.asked[self.verb]}
        return SimpleNamespace(status_code=200), content


@pytest.fixture
def busy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Busy:
    monkeypatch.setattr(dynamo, "PATIENCE_SECONDS", 0.5)
    busy = Busy()
    events = botocore_session().get_component("event_emitter")
    events.register("before-parameter-build.dynamodb", busy.remember)
    events.register("before-call.dynamodb", busy.answer)
    process.cache_clear()
    return busy


@pytest.fixture
def key(stack: Stack, busy: Busy) -> str:
    return admin_of(stack, ACME)


def test_a_request_waits_for_a_directory_that_is_busy(stack: Stack, key: str, busy: Busy) -> None:
    busy.verb, busy.times = "BatchGetItem", 2
    reply = send(stack, key, usage_event())
    assert (reply.status, reply.json, busy.times) == (202, receipt(1), 0)


def test_a_request_is_refused_whole_when_the_directory_stays_busy(
    stack: Stack, key: str, busy: Busy
) -> None:
    busy.verb, busy.times = "BatchGetItem", float("inf")
    reply = send(stack, key, usage_event())
    expected = refused("unavailable", "Temporarily unavailable")
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, expected, "2")
    assert log_of(stack, ACME) == []


ADMIN, SENDER = "admin@aa7c.example", "james.wilson@example.com"


def users(stack: Stack) -> list[str]:
    return [user.username for user in stack.directories.open(ACME).users]


def test_a_fold_waits_until_a_new_user_is_written(stack: Stack, key: str, busy: Busy) -> None:
    send(stack, key, usage_event())
    busy.verb, busy.times = "BatchWriteItem", 2
    assert (run("fold"), busy.times) == ({}, 0)
    assert users(stack) == [ADMIN, SENDER]


def test_nobody_is_registered_by_half(stack: Stack, key: str, busy: Busy) -> None:
    send(stack, key, usage_event())
    busy.verb, busy.times = "BatchWriteItem", float("inf")
    with pytest.raises(RuntimeError):
        run("fold")
    assert users(stack) == [ADMIN]
    busy.times = 0
    assert run("fold") == {}
    assert users(stack) == [ADMIN, SENDER]
