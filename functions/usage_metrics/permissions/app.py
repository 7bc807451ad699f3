"""GET /api/v1/instance/permissions: everyone who holds a role."""

from odometer.api.usage_metrics.answers import Permissions, by_name
from odometer.api.usage_metrics.family import RoleFilter, usage_metrics
from odometer.directory.snapshot import Directory
from odometer.web.report import Report


@usage_metrics("/instance/permissions")
def handler(query: RoleFilter, directory: Directory) -> Report[Permissions]:
    holders = by_name(user for user in directory.users if user.role == query.role)
    return Permissions.report(holders, directory.organization.id)
