"""What starts the engine: new entries on the log's stream, messages of the queue, or a schedule.

Each organization is handled by itself, so that one that fails holds up no other. The caller learns
of a failure: the stream and the queue send the same again and set it aside in the end. Each step
writes one line of the log: whose it was, what it did and used, and how it failed.
"""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from odometer.bootstrap import process
from odometer.domain.errors import Corrupt
from odometer.domain.time import epoch_ms
from odometer.engine.format.log_entries import accepted_ms
from odometer.engine.store import Item
from odometer.logs import LogLine, log, raised
from odometer.services.work import Dispatched, Step, Work
from odometer.storage.dynamo import from_dynamodb
from odometer.storage.queue import organization_of

OnSchedule = Callable[[Work, datetime], Dispatched]
OnMessage = Callable[[Work, str, datetime, bool], Step | None]
"""Work on one organization; true if a worker has had the same message before."""
OnNewEntries = Callable[[Work, str, datetime, Sequence[Item]], None]
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
UNREADABLE = ""
"""Stands for the organization of a message that names none."""


def on_schedule(work: OnSchedule) -> Handler:
    """Make a handler that a schedule calls."""

    def handler(_: Mapping[str, Any], __: object) -> dict[str, Any]:
        engine = process().work
        with one_line("dispatched", LogLine(task="dispatch")) as line:
            line.update(found_by(work(engine, datetime.now(UTC))))
        return {}

    return handler


def on_messages(work: OnMessage) -> Handler:
    """Make a handler of messages that name organizations; it answers those that are not done.

    The other messages of such an organization come again too, in their order.
    """

    def is_done(name: str, again: bool) -> bool:  # noqa: FBT001
        """Take a step; one that fails and is postponed is done, too."""
        with step_of(name) as line:
            line.update(done_by(work(process().work, name, datetime.now(UTC), again)))
            return True
        return False

    def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        failed, unfinished = {UNREADABLE}, []
        for record in event["Records"]:
            name = organization_in(record["body"])
            again = int(record["attributes"]["ApproximateReceiveCount"]) > 1
            if name in failed or not is_done(name, again):
                failed.add(name)
                unfinished.append(record["messageId"])
        return failures(unfinished)

    return handler


def on_log_stream(work: OnNewEntries) -> Handler:
    """Make a handler of new entries; it answers the first record of those that failed."""

    def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        engine, first_failed = process().work, []
        for name, changes in changes_by_organization(event).items():
            with step_of(name, task="stream", batches=len(changes)) as line:
                new = [item_of(change["NewImage"]) for change in changes]
                work(engine, name, datetime.now(UTC), new)
                oldest_ms = min(map(accepted_ms, new))
                line["fold_delay_ms"] = epoch_ms(datetime.now(UTC)) - oldest_ms
            if "exception" in line:
                first_failed.append(changes[0]["SequenceNumber"])
        return failures(sorted(first_failed, key=int)[:1])

    return handler


def organization_in(body: str) -> str:
    """The organization that a message names; one that names none is noted, and waits for nobody."""
    try:
        return organization_of(body)
    except Corrupt:
        with step_of(UNREADABLE):
            raise
        return UNREADABLE


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


def found_by(dispatch: Dispatched) -> dict[str, Any]:
    """What a dispatch has found, also where nothing waits: without its line somebody is called."""
    found = dispatch._asdict()
    lags = found.pop("lag_seconds")
    return {**found, **{f"{task}_lag_seconds": seconds for task, seconds in lags.items()}}


def done_by(step: Step | None) -> dict[str, Any]:
    """What a step was; an audit counts what must not be there, also where nothing is."""
    if step is None:
        return {}
    found = step.findings._asdict() if step.findings else {}
    found |= raised(step.failure) if step.failure else {}
    return {"task": step.task, "more": step.more, **found}


@contextmanager
def step_of(organization: str, **about: object) -> Iterator[LogLine]:
    """Write the line of a step; one that fails is named in the answer, and others go on."""
    line = LogLine(organization=organization, **about)
    with suppress(Exception), one_line("stepped", line):
        yield line


@contextmanager
def one_line(message: str, line: LogLine) -> Iterator[LogLine]:
    """Write a line about a piece of work: what it did and took and used, or how it failed."""
    began, before = time.monotonic(), process().engine_done
    try:
        yield line
    except Exception as failure:
        line |= raised(failure)
        raise
    finally:
        line["duration_ms"] = round((time.monotonic() - began) * 1000)
        used = {name: value - before.get(name, 0) for name, value in process().engine_done.items()}
        wrong = any(line.get(name) for name in ("exception", "missed", "parked"))
        (log.error if wrong else log.info)(message, family="engine", **used, **line)


def failures(identifiers: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}
