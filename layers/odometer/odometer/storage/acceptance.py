"""Where accepted events become durable: the log, and the answers to requests sent under a key."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from odometer.domain.errors import Conflict
from odometer.domain.events import Event
from odometer.domain.time import epoch_ms, epoch_second
from odometer.readings import keys, log
from odometer.storage.dynamo import Item, Table

MEMORY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to a request under a key: to which body, and when."""

    digest: str
    answer: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The door of the log."""

    log: Table
    answers: Table

    def put(self, organization: str, events: Sequence[Event[str]], accepted_at: datetime) -> None:
        """Make a batch durable by one write; without events there is nothing to keep."""
        if events:
            stamp = epoch_ms(accepted_at)
            self.log.put_new(log.to_item(organization, events, stamp, secrets.token_hex(8)))

    def remember(self, organization: str, key: str, mine: Remembered) -> Remembered:
        """Keep the answer to a key's first request; whoever comes later gets that one."""
        item = remembered_item(organization, key, mine)
        if self.answers.put_new(item):
            return mine
        stored = self.answers.get(keys.repeats(organization), key, consistent=True)
        if stored is None or int(str(stored["ttl"])) <= epoch_second(mine.at):
            return self._renew(item, stored, mine)
        return remembered_of(stored)

    def _renew(self, item: Item, stored: Item | None, mine: Remembered) -> Remembered:
        """Take the place of an answer that has expired but is not yet removed."""
        won = (
            self.answers.put_if(item, "ttl", stored["ttl"])
            if stored
            else self.answers.put_new(item)
        )
        if not won:
            raise Conflict(mine.digest)
        return mine


def remembered_item(organization: str, key: str, mine: Remembered) -> Item:
    """An answer as stored."""
    return {
        "pk": keys.repeats(organization),
        "sk": key,
        "digest": mine.digest,
        "answer": mine.answer,
        "at": epoch_ms(mine.at),
        "ttl": epoch_second(mine.at + MEMORY),
    }


def remembered_of(item: Item) -> Remembered:
    """An answer from what is stored."""
    at = datetime.fromtimestamp(int(str(item["at"])) / 1000, UTC)
    return Remembered(str(item["digest"]), str(item["answer"]), at)
