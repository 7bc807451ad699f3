"""GET /insights/api/v3/public/usage-report/summary: the totals of every product."""

from odometer.api.usage_report.family import usage_report
from odometer.api.usage_report.usage import summary

handler = usage_report("/summary")(summary)
