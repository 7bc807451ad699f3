"""GET /api/v1/organization/users: users in a team or in none, registered or deactivated."""

from odometer.api.usage_metrics.answers import ListedUser, UserList, by_name
from odometer.api.usage_metrics.family import UserFilter, usage_metrics
from odometer.directory.snapshot import Directory
from odometer.web.report import Report


@usage_metrics("/organization/users")
def handler(query: UserFilter, directory: Directory) -> Report[UserList]:
    users = by_name(filter(query.matches, directory.users))
    return UserList.report(query, users, ListedUser.of, narrowed_by=("teamMember", "active"))
