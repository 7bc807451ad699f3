"""Settle, on a schedule: write what was folded where readings find it, and show it."""

from datetime import datetime

from odometer.services.engine import Engine
from odometer.triggers import on_schedule


@on_schedule
def handler(engine: Engine, organization: str, now: datetime) -> None:
    engine.settle(organization, now)
