"""GET /api/v1/team/account-utilizations: the accounts of a team, as they stand now."""

from odometer.access.policy import READ_TEAM
from odometer.api.usage_metrics.family import TeamQuery, usage_metrics
from odometer.api.usage_metrics.usage import TeamUtilization, team_utilization
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.web.endpoint import team
from odometer.web.report import Report


@usage_metrics("/team/account-utilizations", may=READ_TEAM, about=team("teamId"))
def handler(_: TeamQuery, team: Team, directory: Directory) -> Report[TeamUtilization]:
    return team_utilization(team, directory)
