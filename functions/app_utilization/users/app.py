"""GET /v2/clients/{client_id}/users: the users of the client."""

from odometer.api.app_utilization import endpoint
from odometer.api.cursors import Chain
from odometer.api.people import UsersQuery, users
from odometer.api.reports import Report
from odometer.storage.usage import Usage


@endpoint("/users")
def handler(query: UsersQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with a page of the users."""
    return users(query, usage, chain)
