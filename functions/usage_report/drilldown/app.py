"""GET /insights/api/v3/public/usage-report/drilldown: the users of one product, most used first."""

from odometer.api.usage_report.family import DrilldownQuery, usage_report
from odometer.api.usage_report.usage import DrilldownAnswer, drilldown
from odometer.services.usage import Usage
from odometer.web.report import Report


@usage_report("/drilldown")
def handler(query: DrilldownQuery, usage: Usage) -> Report[DrilldownAnswer]:
    return drilldown(query, usage)
