"""Rebuild, on a schedule: make frames again beside the old ones, until readers see the new."""

from datetime import datetime

from odometer.api.bells import scheduled
from odometer.storage.engine import Engine


@scheduled
def handler(engine: Engine, organization: str, now: datetime) -> bool:
    """Take the rebuild that is on its way one step further; whether there was one."""
    return engine.rebuild(organization, now)
