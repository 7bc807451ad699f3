"""GET /api/v1/team/usage: what the users of a team did, in blocks of time."""

from odometer.access.policy import READ_TEAM
from odometer.api.reports import Report
from odometer.api.subjects import team
from odometer.api.usage_series import TeamUsageQuery, endpoint, usage_over_time
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.storage.usage import Usage


@endpoint("/api/v1/team/usage", may=READ_TEAM, about=team("teamId"))
def handler(query: TeamUsageQuery, team: Team, directory: Directory, usage: Usage) -> Report:
    """Answer with the usage of the users who are in the team now, whatever their state."""
    return usage_over_time(query, usage, directory.users_of_team(team.ordinal))
