"""Organizations, teams, users and licenses, as the usage metrics API publishes them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Self, TypeVar, get_args

from pydantic import MISSING, Field, RootModel

from odometer.api.usage_metrics.family import LARGEST_PAGE, OptionalPage, Page
from odometer.directory import people
from odometer.domain.people import Role
from odometer.domain.time import format_seconds, instant_of_ms
from odometer.web.models import Answer, Timestamp, parameter_names
from odometer.web.report import Report


class OrganizationAnswer(Answer):
    """An organization."""

    id: str
    name: str
    public_key: str = Field(alias="publicKey")
    saml_enabled: bool = Field(alias="samlEnabled")
    smtp_configured: bool = Field(alias="smtpConfigured")
    username_password_enabled: bool = Field(alias="usernamePasswordEnabled")
    domains: list[str]
    plan_type: str = Field(alias="planType")


class ListedTeam(Answer):
    """A team in the list of teams."""

    id: str
    name: str
    users_count: int = Field(alias="usersCount")
    is_default_team: bool = Field(alias="isDefaultTeam")


class TeamAnswer(Answer):
    """A team."""

    id: str
    name: str


class ListedUser(Answer):
    """A user in a list of users."""

    id: str
    username: str
    email: str
    role: Role
    verified: bool
    deactivated_at: Timestamp | None = Field(alias="deactivatedAt")
    updated_at: Timestamp = Field(alias="updatedAt")

    @classmethod
    def of(cls, user: people.User) -> "ListedUser":
        left = None if user.deactivated_at is None else instant(user.deactivated_at)
        return cls.showing(user, deactivated_at=left, updated_at=instant(user.updated_at))


class LicenseDetails(Answer):
    """What the organization has bought."""

    exp: int
    iat: int
    seats: int
    seats_cap: int = Field(alias="seatsCap")
    audience: str
    features: list[str]
    settings: dict[str, Any]


class LicenseAnswer(Answer):
    """The license."""

    license: LicenseDetails


class Permission(Answer):
    """Someone who holds a role."""

    username: str
    organization_id: str = Field(alias="organizationId")


class Permissions(RootModel[list[Permission]]):
    """Everyone who holds a role."""

    @classmethod
    def report(cls, holders: Iterable[people.User], organization: str) -> "Report[Permissions]":
        rows = [
            Permission(username=each.username, organization_id=organization) for each in holders
        ]
        return Report(
            cls(rows), lambda: rows, columns=parameter_names(Permission), narrowed_by=("role",)
        )


class UserOfTeam(Answer):
    """A user, by the names of this endpoint."""

    organization_id: str
    user_id: str
    email: str
    role: Role
    created_at: Timestamp = Field(alias="createdAt")
    updated_at: Timestamp = Field(alias="updatedAt")


class UserTeam(Answer):
    """The one team of a user; empty without one."""

    team_id: str | MISSING = MISSING
    team_name: str | MISSING = MISSING


class UserWithTeam(Answer):
    """A user and their team, if they have one."""

    user: UserOfTeam
    teams: UserTeam

    @classmethod
    def of(
        cls, organization: people.Organization, user: people.User, team: people.Team | None
    ) -> "UserWithTeam":
        details = UserOfTeam.showing(
            user,
            organization_id=organization.id,
            user_id=user.id,
            created_at=instant(user.created_at),
            updated_at=instant(user.updated_at),
        )
        teams = UserTeam(team_id=team.id, team_name=team.name) if team else UserTeam()
        return cls(user=details, teams=teams)


class NextPage(Answer):
    """How to ask for the rows that follow."""

    limit: int
    offset: int


class Meta(Answer):
    """How many rows are here, how many in all, and how to go on."""

    count: int
    total: int
    next: NextPage | None

    @classmethod
    def of(cls, page: Page | OptionalPage, count: int, total: int) -> "Meta":
        end = page.offset + count
        more = count > 0 and end < total
        following = NextPage(limit=page.limit or LARGEST_PAGE, offset=end) if more else None
        return cls(count=count, total=total, next=following)


Row = TypeVar("Row", bound=Answer)
Member = TypeVar("Member")


class Listing(Answer, Generic[Row]):
    """A part of a list."""

    data: list[Row]
    meta: Meta

    @classmethod
    def report(
        cls,
        page: Page | OptionalPage,
        members: Sequence[Member],
        row: Callable[[Member], Row],
        narrowed_by: Sequence[str] = (),
    ) -> Report[Self]:
        here = members[page.offset :][: page.limit or LARGEST_PAGE]
        meta = Meta.of(page, len(here), len(members))
        (published,) = get_args(cls.model_fields["data"].annotation)
        return Report(
            cls(data=[row(member) for member in here], meta=meta),
            lambda: map(row, members),
            columns=parameter_names(published),
            narrowed_by=narrowed_by,
        )


class TeamList(Listing[ListedTeam]):
    """A part of the teams."""


class UserList(Listing[ListedUser]):
    """A part of some users."""


def by_name(members: Iterable[Member]) -> list[Member]:
    return sorted(members, key=lambda each: (getattr(each, "username", None) or each.name, each.id))  # type: ignore[attr-defined]


def instant(milliseconds: int) -> Timestamp:
    return format_seconds(instant_of_ms(milliseconds))
