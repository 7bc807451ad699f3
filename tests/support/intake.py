"""Events as senders make them, and a stack that serves them to the end."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from odometer.bootstrap import process
from odometer.storage.dynamo import to_dynamodb
from tests.support.stack import CONTEXT, Reply, Stack, functions

EVENTS = "/v1/events"
BATCH = {"content-type": "application/cloudevents-batch+json"}


def ago(**span: float) -> str:
    """An instant so long ago, as events tell theirs."""
    return f"{datetime.now(UTC) - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


LATELY = ago(minutes=5)
"""One instant for a whole run: a body that is made twice is the same body."""


def usage_event(name: str = "run-1", **changes: Any) -> dict[str, Any]:
    """An event that counts; an attribute set to None is left out."""
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
    """The answer to a batch."""
    return {
        "accepted": accepted,
        "duplicate": duplicate,
        "rejected": len(errors),
        "errors": list(errors),
    }


def refused(code: str, message: str) -> dict[str, Any]:
    """The answer to a body that is not taken."""
    details = {message.partition(":")[0]: None} if code == "invalid_parameter" else {}
    return {"error": {"code": code, "message": message, "details": details}}


def send(stack: Stack, key: str, body: Any, **headers: str) -> Reply:
    """Send events."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return stack.call("POST", EVENTS, key, body=body, headers=named)


def log_of(stack: Stack, organization: str) -> list[Mapping[str, Any]]:
    """What is durable."""
    return list(process().table("log").query(f"{organization}#LOG", "0", "~", consistent=True))


def stream(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The log's stream with new entries, as Lambda gets it."""
    return {"Records": [record(place, entry) for place, entry in enumerate(entries, 1)]}


def record(place: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    typed = to_dynamodb(entry)
    image = {name: encoded(value) for name, value in typed.items()}
    keys = {name: image[name] for name in ("pk", "sk")}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": f"{place * 100}"}
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}


def encoded(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Bytes are base64 on the stream."""
    return {"B": base64.b64encode(typed["B"]).decode()} if "B" in typed else typed


def run(function: str, event: Mapping[str, Any] | None = None, context: Any = CONTEXT) -> Any:
    """Call a function of the engine: with an event of the stream, or as its schedule does."""
    return functions()[f"engine/{function}"](event or {}, context)
