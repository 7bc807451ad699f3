"""GET /insights/api/v3/public/usage-report/summary: the totals of every product."""

from odometer.api.reports import Report
from odometer.api.usage_report import SummaryQuery, endpoint, summary
from odometer.storage.usage import Usage


@endpoint("/summary")
def handler(query: SummaryQuery, usage: Usage) -> Report:
    """Answer with what the users of one type have used of each product."""
    return summary(query, usage)
