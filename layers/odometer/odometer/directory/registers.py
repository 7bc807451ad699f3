"""The registers of a directory while it is changed, and what is wrong with a row sent to them."""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from odometer.directory.columns import BLOCK_ROWS, NAMES, Block, Register, Row
from odometer.directory.history import history_of, history_with
from odometer.directory.kinds import MOST_KINDS, faults_of_kind, own_kind
from odometer.directory.snapshot import APP, Directory
from odometer.directory.users import UserRegister
from odometer.domain.errors import Conflict, Fault, Invalid, NotFound
from odometer.domain.events import AHEAD
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, Kind
from odometer.domain.people import Role, State, UserType
from odometer.domain.text import UUID, as_kept
from odometer.domain.time import epoch_ms
from odometer.domain.values import Values

NEW_USER: Row = {
    "user_key": None,
    "email": None,
    "type": UserType.ACCOUNT,
    "role": Role.MEMBER,
    "state": State.REGISTERED,
    "team": None,
    "departments": [],
    "verified": False,
}
LICENSE_NEEDS = ("exp", "iat", "seats", "seats_cap")
LAST_ADMIN = "the last Admin; make somebody else one first"
MOST_PRODUCTS = 16_000
"""Every product has a row in the engine's totals."""
MOST_USERS = 2_000_000
MOST_REGISTERED = 1_000_000
"""Whoever has so many users registers nobody by events any more."""
LARGEST_TEXT = 160_000
"""So many bytes of an organization, and of a license, fit into the head, compressed."""
INVALID: Final = Invalid.code
CONFLICT: Final = Conflict.code
NOT_FOUND: Final = NotFound.code
REQUIRED: Final = "required"
"""The rules that a row may break; a missing field counts as invalid, too."""


class Registers:
    """All of a directory that can be changed, and the version that it was read from."""

    def __init__(self, directory: Directory, now: datetime) -> None:
        self.directory = directory
        self.base = base = directory.head
        self.now_ms = epoch_ms(now)
        self.organization = dict(base.organization)
        self.license = dict(base.license) if base.license else None
        self.limits = base.limits
        self.erased: set[int] = set()
        """Those who are erased by this change."""
        self.values: dict[Block, Values] = {}
        """Of breakdowns, some of which are registered by this change."""
        self.users = UserRegister(directory)
        self.teams = directory.register("teams")
        self.departments = directory.register("departments")
        self.products = directory.register("products")
        self.kinds = directory.register("kinds")
        self.user_names = UserNames(directory)
        self._admins: set[int] = set()

    def meet(self, rows: Iterable[Row]) -> None:
        """Find the users that rows are about and read their blocks, all at once."""
        names = [name for row in rows for name in names_in(row).values()]
        self.user_names.meet(names)
        self.users.open(
            {number for number in map(self.user_names.get, names) if number is not None}
        )

    def has_room_for(self, user: Row) -> bool:
        """Whether a row about a user is about blocks that are in memory, or may be."""
        found = map(self.user_names.get, names_in(user).values())
        return self.users.has_room_for(number for number in found if number is not None)

    def user_with(self, column: str, value: str) -> int | None:
        number = self.user_names.get(value)
        if number is None or self.users.value(number, column) != value:
            return None
        return number

    def find_user(self, row: Row) -> int | None:
        """The user that a row is about: by its id if it has one, else by username or user_key."""
        names = names_in(row)
        columns = ["id"] if "id" in names else list(names)
        found = (self.user_with(column, names[column]) for column in columns)
        return next((number for number in found if number is not None), None)

    def kind_named(self, name: str | None) -> Kind | None:
        """The kind of that name, a built-in one or one that the organization has."""
        place = self.kinds.position("id", name)
        if name is None or place is None:
            return KINDS.get(name or "")
        return own_kind(name, self.kinds.columns["definition"][place])

    def is_last_admin(self, number: int) -> bool:
        if not is_admin(self.users.row(number)):
            return False
        others = self._admins - {number}
        if not any(is_admin(self.users.row(other)) for other in others):
            self._admins = set(islice(self._find_admins(), 2))
        return self._admins == {number}

    def _find_admins(self) -> Iterator[int]:
        for place, roster in self.users.rosters():
            pairs = enumerate(zip(roster["role"], roster["state"], strict=True))
            for row, (role, state) in pairs:
                if is_admin({"role": role, "state": state}):
                    yield place * BLOCK_ROWS + row


