"""Rebuild, on a schedule: make frames again beside the old ones, until readers see the new."""

from datetime import datetime

from odometer.services.engine import Engine
from odometer.triggers import on_schedule


@on_schedule
def handler(engine: Engine, organization: str, now: datetime) -> bool:
    """Take the rebuild that is on its way one step further; whether there was one."""
    return engine.rebuild(organization, now)
