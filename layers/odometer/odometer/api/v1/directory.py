"""The directory on the wire: rows as `PUT /v1/directory` takes them and the export gives them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import MISSING, Field

from odometer.directory.columns import Row
from odometer.directory.registers import REQUIRED
from odometer.directory.upsert import DirectoryEdit, Outcome, Status
from odometer.domain.acts import MOST_NAMED, USUAL_TRAIL_DAYS, Act, Action
from odometer.domain.errors import Fault, Invalid, TooLarge, Unsupported
from odometer.domain.frozen import frozen
from odometer.domain.kinds import BREAKDOWNS, KINDS, MEASURES, MOST_DECIMALS, Aggregate, Unit
from odometer.domain.people import Role, State, UserType
from odometer.domain.text import as_kept
from odometer.domain.time import epoch_ms
from odometer.domain.values import MOST_VALUES
from odometer.web.endpoint import Deadline
from odometer.web.fields import (
    Choice,
    Flag,
    Instant,
    Lines,
    Reader,
    Text,
    VisibleName,
    Whole,
    echoed_id,
    refuse,
)
from odometer.web.messages import JSON, NDJSON, Request, as_json
from odometer.web.models import LONGEST_NAME, WORDS, Answer, Body, Query, fill, read_json

MEGABYTE = 1024 * 1024
LARGEST_BODY: Mapping[str, int] = {JSON: 5 * MEGABYTE, NDJSON: 4 * MEGABYTE}
"""Lines come to the function in base64, a third larger than they were sent: decision 0030."""
MOST_ROWS = 10_000
MOST_RATIOS = 16
LONGEST_DIVISOR = 33 * MEASURES
LARGEST_SETTINGS, DEEPEST_SETTINGS = 16 * 1024, 16
SCATTERED = "send this row again: the rows before it are about as many users as fit into memory"
IDENTIFYING = frozenset({"row", "id", "name", "username", "user_key"})
"""What says which row is meant."""
LISTS = {
    "kinds": "kind",
    "teams": "team",
    "departments": "department",
    "products": "product",
    "users": "user",
}
ORDER = ("organization", "license", *LISTS.values())
"""Rows are applied kind after kind, so that a user may name a team that stands further down."""

ROWS_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "description": f"A row in each line: `kind` is one of {', '.join(ORDER)}; beside it "
    "stand the fields of that row, as in the JSON document. A product's own kind is called "
    "`product_kind` here.",
}

ROUTE_WORDS = frozenset({"usage", "account-utilizations"})

Count = Annotated[int, Whole(0, 2**53 - 1)]


Name = Annotated[str, VisibleName(256)]


@dataclass(frozen=True)
class Id(VisibleName):
    """An id that can stand in a path: no separators, no word that is a route."""

    longest: int = 128
    forbidden: str = "/\\?#%"

    def read(self, value: object) -> str:
        text = super().read(value)
        if text in ROUTE_WORDS or text in (".", ".."):
            raise refuse("text", f"{text} is a word of the routes")
        return text


class CaselessId(Id):
    """An id of a product, team or department, which as a UUID is the same in either case."""

    def read(self, value: object) -> str:
        return as_kept(super().read(value))


class ZoneName(Text):
    """A time zone of the IANA database."""

    def read(self, value: object) -> str:
        text = super().read(value)
        if text not in zones():
            raise refuse("zone", "expected an IANA time zone like Europe/Berlin")
        return text


@cache
def zones() -> frozenset[str]:
    """Every time zone there is; finding them reads a directory tree."""
    return frozenset(available_timezones())


@dataclass(frozen=True)
class Plain(Reader):
    """A name of letters, digits and underlines, as it stands in events and queries."""

    also: str = ""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self._pattern, value):
            also = f", {self.also}" if self.also else ""
            words = f"a small letter, then up to 31 of small letters, digits{also} and _"
            raise refuse("name", f"expected {words}")
        return value

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "pattern": f"^{self._pattern}$"}

    @property
    def _pattern(self) -> str:
        return f"[a-z][a-z0-9_{self.also}]{{0,31}}"


KindName = Annotated[str, Plain("-")]
PlainName = Annotated[str, Plain()]
Label = Annotated[str, VisibleName(128, shortest=0)]


@dataclass(frozen=True)
class Small(Reader):
    """An object with anything in it, as long as it is small enough to stand in the head."""

    longest: int
    deepest: int

    def read(self, value: object) -> object:
        if not isinstance(value, dict):
            raise refuse("object", "expected an object")
        if is_deeper(value, self.deepest) or len(as_json(value)) > self.longest:
            limits = f"{self.longest} bytes, nested {self.deepest} deep"
            raise refuse("object", f"expected an object of at most {limits}")
        return value

    def schema(self) -> Mapping[str, Any]:
        """An object; how large it may be, JSON schema cannot say."""
        return {"type": "object"}


def is_deeper(content: object, deepest: int) -> bool:
    """Whether something is nested deeper, found level by level: a stack has fewer than JSON may."""
    level = [content]
    for _ in range(deepest):
        level = [member for each in level for member in members_of(each)]
    return any(isinstance(each, dict | list) for each in level)


def members_of(content: object) -> Iterable[object]:
    if isinstance(content, dict):
        return content.values()
    return content if isinstance(content, list) else ()


class OrganizationRow(Body):
    """The organization's own attributes."""

    name: Name | None = None
    time_zone: Annotated[str, ZoneName(64)] | None = None
    domains: Annotated[list[Annotated[str, VisibleName(253)]], Field(max_length=100)] | None = None
    plan_type: Name | None = None
    public_key: Annotated[str, Lines(8192, shortest=0)] | None = Field(
        None, description="PEM; its line breaks, LF or CRLF, are given back as they were sent."
    )
    saml_enabled: Annotated[bool, Flag()] | None = None
    smtp_configured: Annotated[bool, Flag()] | None = None
    username_password_enabled: Annotated[bool, Flag()] | None = None
    retention_years: Annotated[int, Whole(1, 10)] | None = None
    trail_days: Annotated[int, Whole(30, 3650)] | None = Field(
        None,
        description="How many days an entry of the trail is kept that is written from now on; "
        f"{USUAL_TRAIL_DAYS} by default. Older ones are kept as long as they were to be.",
    )


