"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization: the totals of one app."""

from odometer.api.app_utilization import endpoint
from odometer.api.apps import AppDetailQuery, app_detail
from odometer.api.reports import Report
from odometer.api.subjects import app
from odometer.directory.people import Product
from odometer.directory.snapshot import Directory
from odometer.storage.usage import Usage


@endpoint("/analytics/apps/{app_id}/utilization", about=app("app_id"))
def handler(query: AppDetailQuery, product: Product, usage: Usage, directory: Directory) -> Report:
    """Answer with the totals of one app."""
    return app_detail(query, product, usage, directory)
