"""Events on the wire: CloudEvents, one or many, and what is answered for them."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import MISSING, Field

from odometer.access.policy import Caller
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Conflict, Invalid, TooLarge, Unsupported
from odometer.domain.events import Event, Refused, Rules
from odometer.domain.numbers import LONGEST_NUMBER, exact
from odometer.domain.stored import stored
from odometer.domain.text import CONTROL
from odometer.logs import LogLine
from odometer.storage.log import EventLog, KeptAnswer
from odometer.web.fields import echoed_id
from odometer.web.messages import JSON, Request, Response
from odometer.web.models import Answer

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LARGEST_BODY = 1024 * 1024
MOST_EVENTS = 1000
LONGEST_KEY = 255
NOT_THE_ONE = "the event was not accepted"
AMBIGUOUS = Refused("duplicate_name", "a name stands twice in one object")


class EventError(Answer):
    """Why one event does not count."""

    index: int
    id: str | None
    code: str
    message: str


class Receipt(Answer):
    """What became of a batch; `duplicate` counts repeats inside it."""

    accepted: int
    warning: str | MISSING = Field(
        MISSING,
        description="Only where nothing was accepted: how many events were sent, and why not.",
    )
    duplicate: int
    rejected: int
    errors: list[EventError]


EVENT_SCHEMA: Mapping[str, Any] = {"$ref": "#/components/schemas/Event"}
BATCH_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": EVENT_SCHEMA,
    "minItems": 1,
    "maxItems": MOST_EVENTS,
}
SentEvents = Annotated[
    Request, {ONE: EVENT_SCHEMA, BATCH: BATCH_SCHEMA, JSON: {"oneOf": [EVENT_SCHEMA, BATCH_SCHEMA]}}
]
ReceiptAnswer = Annotated[Response, {JSON: Receipt}]


class AmbiguousObject(NamedTuple):
    """An object in which a name is repeated, so that its meaning is unclear."""

    content: dict[str, Any]


def sent_events(request: Request) -> list[Any]:
    if request.media_type not in (JSON, ONE, BATCH) or is_binary(request):
        raise Unsupported
    if len(request.body) > LARGEST_BODY:
        raise TooLarge
    content = parsed(request.body)
    several = isinstance(content, list)
    if several if request.media_type == ONE else request.media_type == BATCH and not several:
        raise Invalid.parameter("body", f"not what {request.media_type} announces")
    events = content if several else [content]
    if not events:
        raise Invalid.parameter("body", "expected 1 to 1000 events")
    if len(events) > MOST_EVENTS:
        raise TooLarge
    return events


def is_binary(request: Request) -> bool:
    """Whether an event is in the headers and its data in the body, as CloudEvents calls binary.

    Such an event is refused aloud: by its body alone it is none, which a 202 would not tell. In the
    other modes headers may repeat the event, and the body alone counts.
    """
    return request.media_type == JSON and "ce-specversion" in request.headers


def parsed(body: bytes) -> Any:
    """JSON; what only one event is spoiled by (a name that stands twice, NaN) is left to it."""
    try:
        text = body.decode()
        with suppress(ValueError):
            return leniently(text)
        return leniently(text, parse_int=whole)  # Python refuses numbers of thousands of digits
    except (ValueError, RecursionError):
        raise Invalid.parameter("body", "not valid JSON") from None


def whole(digits: str) -> float:
    """A whole number; one that is far beyond every measure need not be exact."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else math.inf


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any] | AmbiguousObject:
    content = dict(pairs)
    return content if len(content) == len(pairs) else AmbiguousObject(content)


leniently = partial(
    json.loads, parse_constant=float, parse_float=exact, object_pairs_hook=object_of
)


def read_batch(
    events: Sequence[Any], rules: Rules, passed_over: Collection[int] = ()
) -> tuple[list[Event[str]], Receipt]:
    """Read a batch; events in `passed_over` were refused at the first try."""
    together = None if passed_over else rules.read_together(events)
    read, errors = read_each(events, rules, passed_over) if together is None else (together, [])
    good = without_repeats(read)
    receipt = Receipt(
        accepted=len(good),
        warning=MISSING if good else nothing_accepted(errors),
        duplicate=len(read) - len(good),
        rejected=len(errors),
        errors=errors,
    )
    return good, receipt


