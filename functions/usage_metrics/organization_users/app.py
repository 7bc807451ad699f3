"""GET /api/v1/organization/users: users in a team or in none, registered or deactivated."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.usage_metrics import UserFilter, UserList, UserRow, by_name, endpoint
from odometer.directory.snapshot import Directory


@endpoint("/api/v1/organization/users", may=READ_ORGANIZATION)
def handler(query: UserFilter, directory: Directory) -> UserList:
    """Answer with a page of the users that the query asks for, by name."""
    return UserList.page(query, by_name(filter(query.matches, directory.users)), UserRow.of)
