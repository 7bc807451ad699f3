"""Fold: decide which accepted events count. Rung by the log's stream; swept once a minute."""

from collections.abc import Sequence
from datetime import datetime

from odometer.api.bells import rung_by_the_log
from odometer.readings.shelf import Item
from odometer.storage.engine import Engine


@rung_by_the_log
def handler(
    engine: Engine, organization: str, entries: Sequence[Item] | None, now: datetime
) -> None:
    """Fold what was just accepted, or whatever no bell has brought."""
    if entries is None:
        engine.sweep(organization, now)
    else:
        engine.ring(organization, entries, now)
