"""What wakes the engine: the stream of the log with new entries, or a schedule.

Each organization is served by itself, so that one that fails holds up no other. A failure is
reported to whoever rang: the stream rings again and then parks the record, a schedule comes back
by itself, and the alarm on errors tells someone.
"""

import base64
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from odometer.bootstrap import process
from odometer.engine.store import Item
from odometer.services.engine import Engine, Findings
from odometer.storage.dynamo import unpacked

METRICS = "Odometer"
UNVISITED = "unvisited"
MOST_NAMED = 20
logger = Logger(use_rfc3339=True)

MARGIN_MS = 20_000
"""Nothing begins with less time than this: the longest step, a year of a product, takes seconds."""
STOPPED = "the engine stopped for some organizations"

OnSchedule = Callable[[Engine, str, datetime], bool | None]
"""Work for an organization; true if there is more of it to do."""
OnNewEntries = Callable[[Engine, str, Sequence[Item] | None, datetime], None]
Handler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


@dataclass(slots=True)
class NewEntries:
    """New entries of one organization's log, and the place of the first in the stream."""

    sequence: str
    entries: list[Item] = field(default_factory=list)


def on_schedule(work: OnSchedule) -> Handler:
    """Do this for every organization whenever the schedule comes round, until no more is to do."""

    def handler(_: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        return visit_all(work, context)

    return handler


def on_log_stream(work: OnNewEntries) -> Handler:
    """Do this with what the stream brings; with nothing, for everyone, on the schedule."""

    def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        if "Records" in event:
            return ring(work, event)
        return visit_all(lambda engine, name, now: work(engine, name, None, now), context)

    return handler


def ring(work: OnNewEntries, event: Mapping[str, Any]) -> dict[str, Any]:
    """Do the work with what the stream brings, and name the first record of what failed."""
    rung = new_entries(event)
    failed = attempt(rung, lambda it, name, now: work(it, name, rung[name].entries, now))
    sequences = sorted((rung[name].sequence for name in failed), key=int)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sequences[:1]]}


def new_entries(event: Mapping[str, Any]) -> dict[str, NewEntries]:
    """The new entries that the stream brings, by organization."""
    found: dict[str, NewEntries] = {}
    for record in event["Records"]:
        item = unpacked(from_json(record["dynamodb"]["NewImage"]))
        organization = str(item["pk"]).partition("#")[0]
        bell = found.setdefault(organization, NewEntries(record["dynamodb"]["SequenceNumber"]))
        bell.entries.append(item)
    return found


def from_json(image: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """An item as the stream sends it: bytes are base64 there."""
    return {
        name: {"B": base64.b64decode(typed["B"])} if "B" in typed else typed
        for name, typed in image.items()
    }


def visit_all(work: OnSchedule, context: LambdaContext) -> dict[str, Any]:
    """Do the work for every organization in turn, in an order that starves none."""
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
        raise RuntimeError(STOPPED, failed)
    return {}


def in_time(waiting: deque[str], context: LambdaContext) -> Iterator[str]:
    """Whoever is next, as long as there is time to begin anything."""
    while waiting and context.get_remaining_time_in_millis() > MARGIN_MS:
        yield waiting.popleft()


def report_unvisited(organizations: Collection[str]) -> None:
    """Count and name the organizations for which a schedule had no time."""
    if organizations:
        count({UNVISITED: len(organizations)})
        names = sorted(organizations)[:MOST_NAMED]
        logger.warning(UNVISITED, count=len(organizations), organizations=names)


def report_audit(organization: str, findings: Findings) -> None:
    """Count what must not be there, for the alarms; name it, for whoever they wake."""
    count(findings._asdict())
    if any(findings):
        logger.error("audit", organization=organization, **findings._asdict())


def count(values: Mapping[str, int]) -> None:
    """Write metrics for CloudWatch to find in the log."""
    metrics = EphemeralMetrics(namespace=METRICS)
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()


def attempt(organizations: Iterable[str], work: OnSchedule) -> list[str]:
    """Work for each organization; the ones for which it failed."""
    failed = []
    for organization in organizations:
        try:
            work(process().engine, organization, datetime.now(UTC))
        except Exception:
            logger.exception("failed", organization=organization)
            failed.append(organization)
    return failed
