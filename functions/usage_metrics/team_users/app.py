"""GET /api/v1/team/{teamId}/users: the users of one team, by name."""

from odometer.access.policy import READ_TEAM
from odometer.api.usage_metrics.answers import ListedUser, UserList, by_name
from odometer.api.usage_metrics.family import Page, usage_metrics
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.web.endpoint import team
from odometer.web.report import Report


@usage_metrics("/team/{teamId}/users", may=READ_TEAM, about=team("teamId"))
def handler(query: Page, team: Team, directory: Directory) -> Report[UserList]:
    """Answer with a page of the users who are in the team now, whatever their state."""
    members = by_name(user for user in directory.users if user.team == team.ordinal)
    return UserList.report(query, members, ListedUser.of)
