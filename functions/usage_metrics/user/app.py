"""GET /api/v1/user/{user_id}: one user and their team."""

from odometer.access.policy import READ_PERSON
from odometer.api.usage_metrics.answers import UserWithTeam
from odometer.api.usage_metrics.family import usage_metrics
from odometer.directory.people import User
from odometer.directory.snapshot import Directory
from odometer.web.endpoint import user


@usage_metrics("/user/{user_id}", may=READ_PERSON, about=user("user_id"))
def handler(user: User, directory: Directory) -> UserWithTeam:
    team = None if user.team is None else directory.teams[user.team]
    return UserWithTeam.of(directory.organization, user, team)
