"""GET /insights/api/v3/public/usage-report/summary: the totals of every product."""

from odometer.api.usage_report.family import SummaryQuery, usage_report
from odometer.api.usage_report.usage import SummaryAnswer, summary
from odometer.services.usage import Usage
from odometer.web.report import Report


@usage_report("/summary")
def handler(query: SummaryQuery, usage: Usage) -> Report[SummaryAnswer]:
    return summary(query, usage)