class LicenseRow(Body):
    """What the organization has bought."""

    exp: Count | None = None
    iat: Count | None = None
    seats: Count | None = None
    seats_cap: Count | None = None
    audience: Annotated[str, Text(256, shortest=0)] | None = None
    features: Annotated[list[Name], Field(max_length=200)] | None = None
    settings: Annotated[dict[str, Any], Small(LARGEST_SETTINGS, DEEPEST_SETTINGS)] | None = None


class Days(StrEnum):
    """Whose days a kind counts."""

    UTC = "utc"
    LOCAL = "local"


class MeasureRow(Body):
    """Something that a kind measures."""

    name: PlainName
    label: Label | None = None
    aggregate: Annotated[Aggregate, Choice()] | None = Field(
        None,
        description="A `sum` of what events send, or a `count` of the events, which send nothing "
        "for it.",
    )
    unit: Annotated[Unit, Choice()] | None = None
    decimals: Annotated[int, Whole(0, MOST_DECIMALS)] | None = Field(
        None, description="An event with more of them is rejected."
    )


class RatioRow(Body):
    """The quotient of two sums."""

    name: PlainName
    label: Label | None = None
    of: PlainName
    per: Annotated[str, Text(LONGEST_DIVISOR)] = Field(
        description="A measure, or several joined by `+`, whose sums are added; or `active_users` "
        "or `active_days`.",
    )


class KindRow(Body):
    """A kind of product and what is measured of it; `name` says which one.

    Measures, ratios and breakdowns are only ever appended; their labels may change.
    """

    name: KindName | None = None
    label: Label | None = None
    days: Annotated[Days, Choice()] | None = Field(
        None, description="Whose days are counted, `utc` if it is left out; never changes."
    )
    measures: Annotated[list[MeasureRow], Field(min_length=1, max_length=MEASURES)] | None = None
    ratios: Annotated[list[RatioRow], Field(max_length=MOST_RATIOS)] | None = None
    breakdowns: Annotated[list[PlainName], Field(max_length=BREAKDOWNS)] | None = Field(
        None,
        description="What an event may be told apart by, for instance a model or a region; never "
        "by persons, whose names would stay when they are erased.",
    )
    values: Annotated[dict[PlainName, int], Field(max_length=BREAKDOWNS)] | None = Field(
        None,
        description=f"Only in exports: how many values each breakdown has. After {MOST_VALUES:,} "
        "whatever comes counts as `other`. It is taken and changes nothing.",
    )


class TeamRow(Body):
    """A team."""

    id: Annotated[str, CaselessId()] | None = None
    name: Name | None = None
    is_default: Annotated[bool, Flag()] | None = None


class DepartmentRow(Body):
    """A department."""

    id: Annotated[str, CaselessId()] | None = Field(
        None, description="A UUID, in either case; one is made if it is left out."
    )
    name: Name | None = None


