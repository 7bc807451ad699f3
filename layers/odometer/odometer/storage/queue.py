"""The queue of work: a message for each organization that has something to do now.

Messages of one organization are a group of the FIFO queue, so that one worker at a time serves it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from odometer.domain.errors import Unavailable
from odometer.domain.stored import stored
from odometer.engine.format.marks import Mark
from odometer.storage.aws import client_of
from odometer.storage.dynamo import domain_errors

MOST_IN_BATCH = 10


@dataclass(frozen=True)
class WorkQueue:
    """Sends messages; the same message twice within five minutes is one."""

    url: str

    @cached_property
    def client(self) -> Any:
        with domain_errors():
            return client_of("sqs")

    def send(self, marks: Iterable[Mark]) -> int:
        """Send a message for each mark; return how many were sent."""
        messages, sent = map(message_of, marks), 0
        while batch := list(islice(messages, MOST_IN_BATCH)):
            self._send(batch)
            sent += len(batch)
        return sent

    def _send(self, batch: list[dict[str, str]]) -> None:
        entries = [{"Id": str(number), **message} for number, message in enumerate(batch)]
        with domain_errors():
            answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
        if failed := answer.get("Failed"):
            raise Unavailable(failed[0]["Code"])


def message_of(mark: Mark) -> dict[str, str]:
    return {
        "MessageBody": json.dumps({"organization": mark.organization}),
        "MessageGroupId": mark.organization,
        "MessageDeduplicationId": mark.message_id,
    }


@stored
def organization_of(body: str) -> str:
    """The organization that a message is about."""
    return str(json.loads(body)["organization"])
