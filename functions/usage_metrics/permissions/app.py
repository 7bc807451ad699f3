"""GET /api/v1/instance/permissions: everyone who holds a role."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.reports import Report
from odometer.api.usage_metrics import Permissions, RoleFilter, by_name, endpoint
from odometer.directory.snapshot import Directory


@endpoint("/api/v1/instance/permissions", may=READ_ORGANIZATION)
def handler(query: RoleFilter, directory: Directory) -> Report:
    """Answer with the users of the role, by name."""
    holders = by_name(user for user in directory.users if user.role == query.role)
    return Permissions.report(holders, directory.organization.id)
