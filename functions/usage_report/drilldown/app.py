"""GET /insights/api/v3/public/usage-report/drilldown: the users of one product, most used first."""

from odometer.api.usage_report.family import endpoint
from odometer.api.usage_report.parameters import DrilldownQuery
from odometer.api.usage_report.usage import drilldown
from odometer.services.usage import Usage
from odometer.web.report import Report


@endpoint("/drilldown")
def handler(query: DrilldownQuery, usage: Usage) -> Report:
    """Answer with a page of the ranking."""
    return drilldown(query, usage)
