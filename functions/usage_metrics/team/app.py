"""GET /api/v1/team/{teamId}: one team."""

from odometer.access.policy import READ_OWN_TEAM
from odometer.api.usage_metrics.answers import TeamAnswer
from odometer.api.usage_metrics.family import usage_metrics
from odometer.directory.people import Team
from odometer.web.endpoint import team


@usage_metrics("/team/{teamId}", may=READ_OWN_TEAM, about=team("teamId"))
def handler(team: Team) -> TeamAnswer:
    return TeamAnswer.showing(team)
