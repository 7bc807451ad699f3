"""Where accepted events become durable: the log, and the answers to requests sent under a key."""

import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from odometer.domain.errors import TooLarge
from odometer.domain.events import Event
from odometer.domain.time import epoch_ms, epoch_second, instant_of_ms
from odometer.engine.format import keys, log_entries
from odometer.storage.dynamo import Item, Table

MEMORY = timedelta(hours=24)
LARGEST_ENTRY = 400_000
"""Bytes that an item of the log may have; 1,000 events of real names have a tenth of it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to a request under a key: to which body, and when."""

    digest: str
    answer: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EventLog:
    """The door of the log."""

    log: Table
    answers: Table

    def put(self, organization: str, events: Sequence[Event[str]], accepted_at: datetime) -> None:
        """Make a batch durable by one write; without events there is nothing to keep."""
        if events:
            entry = log_entries.to_item(
                organization, events, epoch_ms(accepted_at), secrets.token_hex(8)
            )
            if weight_of(entry) > LARGEST_ENTRY:
                raise TooLarge
            self.log.put_new(entry)

    def remember(self, organization: str, key: str, mine: Remembered) -> Remembered:
        """Keep the answer to a key's first request; whoever comes later gets that one."""
        item = remembered_item(organization, key, mine)
        while not self.answers.put_new(item):
            stored = self.answers.get(keys.repeats(organization), key, consistent=True)
            if stored and int(str(stored["ttl"])) > epoch_second(mine.at):
                return remembered_of(stored)
            if stored and self.answers.put_if(item, "ttl", stored["ttl"]):
                break  # it has expired and is not yet removed
        return mine


def weight_of(entry: Mapping[str, object]) -> int:
    """The bytes of an item's columns; what else there is of it hardly weighs."""
    return sum(len(value) for value in entry.values() if isinstance(value, bytes))


def remembered_item(organization: str, key: str, mine: Remembered) -> Item:
    """An answer as stored."""
    return {
        "pk": keys.repeats(organization),
        "sk": key,
        "digest": mine.digest,
        "answer": zlib.compress(mine.answer.encode()),
        "at": epoch_ms(mine.at),
        "ttl": epoch_second(mine.at + MEMORY),
    }


def remembered_of(item: Item) -> Remembered:
    """An answer from what is stored."""
    at = instant_of_ms(int(str(item["at"])))
    answer = zlib.decompress(cast("bytes", item["answer"])).decode()
    return Remembered(str(item["digest"]), answer, at)