class ProductRow(Body):
    """A product."""

    id: Annotated[str, CaselessId()] | None = Field(
        None, description="That of an `app` is a UUID; one is made if it is left out."
    )
    name: Name | None = None
    kind: KindName | None = Field(
        None,
        description=f"One of {', '.join(KINDS)}, or a kind of the organization's own. Stays as it "
        "is once it is made; `product_kind` in a line of NDJSON.",
    )


class UserRow(Body):
    """A user: of that id, else of that username, else of that user_key; no two share one."""

    id: Annotated[str, Id()] | None = None
    username: Annotated[str, VisibleName(128)] | None = None
    user_key: Annotated[str, VisibleName(128)] | None = None
    email: Annotated[str, VisibleName(254)] | None = None
    type: Annotated[UserType, Choice()] | None = None
    role: Annotated[Role, Choice()] | None = None
    team: Name | None = None
    departments: Annotated[list[Name], Field(max_length=50)] | None = None
    verified: Annotated[bool, Flag()] | None = None
    state: Annotated[State, Choice()] | None = None
    state_since: Annotated[datetime, Instant()] | None = Field(
        None, description="When the state began; that of the first is when the user was created."
    )


class UserPath(Query):
    """Which user."""

    user_id: str


ROWS: Mapping[str, type[Body]] = {
    "organization": OrganizationRow,
    "license": LicenseRow,
    "kind": KindRow,
    "team": TeamRow,
    "department": DepartmentRow,
    "product": ProductRow,
    "user": UserRow,
}


class DirectoryDocument(Body):
    """A directory, or the part of one that is to change."""

    organization: OrganizationRow = Field(default_factory=OrganizationRow)
    license: LicenseRow = Field(default_factory=LicenseRow)
    kinds: list[KindRow] = Field(default_factory=list)
    teams: list[TeamRow] = Field(default_factory=list)
    departments: list[DepartmentRow] = Field(default_factory=list)
    products: list[ProductRow] = Field(default_factory=list)
    users: list[UserRow] = Field(default_factory=list)


SentDirectory = Annotated[Request, {JSON: DirectoryDocument, NDJSON: ROWS_SCHEMA}]


class RowResult(Answer):
    """What became of one row; `index` is its place in its list, or its line."""

    index: int
    kind: str
    id: str | None
    status: Status
    code: str | MISSING = MISSING
    message: str | MISSING = MISSING
    note: str | MISSING = Field(MISSING, description="What to know about a row that was taken.")


class RowResults(Answer):
    """What became of every row, in the order in which they were sent."""

    results: list[RowResult]


@frozen
class SentRow:
    """One row as it was sent: what of it can be read, and what is wrong with the rest."""

    index: int
    kind: str
    row: Row
    faults: tuple[Fault, ...] = ()
    id: str | None = None

    @classmethod
    def read(cls, index: int, kind: str, content: object) -> "SentRow":
        """Check one row by itself, so that it cannot spoil the others."""
        if not isinstance(content, dict):
            return cls.unreadable(
                index, kind, content, Invalid.parameter("row", "expected an object")
            )
        try:
            return cls(index, kind, values_of(fill(ROWS[kind], content)))
        except Invalid as invalid:
            bad = {field_of(fault) for fault in invalid.faults}
            good = {name: value for name, value in content.items() if name not in bad}
            row = values_of(fill(ROWS[kind], good))
            return cls(index, kind, row, invalid.faults, echoed_id(content))

    @classmethod
    def unreadable(cls, index: int, kind: str, content: object, invalid: Invalid) -> "SentRow":
        return cls(index, kind, {}, invalid.faults, echoed_id(content))

    def all_faults(self, edit: DirectoryEdit) -> list[Fault]:
        """All that is wrong: with each field by itself, and with the others in this directory.

        While its names cannot be read, it is unknown whether the row exists already.
        """
        if self.kind not in ROWS:
            return list(self.faults)
        bad = {field_of(fault) for fault in self.faults}
        nameless = bool(bad & IDENTIFYING)
        return [*self.faults] + [
            fault
            for fault in edit.faults(self.kind, self.row)
            if fault.name not in bad and not (nameless and fault.rule == REQUIRED)
        ]

    def result(self, outcome: Outcome) -> RowResult:
        return RowResult(
            index=self.index,
            kind=self.kind,
            id=outcome.id,
            status=outcome.status,
            code=outcome.code or MISSING,
            message=outcome.message or MISSING,
            note=outcome.note or MISSING,
        )


def field_of(fault: Fault) -> str:
    """The field of a row that a fault is in, whichever of its members it is about."""
    return fault.name.partition(".")[0]


def values_of(row: Body) -> Row:
    """What a row sets, in the words of the directory."""
    values = row.model_dump(exclude_unset=True)
    if isinstance(since := values.get("state_since"), datetime):
        values["state_since"] = epoch_ms(since)
    return values


