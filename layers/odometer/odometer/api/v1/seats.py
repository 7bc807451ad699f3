"""Seats on the wire: who has one and does not use it."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator

from odometer.access.policy import Caller
from odometer.api.v1.asked import MOST_PRODUCTS, check_number, products_asked
from odometer.directory.people import User
from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound
from odometer.domain.people import State
from odometer.domain.text import as_kept
from odometer.domain.time import format_millis, format_seconds, instant_at, instant_of_ms
from odometer.reports.ranking import Direction, Ranking
from odometer.reports.seats import SeatCounts, SeatOrder, Seats, SeatStatus, chosen
from odometer.services.seats import SeatUsage
from odometer.services.usage import Usage
from odometer.web.cursors import (
    USERS_NAMED,
    Chain,
    CursorParameter,
    link_headers,
    next_cursor,
    restore_view,
)
from odometer.web.endpoint import Subjects
from odometer.web.fields import Choice, Text, Whole, refuse
from odometer.web.models import Answer, Strict, Timestamp
from odometer.web.report import Report

LONGEST_DAYS: Final = 366
LARGEST_PAGE: Final = 1000
LONGEST_NAMES: Final = 4_096
FAMILIES: Final = ("roster", "names", "profile")


class SeatsQuery(Strict):
    """Whose seats, what counts as use, and which of them are listed."""

    inactive_days: Annotated[int, Whole(1, LONGEST_DAYS)] = Field(
        30,
        description="Who has used nothing in so many days of the organization's calendar, today "
        "included, is inactive.",
    )
    product: Annotated[str, Text(LONGEST_NAMES)] | None = Field(
        None, description="Only the use of this product, or of several with commas between them."
    )
    kind: Annotated[str, Text(LONGEST_NAMES)] | None = Field(
        None, description="Only the use of all products of this kind, or of several kinds."
    )
    team: Annotated[str, Text(128)] | None = Field(
        None, description="Only users who are in this team now, by its id."
    )
    department: Annotated[str, Text(128)] | None = Field(
        None, description="Only users who are in this department now, by its id."
    )
    user: Annotated[str, Text(128)] | None = Field(None, description="Only this user, by id.")
    q: Annotated[str, Text(128, shortest=0)] = Field(
        "", description="List only users with this text in a name, in either case."
    )
    state: Annotated[State, Choice()] | None = Field(
        None,
        description="List only users in this state. Without `state` and `status`, those who are "
        "registered or invited.",
    )
    status: Annotated[SeatStatus, Choice()] | None = Field(
        None, description="List only seats with this status."
    )
    sort: Annotated[SeatOrder, Choice()] = Field(
        SeatOrder.LAST_ACTIVE, description="By what seats are sorted; equal ones by the user's id."
    )
    order: Annotated[Direction, Choice()] = Field(
        Direction.ASCENDING,
        description="Smallest first, or largest first. A seat that was never used is before all "
        "that were.",
    )
    limit: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(100, description="Seats on a page.")
    cursor: CursorParameter = None

    @field_validator("kind")
    @classmethod
    def _instead_of_products(cls, kind: str | None, earlier: ValidationInfo) -> str | None:
        if kind is not None and earlier.data.get("product") is not None:
            raise refuse("either", "product and kind exclude each other")
        return kind


class Group(Answer):
    """A team or a department."""

    id: str
    name: str


class SeatUser(Answer):
    """Who has a seat."""

    id: str
    username: str
    email: str
    team: Group | None
    departments: list[Group]

    @classmethod
    def of(cls, user: User, directory: Directory) -> "SeatUser":
        team = None if user.team is None else Group.showing(directory.teams[user.team])
        departments = [Group.showing(directory.departments[each]) for each in user.departments]
        return cls.showing(user, team=team, departments=departments)


class LastUseOfSeat(Answer):
    """When any of the products was last used, and which one; null for never."""

    at: Timestamp | None
    product: str | None


class Seat(Answer):
    """A user, and what becomes of the seat."""

    user: SeatUser
    state: State
    seat_since: Timestamp = Field(description="Since when the user is in this state.")
    last_active: LastUseOfSeat
    active_days: int = Field(
        description="On how many of the `inactive_days` any of the products was used, each day as "
        f"the kind of the product counts it. Where more than {MOST_PRODUCTS} were used in these "
        "days, only seats that are not active are listed: ask for some by `product`."
    )
    status: SeatStatus


class SeatTotals(Answer):
    """How many seats have which status, whatever `q`, `state` and `status` list of them."""

    licensed: int | None = Field(
        description="The seats of the license; null without one, and for a part of the users."
    )
    assigned: int = Field(description="Registered users: `active`, `inactive` and `never_used`.")
    active: int
    inactive: int
    never_used: int
    invited: int


class SeatsAnswer(Answer):
    """A page of the seats."""

    as_of: Timestamp
    seats: SeatTotals
    data: list[Seat]
    total_count: int
    next_cursor: str | None


COLUMNS: Final = [
    *(f"user.{each}" for each in ("id", "username", "email", "team.id", "team.name")),
    *("user.departments", "state", "seat_since", "last_active.at", "last_active.product"),
    *("active_days", "status"),
]


def seats(
    query: SeatsQuery, usage: Usage, chain: Chain, subjects: Subjects, caller: Caller
) -> Report[SeatsAnswer]:
    restore_view(chain, usage)
    directory = usage.directory
    products = products_asked(query.product, query.kind, directory, caller)
    used = SeatUsage(usage, products, instant_at(chain.began), query.inactive_days)
    roll = read_seats(usage, used)
    statuses = {user: roll.status(user) for user in users_asked(query, subjects, directory, roll)}
    ranked = listed(query, roll, statuses)
    chain = chain.after_erasures(ranked, len(directory.erased))
    ahead = ranked.part(slice(chain.row, chain.row + query.limit + USERS_NAMED))
    page, ahead = ahead[: query.limit], ahead[query.limit :]
    pinned = [product.id for product in products]
    following = next_cursor(chain, usage, directory, pinned, len(page), len(ranked), ahead)
    is_part = query.department is not None or subjects != Subjects()
    answer = SeatsAnswer(
        as_of=format_seconds(used.as_of),
        seats=totals_of(SeatCounts.of(statuses.values()), None if is_part else directory),
        data=rows_of(query, page, roll, used),
        total_count=len(ranked),
        next_cursor=following,
    )
    return Report(
        answer,
        lambda: rows_of(query, list(ranked), roll, used),
        [used.period],
        usage.through_ms,
        columns=COLUMNS,
        narrowed_by=("team", "department", "q", "status"),
        headers=link_headers({}, chain, following),
    )


def read_seats(usage: Usage, used: SeatUsage) -> Seats:
    """The directory and the last uses, which are asked for at once."""
    directory = usage.directory
    columns = usage.tasks.begin(lambda: directory.columns("users", *FAMILIES))
    registers = usage.tasks.begin(lambda: directory.load("teams", "departments"))
    last = used.last
    registers.result()
    return Seats(columns.result(), last, used.seconds.start)


def users_asked(
    query: SeatsQuery, subjects: Subjects, directory: Directory, roll: Seats
) -> Sequence[int]:
    """Everybody who is in the team and in the department and is the user, in order."""
    users: Sequence[int] = [
        user for user in range(len(roll.columns["state"])) if user not in directory.erased
    ]
    if subjects.team:
        team = subjects.team.ordinal
        users = [user for user in users if roll.columns["team"][user] == team]
    if subjects.user:
        users = [user for user in users if user == subjects.user.ordinal]
    if query.department is not None:
        number = department_called(query.department, directory)
        users = [user for user in users if number in roll.columns["departments"][user]]
    return users


def department_called(name: str, directory: Directory) -> int:
    found = directory.departments_with({as_kept(name)})
    if not found:
        raise NotFound(name, "department")
    return found.pop()


def listed(query: SeatsQuery, roll: Seats, statuses: dict[int, SeatStatus]) -> Ranking:
    users = chosen(statuses, query.state, query.status)
    words = query.q.casefold()
    named = [user for user in users if roll.is_called(user, words)] if words else users
    return roll.ranked(named, query.sort, query.order)


def totals_of(counts: SeatCounts, of_all: Directory | None) -> SeatTotals:
    """A license is of the whole organization, so it is not told beside a part of it."""
    license_ = of_all.license if of_all else None
    return SeatTotals(
        licensed=license_.seats if license_ else None,
        assigned=counts.assigned,
        **counts._asdict(),
    )


def rows_of(query: SeatsQuery, users: Sequence[int], roll: Seats, used: SeatUsage) -> list[Seat]:
    """Days active are read of products that are in use, where anybody listed has any."""
    directory = used.usage.directory
    active = [user for user in users if roll.second(user) >= roll.since]
    if active:
        check_number(len(used.in_use), query.product, query.kind)
    days = used.active_days(active)
    return [
        Seat(
            user=SeatUser.of(user, directory),
            state=user.state,
            seat_since=format_millis(instant_of_ms(user.state_since)),
            last_active=last_use_of(user.ordinal, roll),
            active_days=days.get(user.ordinal, 0),
            status=roll.status(user.ordinal),
        )
        for user in directory.users_at(users)
    ]


def last_use_of(user: int, roll: Seats) -> LastUseOfSeat:
    use = roll.last.get(user)
    if use is None:
        return LastUseOfSeat(at=None, product=None)
    return LastUseOfSeat(at=format_seconds(instant_at(use.second)), product=use.product)
