"""GET /api/v1/team/{teamId}/users: the users of one team, by name."""

from odometer.access.policy import READ_TEAM
from odometer.api.reports import Report
from odometer.api.subjects import team
from odometer.api.usage_metrics import Page, UserList, UserRow, by_name, endpoint
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory


@endpoint("/api/v1/team/{teamId}/users", may=READ_TEAM, about=team("teamId"))
def handler(query: Page, team: Team, directory: Directory) -> Report:
    """Answer with a page of the users who are in the team now, whatever their state."""
    members = by_name(user for user in directory.users if user.team == team.ordinal)
    return UserList.report(query, members, UserRow.of)