def rows_sent(request: Request) -> list[SentRow]:
    sent_as = request.media_type
    if sent_as not in LARGEST_BODY:
        raise Unsupported
    if len(request.body) > LARGEST_BODY[sent_as]:
        raise TooLarge(limit=f"{LARGEST_BODY[sent_as]} bytes of {sent_as}")
    every = of_document(request.body) if sent_as == JSON else of_lines(request.body)
    rows = list(islice(every, MOST_ROWS + 1))  # a body may hold millions, each of a kilobyte here
    if len(rows) > MOST_ROWS:
        raise TooLarge(limit=f"{MOST_ROWS} rows")
    return rows


def of_document(body: bytes) -> Iterator[SentRow]:
    document = read_json(body)
    if not isinstance(document, dict):
        raise Invalid.parameter("body", "expected a JSON object")
    if faults := list(shape_faults(document)):
        raise Invalid(*faults)
    for name, content in document.items():
        for index, row in enumerate(content if name in LISTS else [content]):
            yield SentRow.read(index, LISTS.get(str(name), str(name)), row)


def shape_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    for name, content in document.items():
        if name not in DirectoryDocument.model_fields:
            yield Fault(name[:LONGEST_NAME], "unknown", WORDS["extra_forbidden"])
        elif name in LISTS and not isinstance(content, list):
            yield Fault(name, "list", "expected an array")
        elif name not in LISTS and not isinstance(content, dict):
            yield Fault(name, "object", "expected an object")


def of_lines(body: bytes) -> Iterator[SentRow]:
    for index, line in enumerate(body.split(b"\n")):
        if line.strip():
            yield of_line(index, line)


def of_line(index: int, line: bytes) -> SentRow:
    """One line; what cannot be read is that line's fault alone."""
    try:
        content = read_json(line)
    except Invalid as fault:
        return SentRow.unreadable(index, "unknown", None, fault)
    kind = content.pop("kind", None) if isinstance(content, dict) else None
    # a product has a kind of its own, which its line calls `product_kind`
    if kind == "product" and "product_kind" in content:
        content["kind"] = content.pop("product_kind")
    if not isinstance(kind, str) or kind not in ROWS:
        unknown = Invalid.parameter("kind", f"expected one of {', '.join(ORDER)}", kind)
        return SentRow.unreadable(index, "unknown", content, unknown)
    return SentRow.read(index, kind, content)


def apply_rows(edit: DirectoryEdit, rows: Sequence[SentRow], deadline: Deadline) -> RowResults:
    edit.meet(sent.row for sent in rows if sent.kind == "user")
    order = sorted(range(len(rows)), key=lambda place: rank(rows[place]))
    outcomes = {place: apply_row(edit, rows[place], deadline) for place in order}
    return RowResults(results=[row.result(outcomes[place]) for place, row in enumerate(rows)])


def apply_row(edit: DirectoryEdit, sent: SentRow, deadline: Deadline) -> Outcome:
    if deadline.passed:
        return Outcome(Status.NOT_ATTEMPTED, code="timeout", message="send this row again")
    if sent.kind == "user" and not edit.has_room_for(sent.row):
        return Outcome(Status.NOT_ATTEMPTED, code="too_scattered", message=SCATTERED)
    if sent.faults:
        return Outcome.rejected(sent.id, sent.all_faults(edit))
    return edit.apply(sent.kind, sent.row)


def rank(sent: SentRow) -> int:
    return ORDER.index(sent.kind) if sent.kind in ORDER else len(ORDER)


def change_told(rows: Sequence[SentRow], edit: DirectoryEdit, results: RowResults) -> Act:
    """A change as the trail tells it: counts, fields, and the numbers of some users; no names."""
    changed = [
        (sent, result)
        for sent, result in zip(rows, results.results, strict=True)
        if result.status in (Status.CREATED, Status.UPDATED)
    ]
    counts = Counter((str(result.status), result.kind) for _, result in changed)
    statuses = sorted({status for status, _ in counts})
    by_status = {
        status: {kind: count for (each, kind), count in sorted(counts.items()) if each == status}
        for status in statuses
    }
    ids = [str(result.id) for _, result in changed if result.kind == "user"]
    found = (edit.user_with("id", each) for each in dict.fromkeys(ids))
    users = list(islice((number for number in found if number is not None), MOST_NAMED))
    fields = sorted({name for sent, _ in changed for name in sent.row} - {"id"})
    return Act(Action.DIRECTORY_CHANGED, users=users, details={**by_status, "fields": fields})
