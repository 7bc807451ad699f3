"""GET /api/v1/user/usage: what one user did, in blocks of time."""

from odometer.access.policy import READ_PERSON
from odometer.api.usage_metrics.family import UserUsageQuery, usage_metrics
from odometer.api.usage_metrics.usage import UserUsageAnswer, usage_over_time
from odometer.directory.people import User
from odometer.services.usage import Usage
from odometer.web.endpoint import user
from odometer.web.report import Report


@usage_metrics("/user/usage", may=READ_PERSON, about=user("userId"), organization="organizationId")
def handler(query: UserUsageQuery, user: User, usage: Usage) -> Report[UserUsageAnswer]:
    return usage_over_time(UserUsageAnswer, query, usage, {user.ordinal})
