"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users: the users of one app."""

from odometer.api.app_utilization.apps import app_users
from odometer.api.app_utilization.family import app_utilization
from odometer.web.endpoint import app

handler = app_utilization("/analytics/apps/{app_id}/utilization/users", about=app("app_id"))(
    app_users
)
