"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/activity: the course of one app."""

from odometer.api.app_utilization import endpoint
from odometer.api.apps import AppActivityQuery, app_activity
from odometer.api.reports import Report
from odometer.api.subjects import app
from odometer.directory.people import Product
from odometer.directory.snapshot import Directory
from odometer.storage.usage import Usage


@endpoint("/analytics/apps/{app_id}/activity", about=app("app_id"))
def handler(
    query: AppActivityQuery, product: Product, usage: Usage, directory: Directory
) -> Report:
    """Answer with the course of one app."""
    return app_activity(query, product, usage, directory)
