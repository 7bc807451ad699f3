"""GET /api/v1/team/usage: what the users of a team did, in blocks of time."""

from odometer.access.policy import READ_TEAM
from odometer.api.usage_metrics.family import TeamUsageQuery, usage_metrics
from odometer.api.usage_metrics.usage import TeamUsageAnswer, usage_over_time
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.services.groups import team_members
from odometer.services.usage import Usage
from odometer.web.endpoint import team
from odometer.web.report import Report


@usage_metrics("/team/usage", may=READ_TEAM, about=team("teamId"), organization="organizationId")
def handler(
    query: TeamUsageQuery, team: Team, directory: Directory, usage: Usage
) -> Report[TeamUsageAnswer]:
    """Answer with the usage of the users who are in the team now, whatever their state."""
    users, members = directory.users_of_team(team.ordinal), team_members(directory, team.ordinal)
    return usage_over_time(TeamUsageAnswer, query, usage, users, members)
