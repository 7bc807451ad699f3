"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/activity: one app over time."""

from odometer.api.app_utilization.apps import (
    AppActivityAnswer,
    AppActivityQuery,
    app_activity,
)
from odometer.api.app_utilization.family import app_utilization
from odometer.directory.people import Product
from odometer.directory.snapshot import Directory
from odometer.services.usage import Usage
from odometer.web.endpoint import app
from odometer.web.report import Report


@app_utilization("/analytics/apps/{app_id}/activity", about=app("app_id"))
def handler(
    query: AppActivityQuery, product: Product, usage: Usage, directory: Directory
) -> Report[AppActivityAnswer]:
    return app_activity(query, product, usage, directory)
