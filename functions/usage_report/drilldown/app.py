"""GET /insights/api/v3/public/usage-report/drilldown: the users of one product, most used first."""

from odometer.api.usage_report.family import usage_report
from odometer.api.usage_report.usage import drilldown

handler = usage_report("/drilldown")(drilldown)
