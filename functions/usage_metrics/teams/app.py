"""GET /api/v1/organization/teams: the teams of the organization, by name."""

from odometer.access.policy import READ_ORGANIZATION
from odometer.api.reports import Report
from odometer.api.usage_metrics import OptionalPage, TeamList, TeamRow, by_name, endpoint
from odometer.directory.snapshot import Directory


@endpoint("/api/v1/organization/teams", may=READ_ORGANIZATION)
def handler(query: OptionalPage, directory: Directory) -> Report:
    """Answer with a page of teams and how many users each has."""
    sizes = directory.team_sizes
    return TeamList.report(
        query, by_name(directory.teams), lambda team: TeamRow.of(team, sizes[team.ordinal])
    )
