"""GET /api/v1/organization/account-utilizations: accounts and active users, month by month."""

from datetime import datetime

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.reports import Report
from odometer.api.usage_series import MonthsQuery, account_utilizations, endpoint
from odometer.directory.snapshot import Directory
from odometer.storage.usage import Usage


@endpoint("/api/v1/organization/account-utilizations", may=READ_ORGANIZATION)
def handler(query: MonthsQuery, directory: Directory, usage: Usage, now: datetime) -> Report:
    """Answer with every month up to the present one, as of its end or as of now."""
    return account_utilizations(query, directory, usage, now)
