"""Whom a request is about: a team, a user or an app that its path or its query names."""

from collections.abc import Callable
from dataclasses import dataclass

from odometer.access.policy import Target
from odometer.directory.people import Product, Team, User
from odometer.directory.snapshot import Directory
from odometer.web.messages import Request

Found = Product | Team | User | None


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a request is about, named by a parameter of its path or of its query."""

    parameter: str
    find: Callable[[Directory, str], Found]

    def given(self, request: Request) -> str | None:
        """The name that was sent; a parameter sent twice names nobody."""
        values = request.query.get(self.parameter, [])
        return request.parameters.get(self.parameter, values[0] if len(values) == 1 else None)


def team(parameter: str) -> Named:
    """The request is about the team of that id."""
    return Named(parameter, Directory.team_by_id)


def user(parameter: str) -> Named:
    """The request is about the user of that id."""
    return Named(parameter, Directory.user_by_id)


def app(parameter: str) -> Named:
    """The request is about the app of that id."""
    return Named(parameter, Directory.app_by_id)


def target_of(found: Found) -> Target | None:
    """What the policy asks of a team or a user."""
    match found:
        case Team():
            return Target(team=found.ordinal)
        case User():
            return Target(team=found.team, user=found.ordinal)
    return None
