"""GET /api/v1/organization/teams: the teams of the organization, by name."""

from odometer.api.usage_metrics.answers import ListedTeam, TeamList, by_name
from odometer.api.usage_metrics.family import OptionalPage, usage_metrics
from odometer.directory.snapshot import Directory
from odometer.web.report import Report


@usage_metrics("/organization/teams")
def handler(query: OptionalPage, directory: Directory) -> Report[TeamList]:
    sizes = directory.team_sizes
    return TeamList.report(
        query, by_name(directory.teams), lambda team: ListedTeam.of(team, sizes[team.ordinal])
    )
