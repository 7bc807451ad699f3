"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization: the totals of one app."""

from odometer.api.app_utilization.apps import app_detail
from odometer.api.app_utilization.family import app_utilization
from odometer.web.endpoint import app

handler = app_utilization("/analytics/apps/{app_id}/utilization", about=app("app_id"))(app_detail)
