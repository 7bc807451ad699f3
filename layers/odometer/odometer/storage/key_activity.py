"""The activity table: when a key was last used, to the hour."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.domain.time import instant_at
from odometer.storage.dynamo import Table

HOUR_SECONDS = 3600
LAST = "~"
"""Above all ids of keys."""


class Uses(NamedTuple):
    """When keys were last used, all of them up to an id."""

    known: Mapping[str, datetime]
    through: str


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
                self.table.put({"pk": organization, "sk": activity_key(key_id), "used_at": hour})
                self.noted_hours[key_id] = hour

    def used_from(self, organization: str, first: str, most: int) -> Uses:
        """The last uses of the keys from an id on, and so many at most."""
        items = self.table.query(organization, activity_key(first), activity_key(LAST), limit=most)
        known = dict(map(use_of, items))
        return Uses(known, LAST if len(known) < most else max(known))

    def used(self, organization: str, key_ids: Iterable[str], uses: Uses) -> Mapping[str, datetime]:
        """The last uses of some keys; those that are not known are read by their ids.

        There are some only if keys that are gone have left their uses between the others.
        """
        unread = [(organization, activity_key(each)) for each in key_ids if each > uses.through]
        return {**uses.known, **dict(map(use_of, self.table.get_many(unread).values()))}


def activity_key(key_id: str) -> str:
    return f"KEY#{key_id}"


@stored
def use_of(item: Mapping[str, Any]) -> tuple[str, datetime]:
    """A key, and the hour of its last use."""
    used_at = instant_at(int(str(item["used_at"])))
    return str(item["sk"]).removeprefix("KEY#"), used_at


def hour_of(now: datetime) -> int:
    return int(now.timestamp()) // HOUR_SECONDS * HOUR_SECONDS
