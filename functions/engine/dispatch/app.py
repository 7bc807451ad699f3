"""Dispatch, every minute: send a message for each organization that has something to do."""

from datetime import datetime

from odometer.services.work import Dispatched, Work
from odometer.triggers import on_schedule


@on_schedule
def handler(work: Work, now: datetime) -> Dispatched:
    return work.dispatch(now)
