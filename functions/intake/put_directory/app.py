"""PUT /v1/directory: create and change members of the organization, row by row, all at once."""

from datetime import datetime

from odometer.access.policy import WRITE_DIRECTORY, Caller
from odometer.api.directory import Results, rows_sent, taken
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.exchange import Deadline
from odometer.api.wire import Request
from odometer.storage.tenancy import Tenancy


@endpoint(ENVELOPE, "PUT", "/v1/directory", may=WRITE_DIRECTORY)
def handler(
    request: Request, caller: Caller, tenancy: Tenancy, now: datetime, deadline: Deadline
) -> Results:
    """Answer with what became of each row."""
    rows = rows_sent(request)
    return tenancy.change(caller.organization, now, lambda draft: taken(draft, rows, deadline))
