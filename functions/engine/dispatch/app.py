"""Dispatch, every minute: send a message for each organization that has something to do."""

from datetime import datetime

from odometer.services.work import Work
from odometer.triggers import on_schedule, report_dispatch


@on_schedule
def handler(work: Work, now: datetime) -> None:
    report_dispatch(work.dispatch(now))
