"""What starts the engine: entries that the log's stream brings, and messages of the queue."""

import json
from collections.abc import Mapping
from typing import Any

from odometer.domain.errors import OdometerError
from odometer.engine.format import log_entries
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged_item, damaged_json
from tests.fuzz.requests import at_work
from tests.fuzz.stored_items import SECOND, SENT
from tests.fuzz.target import Target, Wrong
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, functions
from tests.support.usage_sender import message, stream

ENTRY = log_entries.to_item(ACME, SENT, SECOND * 1000, "5f", 1)
OTHERS = log_entries.to_item(OTHER, SENT[:3], SECOND * 1000, "60", 1)


def handled(name: str, event: Mapping[str, Any]) -> list[str]:
    """What a function answers has failed; the log says with which errors."""
    said: list[Mapping[str, Any]] = []
    with at_work(said):
        answer = functions()[name](event, None)
    for line in said:
        if line.get("exception_name") not in (None, *REFUSED):
            raise Wrong(str(line["exception"]))
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def names_below(kind: type[BaseException]) -> set[str]:
    return {kind.__name__}.union(*map(names_below, kind.__subclasses__()))


REFUSED = {*names_below(OdometerError), "Gap", "MissingKeyframe"}


def read_stream(choices: Choices) -> str:
    """One organization's entry is damaged; another one's is folded all the same."""
    entry = damaged_item(ENTRY, choices)
    key = {name: ENTRY[name] for name in ("pk", "sk")}
    plain = {name: value for name, value in entry.items() if not isinstance(value, bytes)}
    columns = {name: value for name, value in entry.items() if isinstance(value, bytes)}
    if not _storable(plain):
        plain = {}
    failed = handled("engine/fold", stream([{**plain, **columns, **key}, OTHERS]))
    if "200" in failed:
        raise Wrong("the neighbour's entry has failed as well")
    return "failed" if failed else "folded"


def _storable(values: Mapping[str, Any]) -> bool:
    """Whether DynamoDB would keep it: whole numbers, and text that is UTF-8."""
    try:
        json.dumps(dict(values), ensure_ascii=False).encode()
    except (TypeError, ValueError):
        return False
    return not any(isinstance(value, float) for value in values.values())


def read_queue(choices: Choices) -> str:
    """One message is damaged; the other one is worked on all the same."""
    bad, good = message(ACME), message(OTHER)
    bad = {**bad, "messageId": "bad", "body": damaged_json(bad["body"], choices)}
    failed = handled("engine/work", {"Records": [bad, {**good, "messageId": "good"}]})
    if "good" in failed:
        raise Wrong("the neighbour's message has failed as well")
    return "failed" if failed else "done"


TARGETS = [
    Target("entry of the stream", read_stream, share=8, quick=15),
    Target("message of the queue of work", read_queue, share=8, quick=15),
]
