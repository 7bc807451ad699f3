"""GET /api/v1/organization/account-utilizations: accounts and active users, month by month."""

from odometer.api.usage_metrics.family import usage_metrics
from odometer.api.usage_metrics.usage import account_utilizations

handler = usage_metrics("/organization/account-utilizations", organization="organizationId")(
    account_utilizations
)
