"""Storage that throttles, breaks or does not answer: 503 and Retry-After, never half a truth."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from odometer.access.keys import AccessKey
from odometer.bootstrap import process
from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, Stack
from tests.support.storage_calls import (
    Answer,
    Call,
    StorageCalls,
    record_calls,
    refused,
    throttled,
    timed_out,
)

UNAVAILABLE: Mapping[str, Any] = {
    "v1": {"error": {"code": "unavailable", "message": "Temporarily unavailable", "details": {}}},
    "usage_metrics": {
        "error": "SERVICE_UNAVAILABLE",
        "message": "Service Unavailable – Try again in a moment.",
        "status": 503,
        "requestId": "request-1",
        "details": {"errors": []},
    },
}
FAULTS: dict[str, Callable[[Call], Answer]] = {
    "throttled": throttled,
    "timed out": timed_out,
}


@pytest.fixture
def people(stack: Stack) -> People:
    people_of(stack, OTHER)
    return people_of(stack, ACME)


@pytest.fixture
def calls_made(people: People) -> StorageCalls:
    return record_calls()


Send = Callable[[], Reply]


def ask(us: People, method: str, url: str, body: Any = None) -> Send:
    """A request of an Admin, ready to be sent."""
    return partial(us.stack.call, method, url, us.key("admin"), body=body)


def members_key(us: People) -> str:
    """The id of a new key of the member."""
    key = AccessKey.parse(us.key("member"))
    assert key
    return key.key_id


NEW_KEY = {"name": "new", "scopes": ["usage:read"]}
REQUESTS: dict[str, Callable[[People], Send]] = {
    "usage_metrics organization": lambda us: ask(us, "GET", "/api/v1/organization"),
    "usage_metrics users": lambda us: ask(
        us, "GET", f"/api/v1/team/{us.id('core')}/users?offset=0&limit=1"
    ),
    "v1 put directory": lambda us: ask(us, "PUT", "/v1/directory", {"teams": [{"name": uuid()}]}),
    "v1 export": lambda us: ask(us, "GET", "/v1/directory/export"),
    "v1 trail": lambda us: ask(us, "GET", "/v1/audit"),
    "v1 list keys": lambda us: ask(us, "GET", "/v1/keys"),
    "v1 make key": lambda us: ask(us, "POST", "/v1/keys", {**NEW_KEY, "user": us.id("member")}),
    "v1 revoke key": lambda us: ask(us, "DELETE", f"/v1/keys/{members_key(us)}"),
    "v1 rotate key": lambda us: ask(us, "POST", f"/v1/keys/{members_key(us)}/rotate"),
}
RETIRING = ("v1 put directory", Call("UpdateItem", "directory"))
"""The one call after the change is made: what it cannot do now, nobody misses."""
NOTING = Call("PutItem", "activity")
"""The last use of the key: not worth refusing a request for."""


def uuid() -> str:
    return str(uuid4())


def as_a_new_process() -> None:
    """Forget all that a process remembers, but for the tapped client."""
    process.cache_clear()


def what_counts() -> dict[str, Any]:
    """The heads and the credentials of all organizations; what no head names does not count."""
    items = process().dynamodb.scan(TableName="directory")["Items"]
    found = {(item["pk"]["S"], item["sk"]["S"]): item for item in items}
    return {
        str(key): item
        for key, item in found.items()
        if key[1] == "HEAD" or key[1].startswith("KEY#")
    }


def failing(place: Call, fault: Callable[[Call], Answer], call: Call) -> Answer | None:
    return fault(call) if call == place else None


def calls_of(name: str, people: People, calls_made: StorageCalls) -> list[Call]:
    """Every call that a request makes as the first of a process."""
    send = REQUESTS[name](people)
    as_a_new_process()
    calls_made.calls.clear()
    assert send().status < 300
    passing = (RETIRING[1] if name == RETIRING[0] else None, NOTING)
    return [call for call in dict.fromkeys(calls_made.calls) if call not in passing]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_fault_at_any_call_is_said_and_changes_nothing(
    people: People, calls_made: StorageCalls, name: str, fault: str
) -> None:
    places = calls_of(name, people, calls_made)
    assert len(places) >= 2
    for place in places:
        send, before = REQUESTS[name](people), what_counts()
        as_a_new_process()
        calls_made.fail = partial(failing, place, FAULTS[fault])
        reply = send()
        calls_made.fail = lambda _: None
        assert (place, reply.status, reply.json) == (
            place,
            503,
            UNAVAILABLE[name.partition(" ")[0]],
        )
        assert reply.headers["Retry-After"] == "2"
        assert what_counts() == before


@pytest.mark.parametrize("name", REQUESTS)
def test_nobody_is_refused_because_a_use_cannot_be_noted(
    people: People, calls_made: StorageCalls, name: str
) -> None:
    send = REQUESTS[name](people)
    as_a_new_process()
    calls_made.fail = lambda call: throttled(call) if call == NOTING else None
    assert send().status < 300
    assert NOTING in calls_made.calls


def test_a_change_that_is_made_is_answered_whatever_comes_after_it(
    people: People, calls_made: StorageCalls
) -> None:
    send = REQUESTS["v1 put directory"](people)
    calls_made.fail = lambda call: throttled(call) if call == RETIRING[1] else None
    assert [row["status"] for row in send().json["results"]] == ["created"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
        ("NobodyKnows", 500),
        ("RequestLimitExceeded", 400),
        ("ThrottlingException", 400),
        ("TransactionInProgressException", 400),
    ],
)
def test_what_passes_is_a_503(
    people: People, calls_made: StorageCalls, code: str, status: int
) -> None:
    send = REQUESTS["v1 export"](people)
    calls_made.fail = lambda _: refused(code, status)
    reply = send()
    assert (reply.status, reply.json) == (503, UNAVAILABLE["v1"])


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_fault_of_ours_is_a_500_that_tells_nothing(
    people: People, calls_made: StorageCalls, code: str
) -> None:
    send = REQUESTS["usage_metrics organization"](people)
    calls_made.fail = lambda _: refused(code, 400)
    reply = send()
    assert (reply.status, reply.json) == (
        500,
        {
            "error": "INTERNAL_SERVER_ERROR",
            "message": "Internal Server Error – Unexpected server error.",
            "status": 500,
            "requestId": "request-1",
            "details": {"errors": []},
        },
    )


def test_a_flip_whose_answer_is_lost_takes_nothing_back(
    people: People, calls_made: StorageCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine flips the head, its answer gets lost, and botocore's second try is refused."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    lost = iter([True])
    send = REQUESTS["v1 put directory"](people)
    flips = Call("TransactWriteItems", "directory")
    calls_made.lose = lambda call: call == flips and next(lost, False)
    assert [row["status"] for row in send().json["results"]] == ["created"]
    assert next(lost, "nothing left") == "nothing left"
    as_a_new_process()
    directory = people.stack.directories.open(ACME)
    assert len(directory.teams) == 3
    assert len(directory.users) == 7
    named = {
        f"BLOCK#{b.register}#{b.family}#{b.number:05d}#{c}"
        for b, c in directory.head.blocks.items()
    }
    items = process().dynamodb.scan(TableName="directory")["Items"]
    expiring = {item["sk"]["S"] for item in items if item["pk"]["S"] == ACME and "ttl" in item}
    assert named & expiring == set()
