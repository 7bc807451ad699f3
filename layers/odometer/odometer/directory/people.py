"""The members of a directory as values: organization, license, teams, departments, users."""

from dataclasses import field
from datetime import datetime
from typing import Any

from odometer.domain.acts import USUAL_TRAIL_DAYS
from odometer.domain.frozen import frozen
from odometer.domain.people import Role, State, UserType


@frozen
class Organization:
    """A tenant."""

    id: str
    name: str
    time_zone: str = "UTC"
    domains: list[str] = field(default_factory=list)
    plan_type: str = "standard"
    public_key: str = ""
    saml_enabled: bool = False
    smtp_configured: bool = False
    username_password_enabled: bool = True
    retention_years: int = 3
    created_at: int = 0
    lanes: int = 1
    """Logs that events are spread over: more than one where one writer cannot keep up."""
    trail_days: int = USUAL_TRAIL_DAYS
    """So long the trail keeps what is done from now on."""

    def first_kept(self, now: datetime) -> int:
        """The first year of which usage is kept."""
        return now.year - self.retention_years + 1


@frozen
class License:
    """What the organization has bought."""

    exp: int
    iat: int
    seats: int
    seats_cap: int
    audience: str = ""
    features: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


@frozen
class Team:
    """A team; every user is in one at most."""

    ordinal: int
    id: str
    name: str
    is_default: bool


@frozen
class Department:
    """A department; a user may be in several."""

    ordinal: int
    id: str
    name: str


@frozen
class Product:
    """Something whose use is measured."""

    ordinal: int
    id: str
    name: str
    kind: str


def default_email(username: str) -> str | None:
    """The e-mail address of a user who was given none: the username, if it has an @."""
    return username if "@" in username else None


@frozen
class User:
    """A user as the directory knows them; instants are in ms."""

    ordinal: int
    id: str
    username: str
    user_key: str
    email: str
    """Empty where nobody knows one."""
    type: UserType
    role: Role
    state: State
    team: int | None
    departments: list[int]
    verified: bool
    created_at: int
    state_since: int
    updated_at: int

    def __post_init__(self) -> None:
        """Fill in the e-mail address that an older row may lack."""
        if not self.email:
            object.__setattr__(self, "email", default_email(self.username) or "")

    @property
    def deactivated_at(self) -> int | None:
        return self.state_since if self.state == State.DEACTIVATED else None
