"""Explain on the wire: the terms of a figure, so that a sum can be checked by hand."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from odometer.api.v1.asked import MOST_PRODUCTS, check_number, names_sent
from odometer.directory.snapshot import APP, Directory
from odometer.domain.errors import Invalid, NotFound
from odometer.domain.kinds import ACTIVE_DAYS, ACTIVE_USERS
from odometer.domain.people import State, UserType
from odometer.domain.time import Period, epoch_ms, format_seconds, instant_at
from odometer.engine.calendar import day_edges, day_of, zone_of
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.read.explain import (
    Explanation,
    Part,
    TermKind,
    explain_days,
    explain_days_of_some,
    explain_measure,
    explain_value,
    sum_of,
)
from odometer.engine.read.measuring import distinct_users
from odometer.engine.read.tallies import used_in_each
from odometer.engine.rounds import in_rounds
from odometer.reports.utilization import state_at
from odometer.services import figures
from odometer.services.figures import Asked, Filter
from odometer.services.usage import Usage, products_of
from odometer.web.cursors import Chain, CursorParameter, link_headers, next_cursor, restore_view
from odometer.web.exact import Figure, as_exact_json, number
from odometer.web.fields import Choice, Ids, Instant, Text, Whole, refuse
from odometer.web.models import Answer, Strict, Timestamp
from odometer.web.report import Report, columns_of

LONGEST: Final = timedelta(days=732)
"""Those that can be reckoned with in every zone."""
LONGEST_PRODUCTS: Final = 4_096
LONGEST_VALUE: Final = 64
DAYS_ACTIVE: Final = "days_active"
COUNTED: Final = (ACTIVE_USERS, ACTIVE_DAYS)
"""As `/v1/usage` counts them: days are those of the kind, and several users may have them."""
USERS: Final = "users"
ACCOUNTS: Final = "accounts"


class WhoQuery(Strict):
    """Whose figure: of all users who meet every filter; an unknown parameter is refused."""

    user: Annotated[str, Text(128)] | None = Field(
        None, description="Only this user, by id or by username."
    )
    team: Annotated[str, Text(128, shortest=0)] | None = Field(
        None,
        description="Only users who are in this team now, by its id; empty, those in no team.",
    )
    department_ids: Annotated[tuple[str, ...], Ids(or_none=True)] | None = Field(
        None,
        description="Only users who are in any of these departments now: their ids with commas "
        "between them; empty, those in no department.",
    )
    type: Annotated[UserType, Choice()] | None = Field(
        None, description="Only people, or only machines."
    )
    state: Annotated[State, Choice()] | None = Field(
        None, description="Only users who were in this state at `to`."
    )

    @property
    def filters(self) -> Mapping[str, object]:
        return {name: getattr(self, name) for name in WhoQuery.model_fields}

    def members(self, directory: Directory, at: datetime) -> Collection[int] | None:
        """The users who are asked about, by the state they were in at some moment."""
        groups = [set(group) for group in self._groups(directory, at)]
        return set.intersection(*groups) if groups else None

    def _groups(self, directory: Directory, at: datetime) -> Iterator[Collection[int]]:
        if self.user is not None:
            yield [user_of(directory, self.user)]
        if self.team is not None:
            yield team_of(directory, self.team)
        if self.department_ids is not None:
            yield members_of(directory, self.department_ids)
        if self.type is not None:
            yield directory.users_of_type(self.type)
        if self.state is not None:
            yield users_in(directory, at, self.state)


class ExplainQuery(WhoQuery):
    """Which figure: a measure of products, the days active, or how many users there were."""

    product: Annotated[str, Text(LONGEST_PRODUCTS)] | None = Field(
        None,
        description="An id, or several with commas between them; all, if there is none. Of those "
        f"at most {MOST_PRODUCTS} may have the measure.",
    )
    measure: Annotated[str, Text(64)] = Field(
        description=f"A measure of the product, `{DAYS_ACTIVE}`, `{USERS}` who had any usage, "
        f"`{ACCOUNTS}`, which are all users whether they had or not, as of `to`; or "
        f"`{ACTIVE_USERS}` and `{ACTIVE_DAYS}`, as `/v1/usage` has them."
    )
    breakdown: Annotated[str, Text(32)] | None = Field(
        None,
        description="Only what has this `value` of a breakdown of the products; without a `value`, "
        "what has none. Not together with filters of users.",
    )
    value: Annotated[str, Text(LONGEST_VALUE)] | None = Field(
        None,
        description="A value of the breakdown; `other` is all that came after the first 1,000.",
    )
    start: Annotated[datetime, Instant()] = Field(alias="from", description="The first instant.")
    end: Annotated[datetime, Instant()] = Field(
        alias="to",
        description="The instant just after the last one. It is not included, unlike the `to` of "
        f"`/v1/coverage`; at most {LONGEST.days} days after `from`.",
    )
    page_size: Annotated[int, Whole(1, 1000)] = Field(100, description="Events on a page.")
    cursor: CursorParameter = None

    @field_validator("value")
    @classmethod
    def _of_breakdown(cls, value: str | None, earlier: ValidationInfo) -> str | None:
        if value is not None and earlier.data.get("breakdown") is None:
            raise refuse("order", "expected a breakdown that it is a value of")
        return value

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime, earlier: ValidationInfo) -> datetime:
        start = earlier.data.get("start")
        if start is not None and not timedelta(0) < end - start <= LONGEST:
            raise refuse("order", f"expected an instant after from, within {LONGEST.days} days")
        return end

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)


class ExplainedTerm(Answer):
    """What is added, or taken away where the sign is negative."""

    term: TermKind
    key: str
    sign: int = Field(ge=-1, le=1)
    value: Figure


class ExplainedEvent(Answer):
    """An event that is stored by itself and not only in a sum of its day."""

    at: Timestamp
    user: str | None
    value: Figure


class Excluded(Answer):
    """What was read and is not in the figure."""

    later_items: int
    outside_range: int


class ExplainAnswer(Answer):
    """A figure with its terms, and a page of what is counted one by one: users, or events."""

    range: str
    value: Figure
    terms: list[ExplainedTerm]
    events: list[ExplainedEvent]
    excluded: Excluded
    next_cursor: str | None
    _decimals: int = PrivateAttr(0)

    def in_decimals(self, decimals: int) -> Self:
        """The same, to be shown in a unit of which 10**decimals are one."""
        self._decimals = decimals
        return self

    def model_dump_json(self, **how: Any) -> str:
        if not self._decimals:
            return super().model_dump_json(**how)
        content = self.model_dump(mode="json")
        for each in (content, *content["terms"], *content["events"]):
            each.update(in_decimals(each, self._decimals))
        return as_exact_json(content)


def in_decimals(content: Mapping[str, Any], decimals: int) -> dict[str, Any]:
    return {**content, "value": number(content["value"], decimals)}


def explain(query: ExplainQuery, usage: Usage, chain: Chain) -> Report[ExplainAnswer]:
    restore_view(chain, usage)
    products = products_asked(query, usage.directory)
    users = query.members(usage.directory, query.end)
    found = explained_by(query, usage, products, users)
    directory = usage.directory_of(found.people)
    ids = directory.shown_ids if found.people else []
    page = slice(chain.row, chain.row + query.page_size)
    shown, total = len(found.entries[page]), len(found.entries)
    pinned = [PEOPLE.id, TOTALS.id, *(product.id for product in products)]
    following = next_cursor(chain, usage, directory, pinned, shown, total)
    decimals = decimals_of(query.measure, products)
    terms = terms_of(found, found.users, ids)
    return Report(
        answer_of(query, found, page, ids, following).in_decimals(decimals),
        lambda: [in_decimals(term.model_dump(mode="json"), decimals) for term in terms],
        [query.period],
        usage.through_ms,
        columns=columns_of(ExplainedTerm),
        headers=link_headers({}, chain, following),
    )


def answer_of(
    query: ExplainQuery,
    found: Explanation,
    page: slice,
    ids: Sequence[str | None],
    following: str | None,
) -> ExplainAnswer:
    return ExplainAnswer(
        range=str(query.period),
        value=found.value,
        terms=terms_of(found, found.users[page], ids),
        events=[
            ExplainedEvent(
                at=format_seconds(instant_at(each.second)),
                user=None if each.who is None else ids[each.who],
                value=each.value,
            )
            for each in found.events[page]
        ],
        excluded=Excluded(later_items=found.later_items, outside_range=found.outside),
        next_cursor=following,
    )


def explained_by(
    query: ExplainQuery,
    usage: Usage,
    products: Sequence[MeteredProduct],
    users: Collection[int] | None,
) -> Explanation:
    if query.breakdown is not None:
        return explained_by_value(query, usage, products, query.breakdown)
    if query.measure == ACCOUNTS:
        return counted(users_in(usage.directory, query.end, *State), users)
    if query.measure == ACTIVE_DAYS:
        return active_days_explained(query, usage, products, users)
    if query.measure in (USERS, ACTIVE_USERS):
        return counted(users_of(usage, products, query.period), users)
    if query.measure == DAYS_ACTIVE:
        return days_explained(query, usage, products, users)
    units = units_of(query.measure, products)
    explain = partial(explain_measure, usage.view)
    begun = [
        usage.tasks.begin(partial(explain, product, query.measure, query.period, users))
        for product in units
    ]
    each = zip(begun, units.values(), strict=True)
    return sum_of(figure.result().times(unit) for figure, unit in each)


def users_of(usage: Usage, products: Sequence[MeteredProduct], period: Period) -> list[int]:
    """Who used any of some products, all of which are read at once."""
    steps = used_in_each(usage.view, products, [period.seconds])
    return distinct_users(used for (used,) in in_rounds(usage.view.store, steps))


def units_of(measure: str, products: Iterable[MeteredProduct]) -> dict[MeteredProduct, int]:
    """The products that have a measure, and what brings theirs to the finest of its decimals."""
    mine = [product for product in products if measure in product.kind.measures]
    finest = decimals_of(measure, mine)
    return {each: 10 ** (finest - decimals_of(measure, [each])) for each in mine}


def decimals_of(measure: str, products: Iterable[MeteredProduct]) -> int:
    """The finest decimals of a measure; what every product has is counted."""
    described = (each for product in products for each in product.kind.described)
    return max((each.decimals for each in described if each.name == measure), default=0)


def explained_by_value(
    query: ExplainQuery, usage: Usage, products: Sequence[MeteredProduct], breakdown: str
) -> Explanation:
    """A measure of what has a value of a breakdown, or none of its values."""
    check_by_value(query, products, breakdown)
    mine = [each for each in products if breakdown in each.kind.breakdowns]
    values = {each: value_of(query, usage.directory, each, breakdown) for each in mine}
    if query.value is not None and not any(values.values()):
        raise NotFound(query.value, "value")
    units = units_of(query.measure, products)
    return sum_of(
        explain_value(usage.view, each, query.measure, query.period, breakdown, value).times(
            units[each]
        )
        for each, value in values.items()
        if each in units and (value or query.value is None)
    )


def check_by_value(query: ExplainQuery, products: Sequence[MeteredProduct], breakdown: str) -> None:
    known = dict.fromkeys(name for each in products for name in each.kind.breakdowns)
    if breakdown not in known:
        expected = f"expected one of {', '.join(known)}" if known else "the products have none"
        raise Invalid.parameter("breakdown", expected, breakdown)
    broken_down = (each.kind for each in products if breakdown in each.kind.breakdowns)
    measures = dict.fromkeys(name for kind in broken_down for name in kind.measures)
    if query.measure not in measures:
        words = f"expected one of {', '.join(measures)}: values of a breakdown have no users"
        raise Invalid.parameter("measure", words, query.measure)
    for name, given in query.filters.items():
        if given is not None:
            raise Invalid.parameter(name, "not together with breakdown", str(given))


def value_of(
    query: ExplainQuery, directory: Directory, product: MeteredProduct, breakdown: str
) -> int | None:
    """The number of the value that is asked for; None where the product has no such."""
    if query.value is None:
        return None
    values = directory.values(product.id, product.kind.breakdowns.index(breakdown))
    return next((number for number, _ in values.chosen([query.value])), None)


def counted(found: Sequence[int], users: Collection[int] | None) -> Explanation:
    return Explanation(users=[user for user in found if users is None or user in users])


def days_explained(
    query: ExplainQuery,
    usage: Usage,
    products: Sequence[MeteredProduct],
    users: Collection[int] | None,
) -> Explanation:
    if len(products) > 1:
        words = f"{DAYS_ACTIVE} is a figure of one product"
        raise Invalid.parameter("product", words, query.product)
    (product,) = products
    if users is None or len(users) == 1:
        user = next(iter(users or ()), None)
        catalog = products_of(usage.directory)
        return explain_days(usage.view, catalog, product, query.period, user)
    if users and product.kind.name != APP:
        words = f"{DAYS_ACTIVE} of several users is a figure of apps"
        raise Invalid.parameter("measure", words, query.measure)
    return explain_days_of_some(usage.view, product, query.period, users)


def active_days_explained(
    query: ExplainQuery,
    usage: Usage,
    products: Sequence[MeteredProduct],
    users: Collection[int] | None,
) -> Explanation:
    """The days, as the kinds of the products count them, on which any of the users was active."""
    if len({product.kind.local_days for product in products}) != 1:
        words = f"{ACTIVE_DAYS} is a figure of products whose days are of one calendar"
        raise Invalid.parameter("product", words, query.product)
    zone = zone_of(products[0].kind, usage.view.head.zone)
    edges = day_edges(query.period.seconds, zone)
    asked = Asked(products, edges, Filter(users=None if users is None else frozenset(users)))
    active = figures.Report(usage, asked).blocks([]).all.active_users or ()
    days = (day_of(first, zone) for first, found in zip(edges, active, strict=False) if found)
    return Explanation([Part(TermKind.DAY, f"{day}", 1, 1) for day in days])


def products_asked(query: ExplainQuery, directory: Directory) -> list[MeteredProduct]:
    names = names_asked(query.product, directory.kinds)
    found = [MeteredProduct(name, directory.kinds[name]) for name in names]
    own = dict.fromkeys(measure for product in found for measure in product.kind.measures)
    measures = [*own, DAYS_ACTIVE, USERS, ACCOUNTS, *COUNTED]
    if query.measure not in measures:
        words = f"expected one of {', '.join(measures)}"
        raise Invalid.parameter("measure", words, query.measure)
    check_number(len(read_for(query.measure, found)), query.product)
    return found


def read_for(measure: str, products: Sequence[MeteredProduct]) -> Collection[MeteredProduct]:
    """The products that are read for a measure: all for what every product has."""
    if measure == ACCOUNTS:
        return ()
    if measure in (DAYS_ACTIVE, USERS, *COUNTED):
        return products
    return units_of(measure, products)


def names_asked(given: str | None, known: Collection[str]) -> list[str]:
    """The ids that were sent, each once; all without any."""
    if given is None:
        return list(known)
    names = names_sent(given, known)
    for name in names:
        if name not in known:
            raise NotFound(name, "product")
    return names


def terms_of(
    found: Explanation, users: Sequence[int], ids: Sequence[str | None]
) -> list[ExplainedTerm]:
    """The terms by their published names, and users who count for one each, also without a name."""
    parts = [ExplainedTerm.showing(part, term=part.kind) for part in found.parts]
    return parts + [
        ExplainedTerm(term=TermKind.USER, key=ids[u] or "", sign=1, value=1) for u in users
    ]


def user_of(directory: Directory, name: str) -> int:
    found = directory.user_called(name)
    if found is None:
        raise NotFound(name, "user")
    return found.ordinal


def members_of(directory: Directory, department_ids: Collection[str]) -> Collection[int]:
    """The users of any of some departments; without any, those who are in none."""
    if department_ids:
        return directory.members_of(department_ids)
    of_users = enumerate(directory.columns("users", "roster")["departments"])
    return [user for user, departments in of_users if not departments]


def team_of(directory: Directory, team_id: str) -> Collection[int]:
    """The users of a team; without an id, those who are in none."""
    if not team_id:
        teams = enumerate(directory.columns("users", "roster")["team"])
        return [user for user, team in teams if team is None]
    team = directory.team_by_id(team_id)
    if team is None:
        raise NotFound(team_id, "team")
    return directory.users_of_team(team.ordinal)


def users_in(directory: Directory, at: datetime, *states: State) -> list[int]:
    histories = enumerate(directory.histories())
    return [u for u, history in histories if state_at(history, epoch_ms(at)) in states]
