"""DELETE /v1/users/{user_id}: forget a person for good; what they used stays in every total."""

from datetime import datetime

from odometer.access.policy import WRITE_DIRECTORY, Caller
from odometer.api.directory import UserPath
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.storage.erasure import erase
from odometer.storage.tenancy import Tenancy


@endpoint(ENVELOPE, "DELETE", "/v1/users/{user_id}", may=WRITE_DIRECTORY)
def handler(query: UserPath, caller: Caller, tenancy: Tenancy, now: datetime) -> None:
    """Erase the user; there is nothing to answer."""
    erase(tenancy, caller.organization, query.user_id, now)
