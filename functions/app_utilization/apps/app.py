"""GET /v2/clients/{client_id}/analytics/apps/utilization: the apps of the client, ranked."""

from odometer.api.app_utilization.apps import AppsAnswer, AppsQuery, apps
from odometer.api.app_utilization.family import app_utilization
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.report import Report


@app_utilization("/analytics/apps/utilization")
def handler(query: AppsQuery, chain: Chain, usage: Usage) -> Report[AppsAnswer]:
    return apps(query, usage, chain)
