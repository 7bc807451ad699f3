"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization: the totals of one app."""

from odometer.api.app_utilization.apps import AppDetailAnswer, AppDetailQuery, app_detail
from odometer.api.app_utilization.family import app_utilization
from odometer.directory.people import Product
from odometer.directory.snapshot import Directory
from odometer.services.usage import Usage
from odometer.web.endpoint import app
from odometer.web.report import Report


@app_utilization("/analytics/apps/{app_id}/utilization", about=app("app_id"))
def handler(
    query: AppDetailQuery, product: Product, usage: Usage, directory: Directory
) -> Report[AppDetailAnswer]:
    return app_detail(query, product, usage, directory)
