"""GET /v2/clients/{client_id}/analytics/apps/utilization: the apps of the client, ranked."""

from odometer.api.app_utilization import endpoint
from odometer.api.apps import AppsQuery, apps
from odometer.api.cursors import Chain
from odometer.api.reports import Report
from odometer.storage.usage import Usage


@endpoint("/analytics/apps/utilization")
def handler(query: AppsQuery, chain: Chain, usage: Usage) -> Report:
    """Answer with a page of the ranking."""
    return apps(query, usage, chain)
