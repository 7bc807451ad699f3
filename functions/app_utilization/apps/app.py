"""GET /v2/clients/{client_id}/analytics/apps/utilization: the apps of the client, ranked."""

from odometer.api.app_utilization.apps import AppsQuery, apps
from odometer.api.app_utilization.family import endpoint
from odometer.services.usage import Usage
from odometer.web.cursors import Chain
from odometer.web.report import Report


@endpoint("/analytics/apps/utilization")
def handler(query: AppsQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with a page of the ranking."""
    return apps(query, usage, chain)
