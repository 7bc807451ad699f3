"""What a query of `GET /v1/usage` asks, once it is known what its names stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final
from urllib.parse import urlencode

from odometer.access.policy import Caller
from odometer.api.v1.asked import check_number, names_sent, products_asked
from odometer.api.v1.usage_query import LONGEST_HOURS, UsageQuery
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid, NotFound
from odometer.domain.kinds import ACTIVE_DAYS, KINDS, Kind
from odometer.domain.text import as_kept
from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.reports.columns import Column, column_of, columns_of, known
from odometer.reports.groups import CHANGE, NAME, Order
from odometer.reports.periods import HOUR_SECONDS, Granularity, block_edges
from odometer.reports.ranking import Direction
from odometer.services.figures import Filter, GroupBy
from odometer.web.endpoint import Subjects

MOST_BLOCKS: Final = 400
LONGEST_IN_OTHER_ZONES: Final = timedelta(days=92)
"""Of a series whose blocks do not begin with days as they are counted."""


@dataclass(frozen=True)
class What:
    """The products that are asked about, and the figures of them."""

    products: Sequence[MeteredProduct]
    kinds: Sequence[Kind]
    columns: Sequence[Column]
    order: Order
    group_by: GroupBy | int
    """A number is the place of a breakdown of the kind."""

    @property
    def counts_days(self) -> bool:
        ranked_by = [self.order.column] if self.order.column else []
        return any(ACTIVE_DAYS in each.counts for each in (*self.columns, *ranked_by))


@dataclass(frozen=True)
class When:
    """The period that is asked about, its blocks, and what it is compared with."""

    zone_name: str
    zone: tzinfo
    period: Period
    comparison: Period | None
    edges: Sequence[int]

    @property
    def periods(self) -> list[Period]:
        return [self.period, *([self.comparison] if self.comparison else [])]

    @property
    def compared_ends(self) -> tuple[int, int] | None:
        """The first second of the comparison, and the one after its last."""
        return second_ends(self.comparison) if self.comparison else None


def second_ends(period: Period) -> tuple[int, int]:
    return period.seconds.start, period.seconds.stop


def what_is_asked(query: UsageQuery, directory: Directory, caller: Caller) -> What:
    products = products_asked(query.product, query.kind, directory, caller)
    check_number(len(products), query.product, query.kind)
    kinds = kinds_asked(query, directory, products, caller)
    names = query.measure.split(",") if query.measure is not None else None
    columns = columns_of(names, kinds)
    order = order_asked(query, columns, kinds)
    return What(products, kinds, columns, order, group_asked(query, kinds))


def kinds_asked(
    query: UsageQuery, directory: Directory, products: Sequence[MeteredProduct], caller: Caller
) -> list[Kind]:
    """The kinds that are asked about; one may be asked about before it has products.

    A token for some products learns of no kinds that have none of them.
    """
    is_narrow = caller.grant is not None and caller.grant.products is not None
    if query.kind is None or is_narrow:
        return list(dict.fromkeys(product.kind for product in products))
    known_kinds = {**KINDS, **directory.own_kinds}
    return [known_kinds[name] for name in names_sent(query.kind, known_kinds)]


def order_asked(query: UsageQuery, columns: Sequence[Column], kinds: Sequence[Kind]) -> Order:
    """By a column that is shown, or by another of the kinds."""
    if query.sort == NAME:
        return Order(None, by_change=False, direction=query.order or Direction.ASCENDING)
    direction = query.order or Direction.DESCENDING
    if query.sort is None:
        return Order(columns[0], by_change=False, direction=direction)
    names = known(kinds)
    by_change = query.sort not in names
    name = query.sort.removesuffix(CHANGE) if by_change else query.sort
    if name not in names:
        words = f"expected {NAME} or one of {', '.join(names)}, maybe with {CHANGE} behind it"
        raise Invalid.parameter("sort", words, query.sort)
    if by_change and not (query.compare or query.compare_from):
        raise Invalid.parameter("sort", "a change needs compare, too", query.sort)
    shown = {column.name: column for column in columns}
    return Order(shown.get(name) or column_of(name, kinds), by_change, direction)


def group_asked(query: UsageQuery, kinds: Sequence[Kind]) -> GroupBy | int:
    if query.group_by in set(GroupBy):
        return GroupBy(query.group_by)
    places = {
        kind.breakdowns.index(query.group_by) for kind in kinds if query.group_by in kind.breakdowns
    }
    breakdowns = dict.fromkeys(name for kind in kinds for name in kind.breakdowns)
    if not places:
        expected = ", ".join([*GroupBy, *breakdowns])
        raise Invalid.parameter("group_by", f"expected one of {expected}", query.group_by)
    if len(kinds) > 1:
        raise Invalid.parameter(
            "group_by", "a breakdown is one of a kind: ask for one kind", query.group_by
        )
    return places.pop()


def filter_asked(query: UsageQuery, what: What, subjects: Subjects, directory: Directory) -> Filter:
    """Whose usage is asked about: that of users who meet every filter.

    The subject of an embed token is a filter, too, whether the query names it or not.
    """
    users = Filter(
        team=subjects.team.ordinal if subjects.team else None,
        departments=departments_asked(query, directory),
        user_type=query.user_type,
        users=frozenset([subjects.user.ordinal]) if subjects.user else None,
    )
    if isinstance(what.group_by, int) and users != Filter():
        words = "a breakdown is one of everybody's usage: expected no filter of users"
        raise Invalid.parameter("group_by", words, query.group_by)
    return users


def departments_asked(query: UsageQuery, directory: Directory) -> frozenset[int] | None:
    if query.department is None:
        return None
    departments = directory.departments_with([as_kept(query.department)])
    if not departments:
        raise NotFound(query.department, "department")
    return frozenset(departments)


def when_is_asked(query: UsageQuery, organization_zone: str, now: datetime, what: What) -> When:
    name, zone = query.zone(organization_zone)
    period = query.covered(now, zone)
    check_hours(query, period)
    edges = block_edges(period, query.granularity, zone, MOST_BLOCKS)
    if len(edges) - 1 > MOST_BLOCKS:
        words = f"at most {MOST_BLOCKS} blocks: expected a coarser one, or a shorter period"
        raise Invalid.parameter("granularity", words, query.granularity)
    check_zone(name, edges, organization_zone, what.kinds)
    return When(name, zone, period, query.compared(period, zone), edges)


def check_hours(query: UsageQuery, period: Period) -> None:
    """Days may be an hour longer where a clock is set back."""
    longest = LONGEST_HOURS + timedelta(seconds=HOUR_SECONDS)
    if query.granularity is Granularity.HOUR and period.end - period.start > longest:
        words = (
            f"hours of at most {LONGEST_HOURS.days} days: expected a coarser one, or a shorter "
            "period"
        )
        raise Invalid.parameter("granularity", words, query.granularity)


def check_zone(
    name: str, edges: Sequence[int], organization_zone: str, kinds: Sequence[Kind]
) -> None:
    """Blocks that do not begin with days as a kind counts them are read event by event."""
    if edges[-1] - edges[0] <= LONGEST_IN_OTHER_ZONES.total_seconds():
        return
    zones = {kind: organization_zone if kind.local_days else "UTC" for kind in kinds}
    others = {kind: zone for kind, zone in zones.items() if not begin_days(edges[1:-1], kind, zone)}
    if others:
        further = " and ".join(f"{zone} for {kind.name}" for kind, zone in others.items())
        words = (
            f"a series in {name} is answered for up to {LONGEST_IN_OTHER_ZONES.days} days; "
            f"one in {further} goes further"
        )
        raise Invalid.parameter("timezone", words, name)


def begin_days(seconds: Sequence[int], kind: Kind, zone_name: str) -> bool:
    zone = calendar.zone_of(kind, zone_name)
    return all(calendar.first_second(calendar.day_of(each, zone), zone) == each for each in seconds)


EXPLAINED_AS: Final = {GroupBy.DEPARTMENT: "department_ids", GroupBy.USER_TYPE: "type"}


def explain_template(query: UsageQuery, what: What, subjects: Subjects) -> str:
    """Where each figure is explained: what is left open is told by its place in the answer."""
    by = what.group_by
    own = "value" if isinstance(by, int) else EXPLAINED_AS.get(by, by.value)
    fixed = {
        "product": ",".join(product.id for product in what.products),
        "team": subjects.team and subjects.team.id,
        "user": subjects.user and subjects.user.id,
        "department_ids": query.department,
        "type": query.user_type,
        "breakdown": query.group_by if isinstance(by, int) else None,
    }
    sent = urlencode({name: it for name, it in fixed.items() if it and name != own})
    variables = ["measure", "from", "to", *([own] if by is not GroupBy.NONE else [])]
    return f"/v1/explain{f'?{sent}' if sent else ''}{{{'&' if sent else '?'}{','.join(variables)}}}"
