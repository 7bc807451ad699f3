"""What an answer to a batch of events means for the events, without any I/O."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from odometer_client.answers import EventFault, Receipt
from odometer_client.errors import fault_in, retry_after
from odometer_client.operations import EVENTS
from odometer_client.reading import parsed, read
from odometer_client.spool import Line, Record

MOST_EVENTS = 1_000
MOST_BYTES = 900_000
"""The API takes 1 MiB."""
COMPRESSED_FROM = 1_000
LONGEST_PAUSE = 60.0
LONGEST_ASKED = 600.0
REFUSED_PAUSE = 300.0
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, TOO_LARGE, UNSUPPORTED = 400, 401, 403, 413, 415
ACCEPTED = 202


@dataclass(frozen=True)
class Delivered:
    """Each event of the batch counts from now on, but for those that were refused."""

    faults: tuple[EventFault, ...]


@dataclass(frozen=True)
class Split:
    """The batch was refused as a whole; parts of it may be taken."""

    code: str
    message: str


@dataclass(frozen=True)
class Plain:
    """Send it again without compression."""


@dataclass(frozen=True)
class Pause:
    """Nothing is known of the batch: keep it, and send it again after a while."""

    kind: str
    message: str
    seconds: float | None = None
    """As the server asks; None leaves it to whoever waits."""

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures, twice as long each time."""
        grown = min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE)
        asked = min(self.seconds or 0.0, LONGEST_ASKED)
        return max(grown, asked) * (1 + random.random() / 4)  # noqa: S311  it is no secret


class Paused(Exception):
    """Nothing more can be sent now."""

    def __init__(self, pause: Pause) -> None:
        super().__init__(pause.message)
        self.pause = pause


Verdict = Delivered | Split | Plain | Pause


def batches(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines in batches that the API takes."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        size += len(line.content) + 1
        if batch and (len(batch) == MOST_EVENTS or size > MOST_BYTES):
            yield batch
            batch, size = [], len(line.content) + 1
        batch.append(line)
    if batch:
        yield batch


def body_of(batch: Sequence[Record], *, compressed: bool) -> tuple[bytes, dict[str, str]]:
    """What is sent: the events as they are kept, which are never written anew."""
    body = b"[" + b",".join(record.content for record in batch) + b"]"
    if not compressed or len(body) < COMPRESSED_FROM:
        return body, {"Content-Type": EVENTS}
    return gzip.compress(body, 6), {"Content-Type": EVENTS, "Content-Encoding": "gzip"}


def verdict_on(response: httpx.Response, events: int, *, compressed: bool) -> Verdict:
    status = response.status_code
    if status == ACCEPTED:
        return verdict_of_receipt(response, events)
    fault = fault_in(response)
    message = f"HTTP {status}: {fault.get('message') or 'no explanation was given'}"
    if compressed and status in (BAD_REQUEST, UNSUPPORTED):
        return Plain()
    if status == TOO_LARGE or (status == BAD_REQUEST and fault):
        return Split(str(fault.get("code", status)), message)
    if status in (UNAUTHORIZED, FORBIDDEN):
        return Pause("key", message, REFUSED_PAUSE)
    return Pause(f"http {status}", message, retry_after(response))


def verdict_of_receipt(response: httpx.Response, events: int) -> Verdict:
    """A receipt that speaks of all events; anything else is the answer of somebody else."""
    try:
        receipt: Receipt = read(Receipt, parsed(response.content))
        told = receipt.accepted + receipt.duplicate + receipt.rejected
        good = told == events and len(receipt.errors) == receipt.rejected
        if good and all(0 <= each.index < events for each in receipt.errors):
            return Delivered(receipt.errors)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        pass
    return Pause("answer", "what answers there is not Odometer")


def refused_aside(record: Record, code: str, message: str) -> bytes:
    """A line about an event that was refused."""
    words = json.dumps({"code": code, "message": message})
    return words[:-1].encode() + b', "event": ' + record.content + b"}"


def torn_aside(line: bytes) -> bytes:
    words: dict[str, Any] = {"code": "torn", "line": line[:1_000].decode(errors="replace")}
    return json.dumps(words).encode()
