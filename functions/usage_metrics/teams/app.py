"""GET /api/v1/organization/teams: the teams of the organization, by name."""

from odometer.api.usage_metrics.answers import ListedTeam, TeamList, by_name
from odometer.api.usage_metrics.family import OptionalPage, usage_metrics
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.web.report import Report


@usage_metrics("/organization/teams")
def handler(query: OptionalPage, directory: Directory) -> Report[TeamList]:
    sizes = directory.team_sizes

    def row(team: Team) -> ListedTeam:
        counted = sizes[team.ordinal]
        return ListedTeam.showing(team, users_count=counted, is_default_team=team.is_default)

    return TeamList.report(query, by_name(directory.teams), row)
