"""GET /v2/clients/{client_id}/users: the users of the client."""

from odometer.api.app_utilization.family import app_utilization
from odometer.api.app_utilization.users import UsersAnswer, UsersQuery, users
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.report import Report


@app_utilization("/users")
def handler(query: UsersQuery, chain: Chain, usage: Usage) -> Report[UsersAnswer]:
    return users(query, usage, chain)
