"""Work: take one step of one organization, the most urgent one, for each message of the queue."""

from datetime import datetime

from odometer.services.work import Work
from odometer.triggers import on_messages, report_step


@on_messages
def handler(work: Work, organization: str, now: datetime, again: bool) -> None:  # noqa: FBT001
    report_step(organization, work.step(organization, now, again=again))
