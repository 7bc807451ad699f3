"""GET /api/v1/team/account-utilizations: the accounts of a team, as they stand now."""

from odometer.access.policy import READ_TEAM
from odometer.api.usage_metrics.family import TeamQuery, usage_metrics
from odometer.api.usage_metrics.usage import TeamUtilization
from odometer.directory.people import Team
from odometer.directory.snapshot import Directory
from odometer.domain.people import State
from odometer.web.endpoint import team
from odometer.web.report import Report


@usage_metrics("/team/account-utilizations", may=READ_TEAM, about=team("teamId"))
def handler(_: TeamQuery, team: Team, directory: Directory) -> Report[TeamUtilization]:
    states = directory.columns("users", "roster")["state"]
    held = [states[user] for user in directory.users_of_team(team.ordinal)]
    answer = TeamUtilization(**{state: held.count(state) for state in State})
    return Report(answer, lambda: [answer], narrowed_by=("teamId",))
