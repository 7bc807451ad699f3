"""The log: accepted batches as they came, until a fold decides about their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from odometer.domain.events import Event
from odometer.engine.format import keys, records
from odometer.engine.store import Item

LOG_DAYS: Final = 35
"""Log entries and folds expire after this; both are long settled by then."""
_DAY_SECONDS: Final = 86_400


def to_item(
    organization: str, events: Sequence[Event[str]], accepted_ms: int, random: str
) -> dict[str, str | int | bytes]:
    subjects = records.places(event.who for event in events)
    return {
        "pk": keys.log(organization),
        "sk": keys.entry(accepted_ms, random),
        "ttl": accepted_ms // 1000 + LOG_DAYS * _DAY_SECONDS,
        "subjects": records.pack_names(subjects),
        **records.to_attributes([numbered(event, subjects[event.who]) for event in events]),
    }


def events_of(item: Item) -> list[Event[str]]:
    """The events of a log entry; raises `Undecodable` for anything else."""
    events = records.from_attributes(item)
    try:
        subjects = records.unpack_names(item["subjects"])
        return [Event(subjects[event.who], *event[1:]) for event in events]
    except (LookupError, ValueError) as error:
        raise records.Undecodable from error


def numbered(event: Event[str], who: int) -> Event[int]:
    return Event(who, *event[1:])
