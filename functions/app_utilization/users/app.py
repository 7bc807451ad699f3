"""GET /v2/clients/{client_id}/users: the users of the client."""

from odometer.api.app_utilization.family import app_utilization
from odometer.api.app_utilization.users import users

handler = app_utilization("/users")(users)
