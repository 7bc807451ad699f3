"""The activity table: when a key was last used, to the hour."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.domain.time import instant_at
from odometer.storage.dynamo import Table

HOUR_SECONDS = 3600


@frozen
class KeyActivity:
    """The last use of every key: the one thing that any request may write."""

    table: Table
    noted_hours: dict[str, int]
    """The hour in which this process last noted the use of each key."""

    def is_noted(self, key_id: str, now: datetime) -> bool:
        """Whether this process has noted the use of a key in this hour."""
        return self.noted_hours.get(key_id) == hour_of(now)

    def key_used(self, organization: str, key_id: str, now: datetime) -> None:
        """Note that a key was used in this hour, or go on without the note if storage fails."""
        if not self.is_noted(key_id, now):
            hour = hour_of(now)
            with suppress(Unavailable):
                self.table.put({"pk": organization, "sk": f"KEY#{key_id}", "used_at": hour})
                self.noted_hours[key_id] = hour

    def keys_used(self, organization: str) -> Mapping[str, datetime]:
        items = self.table.query(organization, "KEY#", "KEY#~")
        return dict(map(use_of, items))


@stored
def use_of(item: Mapping[str, Any]) -> tuple[str, datetime]:
    """A key, and the hour of its last use."""
    used_at = instant_at(int(str(item["used_at"])))
    return str(item["sk"]).removeprefix("KEY#"), used_at


def hour_of(now: datetime) -> int:
    return int(now.timestamp()) // HOUR_SECONDS * HOUR_SECONDS
