"""Audit, twice a day: nothing that was accepted is missing, and nothing lies parked."""

from datetime import datetime

from odometer.services.engine import Engine
from odometer.triggers import on_schedule, report_audit


@on_schedule
def handler(engine: Engine, organization: str, now: datetime) -> None:
    report_audit(organization, engine.audit(organization, now))
