"""Usage sent through the API as senders do, or past it at any time that a test chooses."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from odometer.bootstrap import Process, Settings, process
from odometer.domain.events import MEASURES, Event, digest_of
from odometer.domain.time import epoch_ms, epoch_second
from odometer.engine.format import log_entries
from odometer.engine.format.decisions import ALL
from odometer.services.engine import Engine
from odometer.storage.dynamo import to_dynamodb
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


def log_of(stack: Stack, organization: str) -> list[Mapping[str, Any]]:
    return list(process().table("log").query(f"{organization}#LOG", "0", "~", consistent=True))


def stream(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An event of the log's stream, as Lambda gets it."""
    return {"Records": [record(position, entry) for position, entry in enumerate(entries, 1)]}


def record(position: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    typed = to_dynamodb(entry)
    image = {name: encoded(value) for name, value in typed.items()}
    keys = {name: image[name] for name in ("pk", "sk")}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": f"{position * 100}"}
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}


def encoded(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"B": base64.b64encode(typed["B"]).decode()} if "B" in typed else typed


def run(function: str, event: Mapping[str, Any] | None = None, context: Any = CONTEXT) -> Any:
    """Call a function of the engine with an event of the stream, or as its schedule does."""
    return functions()[f"engine/{function}"](event or {}, context)


BATCH_SIZE = 100
NUMBERS = count()


def used(who: str, product: str, at: datetime, *measures: int, event: str = "") -> Event[str]:
    """One use; `event` tells apart equal uses by the same user in the same second."""
    second = epoch_second(at)
    name = event or f"{who} {product} {second} {measures}"
    filled = (*measures, *[0] * (MEASURES - len(measures)))
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
        self.engine.settle(self.organization, now)

    def rebuild(self, now: datetime) -> None:
        self.now = now
        zone = self.engine.directories.open(self.organization).organization.time_zone
        self.engine.rebuilding.request(self.organization, ALL, zone)
        while self.engine.rebuild(self.organization, now):
            pass
