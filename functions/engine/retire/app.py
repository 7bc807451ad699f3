"""Retire, once a day: remove replaced frames, and the years that an organization does not keep."""

from datetime import datetime

from odometer.services.engine import Engine
from odometer.triggers import on_schedule


@on_schedule
def handler(engine: Engine, organization: str, now: datetime) -> None:
    engine.retire(organization, now)
