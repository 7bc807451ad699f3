"""Who is calling, and what a page or a client must know before it asks: names, units, reach."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal, Self

from pydantic import MISSING, Field

from odometer import __version__
from odometer.access.policy import READ_SUBJECT, Access, Caller, Scope
from odometer.directory.kinds import row_of
from odometer.directory.people import Department, Team
from odometer.directory.snapshot import Directory
from odometer.domain.kinds import KINDS, Aggregate, Kind, Unit
from odometer.domain.people import Role
from odometer.domain.time import format_seconds, instant_of_ms
from odometer.services.usage import Usage
from odometer.web.models import Answer, Timestamp

MOST: Final = 1_000
"""So many products, teams and departments are listed: as many as somebody chooses from."""


class OrganizationOfCaller(Answer):
    """The organization that every answer to the caller is about."""

    id: str
    name: str = Field(examples=["Acme Corp"])
    timezone: str = Field(
        description="Whose days `period`, `from` and `to` mean without `timezone`.",
        examples=["Europe/Berlin"],
    )


class CallingUser(Answer):
    """The owner of the key."""

    id: str
    username: str = Field(examples=["ada@example.com"])
    role: Role


class SubjectOfCaller(Answer):
    """Whom the caller may ask about: one of the three."""

    organization: Literal[True] | MISSING = Field(
        MISSING, description="`true`: everybody, and any team, department or user."
    )
    team: str | MISSING = Field(
        MISSING, description="Only a team and its users: this one, by its id."
    )
    user: str | MISSING = Field(MISSING, description="Only a user: this one, by their id.")

    @classmethod
    def of(cls, caller: Caller, team: Team | None) -> Self:
        access = READ_SUBJECT.access_of(caller)
        if access is Access.ORGANIZATION:
            return cls(organization=True)
        return cls(user=caller.user_id) if team is None else cls(team=team.id)


class CallerAnswer(Answer):
    """Who is calling, with what."""

    type: Literal["key", "token"] = Field(description="An access key, or an embed token.")
    user: CallingUser | None = Field(description="null with an embed token, which is nobody's.")
    scopes: list[Scope] = Field(description="What the key is for.")
    subject: SubjectOfCaller


class ProductOfCaller(Answer):
    """A product that the caller may ask about."""

    id: str = Field(examples=["chat"])
    name: str = Field(examples=["Chat"])
    kind: str = Field(description="The name of one of `kinds`.", examples=["chat"])


class MeasureOfKind(Answer):
    """What is measured of the products of a kind."""

    name: str = Field(examples=["active_ms"])
    label: str = Field(description="What people call it.", examples=["Active time"])
    unit: Unit
    decimals: int = Field(description="How many decimals its figures have at most.", examples=[0])
    aggregate: Aggregate = Field(
        description="`sum`: events send it; `count`: it is how many events there were."
    )


class RatioOfKind(Answer):
    """The sum of a measure, divided."""

    name: str = Field(examples=["chat_consumption_rate"])
    label: str = Field(description="What people call it.", examples=["Chat consumption rate"])
    of: str = Field(description="The measure that is divided.", examples=["useful_interactions"])
    per: str = Field(
        description="A measure, several joined by `+`, `active_users` or `active_days`.",
        examples=["interactions"],
    )


class KindOfCaller(Answer):
    """What the products of a kind measure."""

    name: str = Field(examples=["chat"])
    label: str = Field(description="What people call it.", examples=["Chat"])
    days: Literal["utc", "local"] = Field(
        description="Whose days are counted: those of UTC, or of the organization's zone."
    )
    measures: list[MeasureOfKind]
    ratios: list[RatioOfKind]
    breakdowns: list[str] = Field(
        description="By what an event may be told apart, for `group_by`.", examples=[["model"]]
    )

    @classmethod
    def of(cls, kind: Kind) -> Self:
        return cls(
            name=kind.name,
            label=kind.label or kind.name,
            days=row_of(kind)["days"],
            measures=[MeasureOfKind(**labelled(each._asdict())) for each in kind.described],
            ratios=[RatioOfKind(**labelled(each._asdict())) for each in kind.ratios],
            breakdowns=[*kind.breakdowns],
        )


class GroupOfCaller(Answer):
    """A team or a department."""

    id: str
    name: str = Field(examples=["Platform"])


class MeAnswer(Answer):
    """Who is calling, and everything that they can name in a question about usage."""

    organization: OrganizationOfCaller
    caller: CallerAnswer
    products: list[ProductOfCaller] = Field(description="By name, at most 1,000.")
    more_products: bool = Field(description="Whether there are more than are listed.")
    kinds: list[KindOfCaller] = Field(
        description="The kinds of those products; for whoever may ask about all, every kind."
    )
    teams: list[GroupOfCaller] = Field(
        description="The teams that the caller may ask about, by name, at most 1,000."
    )
    more_teams: bool = Field(description="Whether there are more than are listed.")
    departments: list[GroupOfCaller] = Field(
        description="The departments that the caller may ask about, by name, at most 1,000."
    )
    more_departments: bool = Field(description="Whether there are more than are listed.")
    data_through: Timestamp = Field(
        description="Every batch accepted before this instant is in all answers."
    )
    release: str | MISSING = Field(
        MISSING,
        description="The release that answers; with an embed token left out.",
        examples=["0.2.0"],
    )


def me(caller: Caller, directory: Directory, usage: Usage) -> MeAnswer:
    registers = usage.tasks.begin(lambda: directory.load("teams", "departments"))
    through = format_seconds(instant_of_ms(usage.through_ms))
    registers.result()
    products = products_of(caller, directory)
    teams, departments = groups_of(caller, directory)
    return MeAnswer(
        organization=organization_of(directory),
        caller=caller_of(caller, directory),
        products=products[:MOST],
        more_products=len(products) > MOST,
        kinds=[KindOfCaller.of(each) for each in kinds_of(caller, directory, products)],
        teams=by_name(teams),
        more_teams=len(teams) > MOST,
        departments=by_name(departments),
        more_departments=len(departments) > MOST,
        data_through=through,
        release=MISSING if caller.grant else __version__,
    )


def organization_of(directory: Directory) -> OrganizationOfCaller:
    organization = directory.organization
    return OrganizationOfCaller.showing(organization, timezone=organization.time_zone)


def caller_of(caller: Caller, directory: Directory) -> CallerAnswer:
    team = None if caller.team is None else directory.teams[caller.team]
    reaches_team = READ_SUBJECT.access_of(caller) is Access.TEAM
    user = CallingUser(id=caller.user_id, username=caller.username, role=caller.role)
    return CallerAnswer(
        type="token" if caller.grant else "key",
        user=None if caller.grant else user,
        scopes=sorted(caller.scopes),
        subject=SubjectOfCaller.of(caller, team if reaches_team else None),
    )


def products_of(caller: Caller, directory: Directory) -> list[ProductOfCaller]:
    names = {each.id: each.name for each in directory.products}
    open_ones = caller.products_among([*directory.kinds], named=False)
    rows = [
        ProductOfCaller(id=each, name=names.get(each, each), kind=directory.kinds[each].name)
        for each in open_ones
    ]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.id))


def kinds_of(
    caller: Caller, directory: Directory, products: Iterable[ProductOfCaller]
) -> Iterable[Kind]:
    """All kinds; with a token for some products, theirs."""
    named = {each.kind for each in products}
    narrowed = caller.grant is not None and caller.grant.products is not None
    known = {**KINDS, **directory.own_kinds}
    return [kind for name, kind in known.items() if name in named or not narrowed]


def groups_of(caller: Caller, directory: Directory) -> tuple[Sequence[Team], Sequence[Department]]:
    """Who may not ask about everybody learns of no team but theirs, and of no department."""
    match READ_SUBJECT.access_of(caller), caller.team:
        case Access.ORGANIZATION, _:
            return directory.teams, directory.departments
        case Access.TEAM, int(team):
            return [directory.teams[team]], []
    return [], []


def by_name(groups: Iterable[Team | Department]) -> list[GroupOfCaller]:
    ordered = sorted(groups, key=lambda each: (each.name.casefold(), each.id))
    return [GroupOfCaller.showing(each) for each in islice(ordered, MOST)]


def labelled(part: dict[str, object]) -> dict[str, object]:
    return {**part, "label": part["label"] or part["name"]}
