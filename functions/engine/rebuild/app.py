"""Rebuild, on a schedule: make frames again beside the old ones, a step at a time."""

from datetime import datetime

from odometer.api.bells import scheduled
from odometer.storage.engine import Engine


@scheduled
def handler(engine: Engine, organization: str, now: datetime) -> None:
    """Take the rebuild that is on its way one step further."""
    engine.rebuild(organization, now)
