"""The registers of a directory while it is changed, and what is wrong with a row sent to them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from odometer.directory.columns import Register, Row
from odometer.directory.snapshot import APP, Directory
from odometer.domain.errors import Conflict, Fault, Invalid, NotFound
from odometer.domain.events import AHEAD
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role, State, UserType
from odometer.domain.text import UUID, as_kept
from odometer.domain.time import epoch_ms

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
NAMES = ("id", "username", "user_key")
"""The columns by which a subject may name a user; no two users share a name in any of them."""
LICENSE_NEEDS = ("exp", "iat", "seats", "seats_cap")
LAST_ADMIN = "the last Admin; make somebody else one first"
MOST_PRODUCTS = 16_000
"""Every product has a row in the engine's totals."""
INVALID: Final = Invalid.code
CONFLICT: Final = Conflict.code
NOT_FOUND: Final = NotFound.code
REQUIRED: Final = "required"
"""The rules that a row may break; a missing field counts as invalid, too."""


class Registers:
    """All of a directory that can be changed, and the version that it was read from."""

    def __init__(self, directory: Directory, now: datetime) -> None:
        self.base = base = directory.head
        self.now_ms = epoch_ms(now)
        self.organization = dict(base.organization)
        self.license = dict(base.license) if base.license else None
        self.erased = base.erased
        self.users = directory.register("users")
        self.teams = directory.register("teams")
        self.departments = directory.register("departments")
        self.products = directory.register("products")
        columns = self.users.columns
        self.user_names = {
            name: number for column in NAMES for number, name in enumerate(columns[column])
        }
        self.user_names.pop("", None)

    def user_with(self, column: str, value: str) -> int | None:
        number = self.user_names.get(value)
        if number is None or self.users.columns[column][number] != value:
            return None
        return number

    def find_user(self, row: Row) -> int | None:
        """The user that a row is about: by its id if it has one, else by username or user_key."""
        names = names_in(row)
        columns = ["id"] if "id" in names else list(names)
        found = (self.user_with(column, names[column]) for column in columns)
        return next((number for number in found if number is not None), None)

    def is_last_admin(self, user: Row) -> bool:
        if not is_admin(user):
            return False
        columns = self.users.columns
        everyone = zip(columns["role"], columns["state"], strict=True)
        return sum(is_admin({"role": role, "state": state}) for role, state in everyone) == 1


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


def history_with(history: list[list[Any]], values: Row, now_ms: int) -> list[list[Any]]:
    """The history after a row: a new state is added, the start of the present one is corrected."""
    state, since = history[-1]
    new_state, new_since = values.get("state", state), values.get("state_since")
    if new_state == state and new_since in (None, since):
        return history
    earlier = history[:-1] if new_state == state else history
    return [*earlier, [new_state, values.get("state_since", now_ms)]]


def license_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from uncleared(row, *LICENSE_NEEDS)
    yield from missing({**(registers.license or {}), **row}, *LICENSE_NEEDS)


def department_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    yield from no_uuid(row)
    yield from named_faults(registers.departments, row)


def product_faults(registers: Registers, row: Row) -> Iterator[Fault]:
    number = registers.products.find(row)
    kind = kind_of(registers, row, number)
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
    if before:
        yield from last_admin(registers, before, {**before, **values_set(row, NEW_USER)})


FAULTS: Mapping[str, Callable[[Registers, Row], Iterator[Fault]]] = {
    "organization": lambda _, row: uncleared(row, "name"),
    "license": license_faults,
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
        if (owner := registers.user_names.get(value)) not in (None, number):
            yield Fault(name, CONFLICT, f"belongs to user {registers.users.columns['id'][owner]}")


def colon(user: Row) -> Iterator[Fault]:
    """A colon would end a username in a Basic header.

    A user whom only events have named may have one: their username and user_key are the same, and
    they can be put again as they were exported.
    """
    if ":" in (user.get("username") or "") and user["username"] != user.get("user_key"):
        yield Fault("username", INVALID, "a colon would end it in a Basic header")


def last_admin(registers: Registers, before: Row, after: Row) -> Iterator[Fault]:
    """Somebody must be left who can make others an Admin."""
    if not is_admin(after) and registers.is_last_admin(before):
        name = "state" if after["role"] == Role.ADMIN else "role"
        yield Fault(name, CONFLICT, f"user {before['id']} is {LAST_ADMIN}")


def state_faults(before: Row, row: Row, now_ms: int) -> Iterator[Fault]:
    """A state begins after the one before it, and ahead of now only by a difference of clocks."""
    values = values_set(row, NEW_USER)
    if values.get("state_since", now_ms) > now_ms + AHEAD // timedelta(milliseconds=1):
        yield Fault("state_since", INVALID, "more than 5 minutes ahead")
    history = history_with(before["history"], values, now_ms) if before else []
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