class UserNames:
    """Who has which name, in a directory that is being changed."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[str, int | None] = {}

    def meet(self, names: Iterable[str]) -> None:
        """Look up several names at once."""
        new = {name for name in names if name not in self._known}
        if new:
            found = self._directory.numbers_of(new)
            self._known |= {name: found.get(name) for name in new}

    def get(self, name: str) -> int | None:
        self.meet([name])
        return self._known[name]

    def set(self, name: str, number: int | None) -> None:
        self._known[name] = number


def names_in(row: Row) -> dict[str, str]:
    return {name: row[name] for name in NAMES if row.get(name) is not None}


def is_admin(user: Row) -> bool:
    """Whether a user may change the directory, if they have a key for it."""
    return bool(user["role"] == Role.ADMIN and user["state"] != State.DEACTIVATED)


def values_set(row: Row, defaults: Row) -> dict[str, Any]:
    """The values that a row sets; null sets the default."""
    return {
        name: defaults.get(name) if value is None else value
        for name, value in row.items()
        if not (name in ("id", "state", "state_since") and value is None)
    }


def organization_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from uncleared(row, "name")
    yield from too_large(registers.organization, row)


def too_large(values: Row, row: Row) -> Iterator[Fault]:
    """What would not fit into the head; the largest value is named."""
    sizes = {name: compressed_size(value) for name, value in {**values, **row}.items()}
    if sum(sizes.values()) > LARGEST_TEXT and (sent := [name for name in row if sizes[name]]):
        name = max(sent, key=sizes.__getitem__)
        yield Fault(name, INVALID, "too large to be kept with the others")


def compressed_size(value: object) -> int:
    return len(zlib.compress(json.dumps(value).encode(), 6))


def license_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from too_large(registers.license or {}, row)
    yield from uncleared(row, *LICENSE_NEEDS)
    yield from missing({**(registers.license or {}), **row}, *LICENSE_NEEDS)


def department_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from no_uuid(row)
    yield from named_faults(registers.departments, row)


def kind_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from uncleared(row, "name", "days", "measures")
    yield from missing(row, "name")
    before = registers.kind_named(row.get("name"))
    if before is None:
        yield from missing(row, "measures")
    if before is None and len(registers.kinds) == MOST_KINDS:
        yield Fault("name", CONFLICT, f"an organization has at most {MOST_KINDS} kinds of its own")
    yield from faults_of_kind(before, row)


def product_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    number = registers.products.find(row)
    kind = kind_of(registers, row, number)
    if row.get("kind") is not None and registers.kind_named(row["kind"]) is None:
        known = [*KINDS, *registers.kinds.columns["id"]]
        yield Fault("kind", INVALID, f"expected one of {', '.join(known)}")
    if kind is not None and row.get("kind") not in (None, kind):
        yield Fault("kind", CONFLICT, f"is {kind} and stays so")
    if number is None and row.get("kind") == APP:
        yield from no_uuid(row)
    yield from named_faults(registers.products, row)
    if number is None:
        yield from missing(row, "kind")
    if number is None and len(registers.products) == MOST_PRODUCTS:
        yield Fault("product", CONFLICT, f"an organization has at most {MOST_PRODUCTS} products")


def user_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    number = registers.find_user(row)
    before = {} if number is None else registers.users.row(number)
    yield from names_of_others(registers, row, number)
    yield from uncleared(row, "username")
    if number is None:
        yield from missing(row, "username")
    yield from colon({**before, **row})
    yield from unknown_references(registers, row)
    yield from state_faults(before, row, registers.now_ms)
    if number is not None:
        yield from last_admin(registers, number, {**before, **values_set(row, NEW_USER)})
    elif len(registers.users) >= MOST_USERS:
        yield Fault("user", CONFLICT, f"an organization has at most {MOST_USERS} users")


FAULTS: Mapping[str, Callable[[Registers, Row], Iterator[Fault]]] = {
    "organization": organization_faults,
    "license": license_faults,
    "kind": kind_faults,
    "team": lambda registers, row: named_faults(registers.teams, row),
    "department": department_faults,
    "product": product_faults,
    "user": user_faults,
}


def faults_of(registers: Registers, kind: str, row: Row) -> list[Fault]:
    """All that is wrong with a row, one fault for each field."""
    first: dict[str, Fault] = {}
    for fault in FAULTS[kind](registers, row):
        first.setdefault(fault.name, fault)
    return list(first.values())


def kind_of(registers: Registers, row: Row, number: int | None) -> str | None:
    if number is not None:
        return str(registers.products.columns["kind"][number])
    default = DEFAULT_PRODUCTS.get(str(row.get("id")))
    return default.name if default else None


def named_faults(register: Register, row: Row) -> Iterator[Fault]:
    if row.get("id") is None:
        yield from shared_name(register, "name", row.get("name"))
    yield from uncleared(row, "name", "kind")
    if register.find(row) is None:
        yield from missing(row, "name")


def names_of_others(registers: Registers, row: Row, number: int | None) -> Iterator[Fault]:
    """Names in a row that belong to another user: a subject names one user only."""
    for name, value in names_in(row).items():
        owner = registers.user_names.get(value)
        if owner is not None and owner != number:
            yield Fault(name, CONFLICT, f"belongs to user {registers.users.value(owner, 'id')}")


def colon(user: Row) -> Iterator[Fault]:
    """A colon would end a username in a Basic header.

    A user whom only events have named may have one: their username and user_key are the same, and
    they can be put again as they were exported.
    """
    if ":" in (user.get("username") or "") and user["username"] != user.get("user_key"):
        yield Fault("username", INVALID, "a colon would end it in a Basic header")


def last_admin(registers: Registers, number: int, after: Row) -> Iterator[Fault]:
    """Somebody must be left who can make others an Admin."""
    if not is_admin(after) and registers.is_last_admin(number):
        name = "state" if after["role"] == Role.ADMIN else "role"
        yield Fault(name, CONFLICT, f"user {registers.users.value(number, 'id')} is {LAST_ADMIN}")


def state_faults(before: Row, row: Row, now_ms: int) -> Iterator[Fault]:
    """A state begins after the one before it, and ahead of now only by a difference of clocks."""
    values = values_set(row, NEW_USER)
    if values.get("state_since", now_ms) > now_ms + AHEAD // timedelta(milliseconds=1):
        yield Fault("state_since", INVALID, "more than 5 minutes ahead")
    history = history_with(history_of(before), values, now_ms) if before else []
    if len(history) > 1 and history[-1][1] < history[-2][1]:
        yield Fault("state_since", CONFLICT, "before the state that came before")


def unknown_references(registers: Registers, row: Row) -> Iterator[Fault]:
    if row.get("team") is not None:
        yield from not_one(registers.teams, "team", row["team"])
    for place, name in enumerate(row.get("departments") or ()):
        yield from not_one(registers.departments, f"departments.{place}", name)


def not_one(register: Register, field: str, name: str) -> Iterator[Fault]:
    if register.position("id", as_kept(name)) is None:
        yield from shared_name(register, field, name)
        if name not in register.columns["name"]:
            yield Fault(field, NOT_FOUND, f"nothing is called {name}")


def shared_name(register: Register, field: str, name: str | None) -> Iterator[Fault]:
    """A name that several rows have refers to none of them."""
    if register.columns["name"].count(name) > 1:
        yield Fault(field, CONFLICT, f"several are called {name}; refer to one by its id")


def uncleared(row: Row, *names: str) -> Iterator[Fault]:
    for name in names:
        if name in row and row[name] is None:
            yield Fault(name, INVALID, "cannot be cleared")


def missing(row: Row, *names: str) -> Iterator[Fault]:
    for name in names:
        if row.get(name) is None:
            yield Fault(name, REQUIRED, "required")


def no_uuid(row: Row) -> Iterator[Fault]:
    """An id that is no UUID, where reports take nothing else."""
    if row.get("id") is not None and not UUID.fullmatch(row["id"]):
        yield Fault("id", INVALID, "expected a UUID; one is made if it is left out")
