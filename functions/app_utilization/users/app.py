"""GET /v2/clients/{client_id}/users: the users of the client."""

from odometer.api.app_utilization.family import endpoint
from odometer.api.app_utilization.users import UsersQuery, users
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.report import Report


@endpoint("/users")
def handler(query: UsersQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with a page of the users."""
    return users(query, usage, chain)