def read_each(
    events: Sequence[Any], rules: Rules, passed_over: Collection[int]
) -> tuple[list[Event[str]], list[EventError]]:
    """Read every event by itself."""
    read, errors = [], []
    for index, sent in enumerate(events):
        try:
            if index not in passed_over:
                read.append(rules.read(sent))
        except Refused as refused:
            errors.append(error_of(index, sent, refused))
    return read, errors


def without_repeats(events: list[Event[str]]) -> list[Event[str]]:
    """The first event of each identity; no two have one if all digests differ."""
    if len({event.digest for event in events}) == len(events):
        return events
    first: dict[tuple[Any, bytes], Event[str]] = {}
    for event in events:
        first.setdefault(event.identity, event)
    return list(first.values())


def nothing_accepted(errors: Sequence[EventError]) -> str:
    reasons = Counter(error.code for error in errors)
    why = ", ".join(f"{count} {code}" for code, count in reasons.items())
    sent = f"none of the {len(errors)} events was accepted" if len(errors) > 1 else NOT_THE_ONE
    return f"{sent}: {why}"


def error_of(index: int, sent: Any, refused: Refused) -> EventError:
    """What is wrong first of all: an ambiguous object is no object to any rule."""
    why = AMBIGUOUS if is_ambiguous(sent) else refused
    shown = echoed_id(sent.content if isinstance(sent, AmbiguousObject) else sent)
    return EventError(index=index, id=shown, code=why.code, message=why.message)


def is_ambiguous(sent: Any) -> bool:
    said = sent.get("data") if isinstance(sent, dict) else sent
    return isinstance(said, AmbiguousObject)


def accept(
    request: SentEvents,
    caller: Caller,
    directory: Directory,
    log: EventLog,
    now: datetime,
    line: LogLine,
) -> ReceiptAnswer:
    """Take a batch: durable when this returns, and never twice."""
    events = sent_events(request)
    key = idempotency_key(request)
    rules = Rules(directory.kinds, now, directory.organization.retention_years)
    (good, receipt), replayed = (
        read_once(request, caller, events, rules, log, key)
        if key
        else (read_batch(events, rules), False)
    )
    log.put(caller.organization, good, now, directory.organization.lanes)
    line |= {"accepted": receipt.accepted, "rejected": receipt.rejected}
    return receipt_of(receipt, replayed=replayed)


def read_once(
    request: Request, caller: Caller, events: Sequence[Any], rules: Rules, log: EventLog, key: str
) -> tuple[tuple[list[Event[str]], Receipt], bool]:
    """Read a batch under a key: the same body again gets the first answer again."""
    good, receipt = read_batch(events, rules)
    digest = hashlib.sha256(request.body).hexdigest()
    mine = KeptAnswer(digest, receipt.model_dump_json(), rules.now)
    first = log.keep_answer(caller.organization, key, mine)
    if first.digest != digest:
        raise Conflict(key)
    receipt = kept_receipt(first.answer)
    if first is not mine:
        # The first try may have died before its events were durable: put them again, by its rules.
        refused = {error.index for error in receipt.errors}
        good, _ = read_batch(events, Rules(rules.kinds, first.at, rules.retention_years), refused)
    return (good, receipt), first is not mine


@stored
def kept_receipt(answer: str) -> Receipt:
    return Receipt.model_validate_json(answer)


def idempotency_key(request: Request) -> str:
    key = request.header("idempotency-key")
    if len(key.encode()) > LONGEST_KEY or CONTROL.search(key):
        raise Invalid.parameter("Idempotency-Key", f"expected text of at most {LONGEST_KEY} bytes")
    return key


def receipt_of(receipt: Receipt, *, replayed: bool) -> Response:
    """202 also where nothing was accepted, which the answer then says in its body and a header."""
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    if receipt.warning is not MISSING:
        headers["Warning"] = f'199 odometer "{receipt.warning}"'
    return Response(202, receipt.model_dump_json().encode(), headers=headers)
