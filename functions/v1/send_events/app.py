"""POST /v1/events: take one event of use, or a batch; durable when answered, counted once."""

from datetime import datetime

from odometer.access.policy import SEND_EVENTS, Caller
from odometer.api.v1.events import accept
from odometer.directory.snapshot import Directory
from odometer.storage.log import EventLog
from odometer.web.endpoint import endpoint
from odometer.web.family import ENVELOPE
from odometer.web.messages import Request, Response


@endpoint(ENVELOPE, "POST", "/v1/events", may=SEND_EVENTS)
def handler(
    request: Request, caller: Caller, directory: Directory, door: EventLog, now: datetime
) -> Response:
    """Answer with how many events count and why the others do not."""
    return accept(request, caller, directory, door, now)
