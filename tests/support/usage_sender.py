"""Usage sent through the API as senders do, or past it at any time that a test chooses."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from math import inf
from typing import Any

import boto3

from odometer.bootstrap import Process, Settings, process
from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import epoch_ms, epoch_second
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import ALL
from odometer.engine.format.marks import Mark
from odometer.services.engine import Engine
from odometer.storage.dynamo import Meter, Table, to_dynamodb
from odometer.storage.marks import Marks
from odometer.storage.queue import organization_of
from tests.support.stack import CONTEXT, Reply, Stack, functions

EVENTS = "/v1/events"
BATCH = {"content-type": "application/cloudevents-batch+json"}


def ago(**span: float) -> str:
    """An instant in the past, as events write it."""
    return f"{datetime.now(UTC) - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


LATELY = ago(minutes=5)
"""One instant for a whole run, so that a body made twice is the same body."""


def usage_event(name: str = "run-1", **changes: Any) -> dict[str, Any]:
    """An event that is accepted; an attribute set to None is left out."""
    event = {
        "specversion": "1.0",
        "id": name,
        "source": "ci/eu-1",
        "type": "usage",
        "subject": "james.wilson@example.com",
        "time": LATELY,
        "data": {"product": "automation", "tests": 1, "duration_ms": 5321},
    }
    return {key: value for key, value in {**event, **changes}.items() if value is not None}


def receipt(accepted: int, duplicate: int = 0, errors: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "accepted": accepted,
        "duplicate": duplicate,
        "rejected": len(errors),
        "errors": list(errors),
    }


def refused(code: str, message: str) -> dict[str, Any]:
    details = {message.partition(":")[0]: None} if code == "invalid_parameter" else {}
    return {"error": {"code": code, "message": message, "details": details}}


def send(stack: Stack, key: str, body: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return stack.call("POST", EVENTS, key, body=body, headers=named)


def log_of(stack: Stack, organization: str, lane: int = 0) -> list[Mapping[str, Any]]:
    partition = keys.log(organization, lane)
    return list(process().table("log").query(partition, "0", "~", consistent=True))


def stream(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An event of the log's stream, as Lambda gets it."""
    return {"Records": [record(position, entry) for position, entry in enumerate(entries, 1)]}


def record(position: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    typed = to_dynamodb(entry)
    image = {name: encoded(value) for name, value in typed.items()}
    key = {name: image[name] for name in ("pk", "sk")}
    change = {"Keys": key, "NewImage": image, "SequenceNumber": f"{position * 100}"}
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}


def encoded(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"B": base64.b64encode(typed["B"]).decode()} if "B" in typed else typed


def run(task: str) -> dict[str, Any]:
    """Let workers do a task of every organization, and nothing else, until nothing of it is due."""
    failed = [name for name in process().engine.directories.organizations() if fails(task, name)]
    if failed:
        raise RuntimeError("the engine stopped for some organizations", failed)
    return {}


def fails(task: str, organization: str) -> bool:
    """Do all due steps of a task; true if one has failed."""
    make_queue()
    marks, mark = Marks(usage_apart(), {}), Mark(organization, second_now(), {task: second_now()})
    usage_apart().put(mark.to_item())
    found: Mark | None = mark
    while found and found.due.get(task, inf) <= second_now():
        if work(message(organization))["batchItemFailures"]:
            return True
        found = marks.get(organization)
    return bool(found and found.failures)


@cache
def session_apart() -> boto3.Session:
    """A session whose calls are not recorded and do not fail."""
    return boto3.Session()


def usage_apart() -> Table:
    return Table("usage", Meter(), session_apart().client("dynamodb"))


def second_now() -> int:
    return epoch_second(datetime.now(UTC))


def make_queue() -> Any:
    """A client of the queue of work, which is made if it is missing."""
    queues: Any = session_apart().client("sqs")
    attributes = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
    attributes["FifoThroughputLimit"] = "perMessageGroupId"
    queues.create_queue(QueueName="work.fifo", Attributes=attributes)
    return queues


def organizations_in(queues: Any) -> list[str]:
    """Take the messages that wait in the queue of work; the organizations that they name."""
    url, found = process().settings.work_queue, []
    while answer := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [organization_of(each["Body"]) for each in answer]
        for each in answer:
            queues.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def message(organization: str, *, received: int = 1) -> dict[str, Any]:
    """A message of the queue, as Lambda gets it."""
    return {
        "messageId": f"message for {organization}",
        "body": json.dumps({"organization": organization}),
        "attributes": {"ApproximateReceiveCount": str(received)},
    }


def work(*messages: Mapping[str, Any]) -> Any:
    return functions()["engine/work"]({"Records": list(messages)}, CONTEXT)


def dispatch() -> Any:
    return functions()["engine/dispatch"]({}, CONTEXT)


def fold(event: Mapping[str, Any]) -> Any:
    """Call the fold with an event of the stream."""
    return functions()["engine/fold"](event, CONTEXT)


BATCH_SIZE = 100
NUMBERS = count()


def used(who: str, product: str, at: datetime, *measures: int, event: str = "") -> Event[str]:
    """One use; `event` tells apart equal uses by the same user in the same second."""
    second = epoch_second(at)
    name = event or f"{who} {product} {second} {measures}"
    filled = (*measures, *[0] * (LEAST_MEASURES - len(measures)))
    return Event(who, product, "test", second, 0, filled, digest_of("test", name))


@dataclass
class UsageSender:
    """Sends usage of one organization past the API and runs the engine at given times."""

    organization: str
    engine: Engine = field(default_factory=lambda: Process(Settings.from_env()).engine)
    sent: list[Event[str]] = field(default_factory=list)
    now: datetime = datetime(1, 1, 1, tzinfo=UTC)

    def send(self, events: Sequence[Event[str]], now: datetime) -> None:
        """Accept and fold events."""
        self.now = now
        for first in range(0, len(events), BATCH_SIZE):
            batch, name = events[first : first + BATCH_SIZE], f"{next(NUMBERS):016x}"
            entry = log_entries.to_item(self.organization, batch, epoch_ms(now), name)
            assert self.engine.log.put_new(entry)
            self.sent += batch
        self.engine.fold_outstanding(self.organization, now)

    def settle(self, now: datetime) -> None:
        self.now = now
        while self.engine.settle(self.organization, now):
            pass

    def rebuild(self, now: datetime) -> None:
        self.now = now
        zone = self.engine.directories.open(self.organization).organization.time_zone
        self.engine.rebuilding.request(self.organization, ALL, zone)
        while self.engine.rebuild(self.organization, now):
            pass
