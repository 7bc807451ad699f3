"""The activity table: what all processes have counted of an organization in a window."""

from collections.abc import Mapping
from typing import Any

from odometer.access.limits import WINDOW_SECONDS, Asked, Load
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.storage.dynamo import Table

KEPT_SECONDS = 60 * WINDOW_SECONDS


@frozen
class SharedLoads:
    """Adds up counts."""

    table: Table

    def share(self, organization: str, asked: Asked, window: int, load: Load) -> None:
        """Add what this process has counted, and learn what all have."""
        taken = load.take()
        until = window + KEPT_SECONDS
        try:
            item = self.table.add(organization, load_key(asked, window), taken, ttl=until)
        except BaseException:
            load.add(taken)  # it is shared with the next request
            raise
        load.shared = counts_in(item)


@stored
def counts_in(item: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(str(item[name])) for name in item.keys() - {"pk", "sk", "ttl"}}


def load_key(asked: Asked, window: int) -> str:
    return f"LOAD#{asked}#{window}"
