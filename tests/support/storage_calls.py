"""Records every call to AWS, and makes chosen calls fail."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, NamedTuple

from botocore.exceptions import ReadTimeoutError

from odometer.bootstrap import process
from odometer.storage.aws import botocore_session

Answer = tuple[SimpleNamespace, dict[str, Any]]


class Call(NamedTuple):
    """One call: its verb, and the table, secret or queue that it is about."""

    verb: str
    resource: str


class Request(NamedTuple):
    """What a call is about in detail, as conditions of policies see it."""

    call: Call
    partitions: frozenset[str]
    attributes: frozenset[str]
    """Those that it writes or compares."""
    enclosing: str = ""
    """The verb of the call, where several writes are made together."""

    def is_about(self, pattern: str) -> bool:
        return any(fnmatchcase(each, pattern) for each in self.partitions)


@dataclass
class StorageCalls:
    """Every call so far; `fail` replaces an answer, `lose` says which answers get lost."""

    calls: list[Call] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    fail: Callable[[Call], Answer | None] = lambda _: None
    lose: Callable[[Call], bool] = lambda _: False

    def before_call(self, params: dict[str, Any], **_: Any) -> Answer | None:
        """Called once before each call; an answer takes the place of the real one."""
        content = json.loads(params["body"])
        for call in calls_of(params["headers"], params["body"]):
            self.calls.append(call)
            self.requests += requests_of(call, content)
            if answer := self.fail(call):
                return answer
        return None

    def after_send(self, request: Any, **_: Any) -> None:
        """Called for each try, after the tables in this process have changed."""
        if any(map(self.lose, calls_of(request.headers, request.body))):
            raise ReadTimeoutError(endpoint_url=request.url)

    @property
    def verbs(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for call in self.calls:
            found.setdefault(call.resource, set()).add(call.verb)
        return found


class Part(NamedTuple):
    """One of several writes that are made together."""

    verb: str
    table: str
    content: dict[str, Any]


def parts_of(content: dict[str, Any]) -> list[Part]:
    return [
        Part(f"{verb}Item", write["TableName"], write)
        for each in content.get("TransactItems", ())
        for verb, write in each.items()
    ]


def requests_of(call: Call, content: dict[str, Any]) -> list[Request]:
    """What policies see of a call to one table.

    Of writes that are made together each is asked for by itself, with what all of them are about:
    nobody says whose conditions AWS holds against what.
    """
    parts = [each for each in parts_of(content) if each.table == call.resource]
    if not parts:
        return [request_of(call, content)]
    every = [request_of(call, each.content) for each in parts_of(content)]
    partitions = frozenset().union(*(each.partitions for each in every))
    attributes = frozenset().union(*(each.attributes for each in every))
    return [
        Request(Call(each.verb, each.table), partitions, attributes, call.verb) for each in parts
    ]


def calls_of(headers: Any, body: Any) -> list[Call]:
    """A call, once for each table that it is about."""
    target = headers["X-Amz-Target"]
    verb = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
    content = json.loads(body)
    names = ("TableName", "SecretId", "Name", "QueueUrl")
    named = next((content[name].rpartition("/")[2] for name in names if name in content), None)
    several = content.get("RequestItems") or dict.fromkeys(each.table for each in parts_of(content))
    return [Call(verb, each) for each in ([named] if named else several)]


def request_of(call: Call, content: dict[str, Any]) -> Request:
    """The partitions and the attributes of a call to one table."""
    keys = [content["Key"]] if "Key" in content else []
    items = [content["Item"]] if "Item" in content else []
    batch = content.get("RequestItems", {}).get(call.resource, [])
    if isinstance(batch, dict):
        keys += batch["Keys"]
    else:
        puts = [each["PutRequest"]["Item"] for each in batch if "PutRequest" in each]
        items += puts
        keys += [each["DeleteRequest"]["Key"] for each in batch if "DeleteRequest" in each]
    values = content.get("ExpressionAttributeValues", {})
    partitions = [each["pk"]["S"] for each in (*keys, *items)]
    partitions += [values[":pk"]["S"]] if ":pk" in values else []
    named = content.get("ExpressionAttributeNames", {}).values()
    attributes = {name for each in (*keys, *items) for name in each} | {*named}
    return Request(call, frozenset(partitions), frozenset(attributes))


def record_calls() -> StorageCalls:
    """Record the calls of all clients that functions create from now on."""
    calls_made = StorageCalls()
    process.cache_clear()
    events = botocore_session().get_component("event_emitter")
    events.register("before-call", calls_made.before_call)
    events.register_last("before-send", calls_made.after_send)
    return calls_made


def throttled(_: Call) -> Answer:
    """An error after all retries of botocore."""
    return refused("ProvisionedThroughputExceededException", 400)


def refused(code: str, status: int) -> Answer:
    error = {"Code": code, "Message": "the engine's own words"}
    metadata = {"HTTPStatusCode": status, "RetryAttempts": 3}
    return SimpleNamespace(status_code=status), {"Error": error, "ResponseMetadata": metadata}


def timed_out(call: Call) -> Answer:
    raise ReadTimeoutError(endpoint_url=f"https://{call.resource}.example")
