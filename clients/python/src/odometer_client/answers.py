"""What the API answers. Figures are `int` or `Decimal`, instants are aware `datetime`s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from odometer_client.reading import Number, Secret, read


@dataclass(frozen=True)
class Named:
    """A team, a department or a product."""

    id: str
    name: str


@dataclass(frozen=True)
class Figure:
    """A figure of a whole period, and how it has changed."""

    value: Number | None
    compare_value: Number | None = None
    change_pct: Number | None = None


@dataclass(frozen=True)
class Block:
    """A block of a series, from `start` up to and without `end`."""

    start: datetime
    end: datetime
    figures: Mapping[str, Number | None]
    partial: bool = False
    """Whether not all of the block has been counted yet."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Block:
        known = {"from", "to", "partial"}
        return cls(
            start=read(datetime, content["from"]),
            end=read(datetime, content["to"]),
            figures={name: it for name, it in content.items() if name not in known},
            partial=content.get("partial", False),
        )


@dataclass(frozen=True)
class Group:
    """A group of usage: a team, a user, a value of a breakdown, ..."""

    by: str
    """What it is: the `group_by` that was asked for."""
    id: str | None
    name: str | None
    """A user's is the username. None is whatever is in no other group."""
    totals: Mapping[str, Figure]
    series: tuple[Block, ...] = ()
    other: bool = False
    """Whether it adds up the values after the first 1,000 of a breakdown."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Group:
        known = {"totals", "series", "other"}
        by, called = next((name, it) for name, it in content.items() if name not in known)
        named_so = called if isinstance(called, dict) else {"id": called, "name": called}
        return cls(
            by=by,
            id=named_so["id"],
            name=named_so.get("name", named_so.get("username")),
            totals=read(Mapping[str, Figure], content["totals"]),
            series=read(tuple[Block, ...], content.get("series", ())),
            other=content.get("other", False),
        )


@dataclass(frozen=True)
class Usage:
    """Totals of all that is asked about, and a page of its groups."""

    json_names: ClassVar = {"start": "from", "end": "to"}

    start: datetime
    end: datetime
    timezone: str
    granularity: str
    group_by: str
    complete: bool
    data_through: datetime
    totals: Mapping[str, Figure]
    groups: tuple[Group, ...]
    total_groups: int
    next_cursor: str | None
    explain: str = ""
    """A URI template (RFC 6570) that leads to the terms of any figure here."""
    compare_from: datetime | None = None
    compare_to: datetime | None = None
    series: tuple[Block, ...] = ()

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)


@dataclass(frozen=True)
class SeatUser:
    """Who has a seat."""

    id: str
    username: str
    email: str
    team: Named | None
    departments: tuple[Named, ...]


@dataclass(frozen=True)
class LastUse:
    """When any of the products was last used, and which one."""

    at: datetime | None
    product: str | None


@dataclass(frozen=True)
class Seat:
    """A user, and what becomes of the seat."""

    user: SeatUser
    state: str
    seat_since: datetime
    last_active: LastUse
    active_days: int
    status: str


@dataclass(frozen=True)
class SeatTotals:
    """How many seats have which status."""

    licensed: int | None
    assigned: int
    active: int
    inactive: int
    never_used: int
    invited: int


@dataclass(frozen=True)
class Seats:
    """A page of the seats."""

    as_of: datetime
    seats: SeatTotals
    data: tuple[Seat, ...]
    total_count: int
    next_cursor: str | None

    def __iter__(self) -> Iterator[Seat]:
        return iter(self.data)


@dataclass(frozen=True)
class Organization:
    """Whose usage it is."""

    id: str
    name: str
    timezone: str


@dataclass(frozen=True)
class CallingUser:
    """The owner of the key."""

    id: str
    username: str
    role: str


@dataclass(frozen=True)
class Caller:
    """Who asks, and what they may."""

    type: str
    user: CallingUser | None
    scopes: tuple[str, ...]
    subject: Mapping[str, Any]


@dataclass(frozen=True)
class Product:
    """A product and its kind."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Measure:
    """A measure of a kind."""

    name: str
    label: str
    unit: str
    decimals: int
    aggregate: str


@dataclass(frozen=True)
class Ratio:
    """A quotient of two measures."""

    name: str
    label: str
    of: str
    per: str


@dataclass(frozen=True)
class Kind:
    """What is measured of products of a kind."""

    name: str
    label: str
    days: str
    measures: tuple[Measure, ...]
    ratios: tuple[Ratio, ...]
    breakdowns: tuple[str, ...]


@dataclass(frozen=True)
class Me:
    """What one must know before one asks."""

    organization: Organization
    caller: Caller
    products: tuple[Product, ...]
    kinds: tuple[Kind, ...]
    teams: tuple[Named, ...]
    departments: tuple[Named, ...]
    data_through: datetime
    more_products: bool = False
    more_teams: bool = False
    more_departments: bool = False
    release: str = ""
    """The release that answers; empty with an embed token."""


@dataclass(frozen=True)
class Arrived:
    """How many events there are of the days that were asked for, and the first and last of all."""

    first_event_at: datetime | None
    last_event_at: datetime | None
    events: int


@dataclass(frozen=True)
class Source(Arrived):
    """What one sender has sent."""

    source: str


@dataclass(frozen=True)
class ProductCoverage(Arrived):
    """What has arrived of one product."""

    product: str
    kind: str
    days_without: int
    sources: tuple[Source, ...]
    other_sources: Arrived | None


@dataclass(frozen=True)
class Coverage:
    """What has arrived of each product, and up to when it is in all reports."""

    through: datetime
    unsettled_events: int
    products: tuple[ProductCoverage, ...]


@dataclass(frozen=True)
class Term:
    """What is added to a figure, or taken away where the sign is negative."""

    term: str
    key: str
    sign: int
    value: Number


@dataclass(frozen=True)
class CountedEvent:
    """An event that is stored by itself."""

    at: datetime
    user: str | None
    value: Number


@dataclass(frozen=True)
class Explanation:
    """A figure with its terms, and a page of what is counted one by one."""

    range: str
    value: Number
    terms: tuple[Term, ...]
    events: tuple[CountedEvent, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class EventFault:
    """Why an event does not count; `index` is its place in the batch."""

    index: int
    id: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Receipt:
    """What became of a batch. Look at `rejected`: bad events do not fail it."""

    accepted: int
    duplicate: int
    rejected: int
    errors: tuple[EventFault, ...]
    warning: str | None = None


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    key_id: str
    prefix: str
    name: str
    user: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewKey:
    """A key with its secret, which is shown this once: `str(key.access_key)`."""

    key_id: str
    access_key: Secret
    name: str
    user: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    former_until: datetime | None = None
    """Until when the former secret of a rotated key works."""


@dataclass(frozen=True)
class EmbedToken:
    """A token that a page shows usage with."""

    token: Secret
    expires_at: datetime


@dataclass(frozen=True)
class RowResult:
    """What became of a row of a directory; `code` and `message` say why it was refused."""

    index: int
    kind: str
    id: str | None
    status: str
    code: str | None = None
    message: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class RowResults:
    """What became of a directory, row by row."""

    results: tuple[RowResult, ...]
