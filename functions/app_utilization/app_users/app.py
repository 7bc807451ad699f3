"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users: the users of one app."""

from odometer.api.app_utilization import endpoint
from odometer.api.apps import AppUsersQuery, app_users
from odometer.api.cursors import Chain
from odometer.api.reports import Report
from odometer.api.subjects import app
from odometer.directory.people import Product
from odometer.storage.usage import Usage


@endpoint("/analytics/apps/{app_id}/utilization/users", about=app("app_id"))
def handler(query: AppUsersQuery, chain: Chain, product: Product, usage: Usage) -> Report:
    """Answer with a page of the ranking."""
    return app_users(query, product, usage, chain)
