"""GET /api/v1/organization/usage: what everybody did, in blocks of time."""

from odometer.api.usage_metrics.family import OrganizationUsageQuery, usage_metrics
from odometer.api.usage_metrics.usage import OrganizationUsageAnswer, usage_over_time
from odometer.services.usage import Usage
from odometer.web.report import Report


@usage_metrics("/organization/usage", organization="organizationId")
def handler(query: OrganizationUsageQuery, usage: Usage) -> Report[OrganizationUsageAnswer]:
    return usage_over_time(OrganizationUsageAnswer, query, usage)
