"""The activity table: when a key was last used, to the hour."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from odometer.domain.errors import Unavailable
from odometer.storage.dynamo import Table

GRAIN_SECONDS = 3600

_noted: dict[str, int] = {}
"""The hour in which this process last noted the use of each key."""


class KeyActivity:
    """Remembers the last use of keys; the one thing that every request may write."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def key_used(self, organization: str, key_id: str, now: datetime) -> None:
        """Note that a key was used in this hour; what cannot be noted is no reason to refuse."""
        hour = int(now.timestamp()) // GRAIN_SECONDS * GRAIN_SECONDS
        if _noted.get(key_id) != hour:
            with suppress(Unavailable):
                self.table.put({"pk": organization, "sk": f"KEY#{key_id}", "used_at": hour})
                _noted[key_id] = hour

    def keys_used(self, organization: str) -> Mapping[str, datetime]:
        """When each key of an organization was last used."""
        items = self.table.query(organization, "KEY#", "KEY#~")
        return {
            str(item["sk"]).removeprefix("KEY#"): datetime.fromtimestamp(
                int(str(item["used_at"])), UTC
            )
            for item in items
        }


def forget() -> None:
    """Forget which uses were noted, as a new process would."""
    _noted.clear()
