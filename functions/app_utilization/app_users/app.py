"""GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users: the users of one app."""

from odometer.api.app_utilization.apps import AppUsersAnswer, AppUsersQuery, app_users
from odometer.api.app_utilization.family import app_utilization
from odometer.directory.people import Product
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.endpoint import app
from odometer.web.report import Report


@app_utilization("/analytics/apps/{app_id}/utilization/users", about=app("app_id"))
def handler(
    query: AppUsersQuery, chain: Chain, product: Product, usage: Usage
) -> Report[AppUsersAnswer]:
    return app_users(query, product, usage, chain)
