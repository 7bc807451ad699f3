"""What starts the engine: new entries on the log's stream, messages of the queue, or a schedule.

Each organization is handled by itself, so that one that fails holds up no other. The caller learns
of a failure: the stream and the queue send the same again and set it aside in the end.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from odometer.bootstrap import process
from odometer.engine.store import Item
from odometer.logs import count, log
from odometer.services.work import Dispatched, Step, Work
from odometer.storage.dynamo import from_dynamodb
from odometer.storage.queue import organization_of

OnSchedule = Callable[[Work, datetime], None]
OnMessage = Callable[[Work, str, datetime, bool], None]
"""Work on one organization; true if a worker has had the same message before."""
OnNewEntries = Callable[[Work, str, datetime, Sequence[Item]], None]
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


def on_schedule(work: OnSchedule) -> Handler:
    """Make a handler that a schedule calls."""

    def handler(_: Mapping[str, Any], __: object) -> dict[str, Any]:
        work(process().work, datetime.now(UTC))
        return {}

    return handler


def on_messages(work: OnMessage) -> Handler:
    """Make a handler of messages that name organizations; it answers those that failed.

    After a failure the other messages of that organization come again too, in their order.
    """

    def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        failed, unfinished = set[str](), []
        for record in event["Records"]:
            name = organization_of(record["body"])
            again = int(record["attributes"]["ApproximateReceiveCount"]) > 1
            if name in failed or not attempt(work, name, again):
                failed.add(name)
                unfinished.append(record["messageId"])
        return failures(unfinished)

    return handler


def on_log_stream(work: OnNewEntries) -> Handler:
    """Make a handler of new entries; it answers the first record of those that failed."""

    def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        first_failed = []
        for name, changes in changes_by_organization(event).items():
            new = [item_of(change["NewImage"]) for change in changes]
            if not attempt(work, name, new):
                first_failed.append(changes[0]["SequenceNumber"])
        return failures(sorted(first_failed, key=int)[:1])

    return handler


def changes_by_organization(event: Mapping[str, Any]) -> dict[str, list[Any]]:
    changes: dict[str, list[Any]] = {}
    for change in (record["dynamodb"] for record in event["Records"]):
        organization = change["NewImage"]["pk"]["S"].partition("#")[0]
        changes.setdefault(organization, []).append(change)
    return changes


def item_of(image: Mapping[str, Mapping[str, Any]]) -> Item:
    return from_dynamodb(
        {
            name: {"B": base64.b64decode(typed["B"])} if "B" in typed else typed
            for name, typed in image.items()
        }
    )


def report_dispatch(found: Dispatched) -> None:
    """Count what was not reached, also when all was: without these counts somebody is called."""
    count(found._asdict())


def report_step(organization: str, step: Step | None) -> None:
    """Count what an audit has found for the alarms, and log it for whoever the alarms wake."""
    if step and step.findings:
        count(step.findings._asdict())
        if any(step.findings):
            log.error("audit", organization=organization, **step.findings._asdict())


def attempt(
    work: Callable[[Work, str, datetime, Any], None], organization: str, content: Any
) -> bool:
    try:
        work(process().work, organization, datetime.now(UTC), content)
    except Exception:
        log.exception("failed", organization=organization)
        return False
    return True


def failures(identifiers: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}
