"""GET /api/v1/organization/usage: what everybody did, in blocks of time."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.reports import Report
from odometer.api.usage_series import OrganizationUsageQuery, endpoint, usage_over_time
from odometer.storage.usage import Usage


@endpoint("/api/v1/organization/usage", may=READ_ORGANIZATION)
def handler(query: OrganizationUsageQuery, usage: Usage) -> Report:
    """Answer with the usage of the organization."""
    return usage_over_time(query, usage)
