"""GET /insights/api/v3/public/usage-report/drilldown: the users of one product, most used first."""

from odometer.api.reports import Report
from odometer.api.usage_report import DrilldownQuery, drilldown, endpoint
from odometer.storage.usage import Usage


@endpoint("/drilldown")
def handler(query: DrilldownQuery, usage: Usage) -> Report:
    """Answer with a page of the ranking."""
    return drilldown(query, usage)
