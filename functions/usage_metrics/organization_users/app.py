"""GET /api/v1/organization/users: users in a team or in none, registered or deactivated."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.reports import Report
from odometer.api.usage_metrics import UserFilter, UserList, UserRow, by_name, endpoint
from odometer.directory.snapshot import Directory


@endpoint("/api/v1/organization/users", may=READ_ORGANIZATION)
def handler(query: UserFilter, directory: Directory) -> Report:
    """Answer with a page of the users that the query asks for, by name."""
    users = by_name(filter(query.matches, directory.users))
    return UserList.report(query, users, UserRow.of, narrowed_by="teamMember, active")
