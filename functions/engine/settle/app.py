"""Settle, on a schedule: write what was folded where readings find it, and show it."""

from datetime import datetime

from odometer.api.bells import scheduled
from odometer.storage.engine import Engine


@scheduled
def handler(engine: Engine, organization: str, now: datetime) -> None:
    """Settle until nothing is left, and begin a rebuild where too much came late."""
    engine.settle(organization, now)
