"""What a person can be: words that the directory, access and the reports share."""

from enum import StrEnum

from odometer.domain.frozen import frozen


class Role(StrEnum):
    """What a user is in the organization."""

    ADMIN = "Admin"
    MANAGER = "Manager"
    TEAM_LEAD = "TeamLead"
    MEMBER = "Member"


class State(StrEnum):
    """Where a user stands with the organization."""

    INVITED = "invited"
    REGISTERED = "registered"
    DEACTIVATED = "deactivated"


class UserType(StrEnum):
    """Whether a user is a person or a machine."""

    ACCOUNT = "account-user"
    SERVICE = "service-user"


@frozen
class KeyOwner:
    """What authentication asks about the user who owns a key."""

    id: str
    username: str
    role: Role
    state: State
    team: int | None
