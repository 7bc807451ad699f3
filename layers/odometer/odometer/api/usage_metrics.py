"""The usage metrics API: its errors, parameters and answers, by their published names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Self, TypeVar, get_args

from pydantic import MISSING, Field, RootModel

from odometer.access.policy import Rule
from odometer.api.endpoint import Endpoint
from odometer.api.endpoint import endpoint as any_endpoint
from odometer.api.family import Family
from odometer.api.fields import Choice, Flag, Whole
from odometer.api.models import Answer, Query, Timestamp, names_of
from odometer.api.reports import Report
from odometer.api.subjects import Named
from odometer.api.wire import JSON, Request
from odometer.directory import people
from odometer.domain.errors import ForeignOrganization, Invalid, OdometerError
from odometer.domain.people import Role, State
from odometer.domain.time import format_seconds, instant_of_ms

LARGEST_PAGE = 1000

WORDS = {
    400: ("BAD_REQUEST", "Bad Request – Invalid or missing parameters."),
    401: ("UNAUTHORIZED", "Unauthorized – Invalid token."),
    403: ("FORBIDDEN", "Forbidden – User lacks permission."),
    404: ("NOT_FOUND", "Not Found – Resource not found."),
    405: ("METHOD_NOT_ALLOWED", "Method Not Allowed – Resource has other methods."),
    406: ("NOT_ACCEPTABLE", "Not Acceptable – No accepted content type can be answered."),
    409: ("CONFLICT", "Conflict – Differs from what is stored."),
    413: ("PAYLOAD_TOO_LARGE", "Payload Too Large – Ask for less at once."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type – Send JSON."),
    429: ("TOO_MANY_REQUESTS", "Too Many Requests – Try again in a moment."),
    500: ("INTERNAL_SERVER_ERROR", "Internal Server Error – Unexpected server error."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable – Try again in a moment."),
    504: ("GATEWAY_TIMEOUT", "Gateway Timeout – Ask for less at once."),
}
INVALID_ORGANIZATION = "Unauthorized – Invalid organization."


class UsageMetrics(Family):
    """Every fault of a request at once, as `parameter: what was expected`."""

    name = "usage_metrics"
    unfit = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The published error body."""
        word, message = WORDS[status]
        message = INVALID_ORGANIZATION if isinstance(error, ForeignOrganization) else message
        faults = error.faults if isinstance(error, Invalid) else ()
        return {
            "error": word,
            "message": message,
            "status": status,
            "requestId": request.id,
            "details": {"errors": [f"{fault.name}: {fault.message}" for fault in faults]},
        }


FAMILY = UsageMetrics()


