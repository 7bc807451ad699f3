"""Work: take one step of one organization, the most urgent one, for each message of the queue."""

from datetime import datetime

from odometer.services.work import Step, Work
from odometer.triggers import on_messages


@on_messages
def handler(work: Work, name: str, now: datetime, again: bool) -> Step | None:  # noqa: FBT001
    return work.step(name, now, again=again)
