"""POST /v1/events: take one event of use, or a batch; durable when answered, counted once."""

from datetime import datetime

from odometer.access.policy import SEND_EVENTS, Caller
from odometer.api.v1.events import ReceiptAnswer, SentEvents, accept
from odometer.api.v1.family import v1
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Conflict
from odometer.storage.log import EventLog


@v1("/events", "POST", may=SEND_EVENTS, status=202, raises=(Conflict,))
def handler(
    request: SentEvents, caller: Caller, directory: Directory, log: EventLog, now: datetime
) -> ReceiptAnswer:
    return accept(request, caller, directory, log, now)