def endpoint(
    path: str, *, may: Rule, about: Named | None = None
) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route of this family: all are GET."""
    return any_endpoint(FAMILY, "GET", path, may=may, about=about)


# parameters

OFFSET = "How many items to skip."
LIMIT = f"How many items to answer at most: {LARGEST_PAGE:,} for 0 and for anything above it."


class Page(Query):
    """A part of a list."""

    offset: Annotated[int, Whole(0, 2**63 - 1)] = Field(description=OFFSET)
    limit: Annotated[int, Whole(0, LARGEST_PAGE, clamped=True)] = Field(description=LIMIT)


class OptionalPage(Query):
    """A part of a list; without parameters, its beginning."""

    offset: Annotated[int, Whole(0, 2**63 - 1)] = Field(0, description=OFFSET)
    limit: Annotated[int, Whole(0, LARGEST_PAGE, clamped=True)] = Field(0, description=LIMIT)


class UserFilter(Page):
    """Which users of the organization: all, in a team or in none; registered or deactivated."""

    team_member: Annotated[bool, Flag()] | None = Field(
        None,
        alias="teamMember",
        description="Users in a team, or those in none; without it, all of them.",
    )
    active: Annotated[bool, Flag()] = Field(
        default=True, description="Registered users, or deactivated ones."
    )

    def matches(self, user: people.User) -> bool:
        """Whether a user is asked for; who is only invited is in neither list."""
        wanted = State.REGISTERED if self.active else State.DEACTIVATED
        in_team = user.team is not None
        return self.team_member in (None, in_team) and user.state == wanted


class RoleFilter(Query):
    """Users of one role."""

    role: Annotated[Role, Choice()] = Field(Role.ADMIN, description="The role that they hold.")


# answers


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

    @classmethod
    def of(cls, organization: people.Organization) -> "OrganizationAnswer":
        """The published part of an organization."""
        return cls(**{name: getattr(organization, name) for name in cls.model_fields})


class TeamRow(Answer):
    """A team in the list of teams."""

    id: str
    name: str
    users_count: int = Field(alias="usersCount")
    is_default_team: bool = Field(alias="isDefaultTeam")

    @classmethod
    def of(cls, team: people.Team, users_count: int) -> "TeamRow":
        """The published part of a team."""
        return cls(
            id=team.id, name=team.name, users_count=users_count, is_default_team=team.is_default
        )


class TeamAnswer(Answer):
    """A team."""

    id: str
    name: str


class UserRow(Answer):
    """A user in a list of users."""

    id: str
    username: str
    email: str
    role: Role
    verified: bool
    deactivated_at: Timestamp | None = Field(alias="deactivatedAt")
    updated_at: Timestamp = Field(alias="updatedAt")

    @classmethod
    def of(cls, user: people.User) -> "UserRow":
        """The published part of a user."""
        return cls(
            id=user.id,
            username=user.username,
            email=user.email,
            role=user.role,
            verified=user.verified,
            deactivated_at=None if user.deactivated_at is None else instant(user.deactivated_at),
            updated_at=instant(user.updated_at),
        )


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

    @classmethod
    def of(cls, license: people.License) -> "LicenseAnswer":  # noqa: A002  the word of the domain
        """The published part of a license."""
        names = LicenseDetails.model_fields
        return cls(license=LicenseDetails(**{name: getattr(license, name) for name in names}))


class Permission(Answer):
    """Someone who holds a role."""

    username: str
    organization_id: str = Field(alias="organizationId")

    @classmethod
    def of(cls, user: people.User, organization: str) -> "Permission":
        """Who holds the role, and where."""
        return cls(username=user.username, organization_id=organization)


class Permissions(RootModel[list[Permission]]):
    """Everyone who holds a role."""

    @classmethod
    def report(cls, holders: Iterable[people.User], organization: str) -> Report:
        """All of them, in either form."""
        rows = [Permission.of(holder, organization) for holder in holders]
        return Report(cls(rows), lambda: rows, columns=names_of(Permission), narrowed_by="role")


class UserDetails(Answer):
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


class UserAnswer(Answer):
    """A user and their team, if they have one."""

    user: UserDetails
    teams: UserTeam

    @classmethod
    def of(
        cls, organization: people.Organization, user: people.User, team: people.Team | None
    ) -> "UserAnswer":
        """The published part of a user."""
        details = UserDetails(
            organization_id=organization.id,
            user_id=user.id,
            email=user.email,
            role=user.role,
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
        """Where a page ends, and whether more follows."""
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
    def page(
        cls, page: Page | OptionalPage, members: Sequence[Member], row: Callable[[Member], Row]
    ) -> Self:
        """The part of the members that the page asks for."""
        here = members[page.offset :][: page.limit or LARGEST_PAGE]
        meta = Meta.of(page, len(here), len(members))
        return cls(data=[row(member) for member in here], meta=meta)

    @classmethod
    def report(
        cls,
        page: Page | OptionalPage,
        members: Sequence[Member],
        row: Callable[[Member], Row],
        narrowed_by: str = "",
    ) -> Report:
        """The part that the page asks for as JSON, all of the list as lines."""
        (published,) = get_args(cls.model_fields["data"].annotation)
        return Report(
            cls.page(page, members, row),
            lambda: map(row, members),
            columns=names_of(published),
            narrowed_by=narrowed_by,
        )


class TeamList(Listing[TeamRow]):
    """A part of the teams."""


class UserList(Listing[UserRow]):
    """A part of some users."""


def by_name(members: Iterable[Member]) -> list[Member]:
    """Teams by name, users by username, then by id."""
    return sorted(members, key=lambda each: (getattr(each, "username", None) or each.name, each.id))  # type: ignore[attr-defined]


def instant(milliseconds: int) -> Timestamp:
    """An instant as it is published."""
    return format_seconds(instant_of_ms(milliseconds))
