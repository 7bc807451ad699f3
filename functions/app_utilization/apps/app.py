"""GET /v2/clients/{client_id}/analytics/apps/utilization: the apps of the client, ranked."""

from odometer.api.app_utilization.apps import apps
from odometer.api.app_utilization.family import app_utilization

handler = app_utilization("/analytics/apps/utilization")(apps)
