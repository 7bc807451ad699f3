"""What starts the engine: new entries on the log's stream, or a schedule.

Each organization is handled by itself, so that one that fails holds up no other. The caller learns
of a failure: the stream sends the entries again and sets them aside in the end, a schedule comes
again, and the alarm on errors tells someone.
"""

import base64
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from odometer.bootstrap import process
from odometer.engine.store import Item
from odometer.services.engine import Engine, Findings
from odometer.storage.dynamo import from_dynamodb

METRICS = "Odometer"
UNVISITED = "unvisited"
MOST_NAMED = 20
logger = Logger(use_rfc3339=True)

MARGIN_MS = 20_000
"""No step begins with less time left: the longest one, a year of a product, takes seconds."""

OnSchedule = Callable[[Engine, str, datetime], bool | None]
"""Work on one organization; it returns true if there is more to do."""
OnNewEntries = Callable[[Engine, str, Sequence[Item] | None, datetime], None]
Handler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


def on_schedule(work: OnSchedule) -> Handler:
    """Make a handler that works on every organization until there is nothing left to do."""

    def handler(_: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        return visit_all(work, context)

    return handler


def on_log_stream(work: OnNewEntries) -> Handler:
    """Make a handler of new entries; on the schedule it works on every organization without any."""

    def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        if "Records" in event:
            return visit_new(work, event)
        return visit_all(lambda engine, name, now: work(engine, name, None, now), context)

    return handler


def visit_new(work: OnNewEntries, event: Mapping[str, Any]) -> dict[str, Any]:
    """Work on the new entries; answer with the first record of an organization that failed."""
    new = changes_by_organization(event)

    def work_on_new(engine: Engine, name: str, now: datetime) -> None:
        work(engine, name, [item_of(change["NewImage"]) for change in new[name]], now)

    failed = attempt(new, work_on_new)
    numbers = sorted((new[name][0]["SequenceNumber"] for name in failed), key=int)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers[:1]]}


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


def visit_all(work: OnSchedule, context: LambdaContext) -> dict[str, Any]:
    """Work on every organization in turn, in random order so that none is always last."""
    organizations = list(process().engine.directories.organizations())
    random.shuffle(organizations)
    waiting, unvisited = deque(organizations), set(organizations)

    def take_turn(engine: Engine, organization: str, now: datetime) -> None:
        unvisited.discard(organization)
        if work(engine, organization, now):
            waiting.append(organization)

    failed = attempt(in_time(waiting, context), take_turn)
    report_unvisited(unvisited)
    if failed:
        raise RuntimeError("the engine stopped for some organizations", failed)
    return {}


def in_time(waiting: deque[str], context: LambdaContext) -> Iterator[str]:
    while waiting and context.get_remaining_time_in_millis() > MARGIN_MS:
        yield waiting.popleft()


def report_unvisited(organizations: Collection[str]) -> None:
    if organizations:
        count({UNVISITED: len(organizations)})
        names = sorted(organizations)[:MOST_NAMED]
        logger.warning(UNVISITED, count=len(organizations), organizations=names)


def report_audit(organization: str, findings: Findings) -> None:
    """Count findings for the alarms, and log them for whoever the alarms wake."""
    count(findings._asdict())
    if any(findings):
        logger.error("audit", organization=organization, **findings._asdict())


def count(values: Mapping[str, int]) -> None:
    metrics = EphemeralMetrics(namespace=METRICS)
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()


def attempt(organizations: Iterable[str], work: OnSchedule) -> list[str]:
    failed = []
    for organization in organizations:
        try:
            work(process().engine, organization, datetime.now(UTC))
        except Exception:
            logger.exception("failed", organization=organization)
            failed.append(organization)
    return failed
