"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/activity: one app over time."""

from odometer.api.app_utilization.apps import app_activity
from odometer.api.app_utilization.family import app_utilization
from odometer.web.endpoint import app

handler = app_utilization("/analytics/apps/{app_id}/activity", about=app("app_id"))(app_activity)
