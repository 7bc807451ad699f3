"""GET /api/v1/user/usage: what one user did, in blocks of time."""

from odometer.access.policy import READ_PERSON
from odometer.api.reports import Report
from odometer.api.subjects import user
from odometer.api.usage_series import UserUsageQuery, endpoint, usage_over_time
from odometer.directory.people import User
from odometer.storage.usage import Usage


@endpoint("/api/v1/user/usage", may=READ_PERSON, about=user("userId"))
def handler(query: UserUsageQuery, user: User, usage: Usage) -> Report:
    """Answer with the usage of the user."""
    return usage_over_time(query, usage, {user.ordinal})
