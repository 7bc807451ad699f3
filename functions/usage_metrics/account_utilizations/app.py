"""GET /api/v1/organization/account-utilizations: accounts and active users, month by month."""

from datetime import datetime

from odometer.api.usage_metrics.family import MonthsQuery, usage_metrics
from odometer.api.usage_metrics.usage import UtilizationMonths, account_utilizations
from odometer.directory.snapshot import Directory
from odometer.services.usage import Usage
from odometer.web.report import Report


@usage_metrics("/organization/account-utilizations", organization="organizationId")
def handler(
    query: MonthsQuery, directory: Directory, usage: Usage, now: datetime
) -> Report[UtilizationMonths]:
    """Answer with every month up to the present one, as of its end or as of now."""
    return account_utilizations(query, directory, usage, now)
