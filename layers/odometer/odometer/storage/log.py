"""The log of accepted events, and the answers to requests that carried an idempotency key."""

import secrets
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from odometer.domain.errors import TooLarge
from odometer.domain.events import Event
from odometer.domain.frozen import frozen
from odometer.domain.stored import inflated, stored
from odometer.domain.time import epoch_ms, epoch_second, instant_of_ms
from odometer.engine.format import keys, log_entries
from odometer.storage.dynamo import Item, Table
from odometer.storage.marks import Marks

ANSWERS_KEPT = timedelta(hours=24)
LARGEST_ANSWER = 2**22
"""Bytes of an answer that is kept; one with a thousand errors has a tenth of it."""
LARGEST_ENTRY = 400_000
"""Bytes that an item of the log may have; 1,000 events of real names have a tenth of it."""


@frozen
class KeptAnswer:
    """The answer to the first request with a key, the digest of its body, and its time."""

    digest: str
    answer: str
    at: datetime

    def to_item(self, organization: str, key: str) -> Item:
        return {
            "pk": keys.repeats(organization),
            "sk": key,
            "digest": self.digest,
            "answer": zlib.compress(self.answer.encode()),
            "at": epoch_ms(self.at),
            "ttl": epoch_second(self.at + ANSWERS_KEPT),
        }

    @classmethod
    @stored
    def from_item(cls, item: Mapping[str, Any]) -> "KeptAnswer":
        answer = inflated(item["answer"], LARGEST_ANSWER).decode()
        return cls(str(item["digest"]), answer, instant_of_ms(int(str(item["at"]))))


@frozen
class EventLog:
    """Appends batches to the log, and keeps one answer for each idempotency key."""

    log: Table
    answers: Table
    marks: Marks

    def put(
        self,
        organization: str,
        events: Sequence[Event[str]],
        accepted_at: datetime,
        lanes: int = 1,
    ) -> None:
        """Append a batch by one write to each lane; a batch without events is not written.

        Who dies between two of them has not answered: what is sent again counts once.

        The organization is marked before, so that a batch that no stream brings is found.
        """
        if events:
            random = secrets.token_hex(8)
            entries = log_entries.to_items(
                organization, events, epoch_ms(accepted_at), random, lanes
            )
            if max(map(size_of, entries)) > LARGEST_ENTRY:
                raise TooLarge
            self.marks.accepting(organization, epoch_second(accepted_at))
            for entry in entries:
                self.log.put_new(entry)

    def keep_answer(self, organization: str, key: str, mine: KeptAnswer) -> KeptAnswer:
        """Keep an answer unless the key has one; return the one that is kept."""
        item = mine.to_item(organization, key)
        while not self.answers.put_new(item):
            stored = self.answers.get(keys.repeats(organization), key)
            if stored and int(str(stored["ttl"])) > epoch_second(mine.at):
                return KeptAnswer.from_item(stored)
            if stored and self.answers.put_if(item, "ttl", stored["ttl"]):
                break  # it has expired and is not yet removed
        return mine


def size_of(entry: Mapping[str, object]) -> int:
    """The bytes of an item's columns; the rest of it is small."""
    return sum(len(value) for value in entry.values() if isinstance(value, bytes))
