"""POST /v1/events: take one event of use, or a batch; durable when answered, counted once."""

from datetime import datetime

from odometer.access.policy import SEND_EVENTS, Caller
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.events import accept
from odometer.api.wire import Request, Response
from odometer.directory.snapshot import Directory
from odometer.storage.acceptance import Acceptance


@endpoint(ENVELOPE, "POST", "/v1/events", may=SEND_EVENTS)
def handler(
    request: Request, caller: Caller, directory: Directory, door: Acceptance, now: datetime
) -> Response:
    """Answer with how many events count and why the others do not."""
    return accept(request, caller, directory, door, now)
