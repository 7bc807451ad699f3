"""Changes to a directory: rows come in, each is created, updated, left alone or rejected.

Absent rows are left alone, absent fields keep their value, None clears. The same rows sent
again change nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import uuid4

from odometer.directory.columns import Block, Columns, DirectoryHead, Register
from odometer.directory.people import default_email
from odometer.directory.snapshot import APP, Directory
from odometer.domain.errors import Conflict, Fault, Invalid, NotFound
from odometer.domain.identity import UUID, as_kept
from odometer.domain.intake import AHEAD
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role, State, UserType
from odometer.domain.time import epoch_ms

Row = Mapping[str, Any]

NEW_ORGANIZATION: Row = {
    "time_zone": "UTC",
    "domains": [],
    "plan_type": "standard",
    "public_key": "",
    "saml_enabled": False,
    "smtp_configured": False,
    "username_password_enabled": True,
    "retention_years": 3,
}
NEW_LICENSE: Row = {"audience": "", "features": [], "settings": {}}
LICENSE_NEEDS = ("exp", "iat", "seats", "seats_cap")
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
NEW_TEAM: Row = {"is_default": False}
LAST_ADMIN = "the last Admin; make somebody else one first"
MOST_PRODUCTS = 16_000
"""All of them have a row in the totals of the engine."""
NAMES = ("id", "username", "user_key")
"""What a subject may name a user by: no two users have one of them in common."""
INVALID: Final = Invalid.code
CONFLICT: Final = Conflict.code
NOT_FOUND: Final = NotFound.code
REQUIRED: Final = "required"
"""The rules that a row may break; what is missing is invalid as well."""
LONGEST_REASON: Final = 384  # so that 10,000 of them fit into one answer


class Status(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row, and why not when it was rejected."""

    status: Status
    id: str | None = None
    code: str | None = None
    message: str | None = None

    @classmethod
    def rejected(cls, row_id: str | None, faults: Sequence[Fault]) -> "Outcome":
        """A row that is not taken: the code of its first fault, and all of them in words."""
        code = faults[0].rule if faults[0].rule in (CONFLICT, NOT_FOUND) else INVALID
        return cls(Status.REJECTED, row_id, code, reason(faults))


def reason(faults: Sequence[Fault]) -> str:
    """All faults in words; where that is too long, the first one and the names of the others."""
    told = [f"{fault.name}: {fault.message}" for fault in faults]
    if len(whole := "; ".join(told)) <= LONGEST_REASON:
        return whole
    names = ", ".join(fault.name for fault in faults[1:])
    first = shortened(told[0], LONGEST_REASON // 2)
    return shortened(f"{first}; also at fault: {names}" if names else whole, LONGEST_REASON)


def shortened(text: str, longest: int) -> str:
    """A text, or its beginning and a sign that it goes on."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class Draft:
    """A directory being changed: apply rows, then commit what was touched, all at once."""

    def __init__(self, directory: Directory, now: datetime) -> None:
        self.base = directory.head
        self.now_ms = epoch_ms(now)
        self.organization = dict(self.base.organization)
        self.license = dict(self.base.license) if self.base.license else None
        self.users = directory.register("users")
        self.teams = directory.register("teams")
        self.departments = directory.register("departments")
        self.products = directory.register("products")
        self.user_names = {name: row for row, name in self._user_names() if name}
        self.erased = self.base.erased

    def apply(self, kind: str, row: Row) -> Outcome:
        """Take one row of one kind whole, or say all that is wrong with it."""
        if faults := self.faults(kind, row):
            return Outcome.rejected(row.get("id"), faults)
        return RULES[kind].apply(self, row)

    def faults(self, kind: str, row: Row) -> list[Fault]:
        """All that is wrong with one row of one kind, one fault for each field."""
        first: dict[str, Fault] = {}
        for fault in RULES[kind].faults(self, row):
            first.setdefault(fault.name, fault)
        return list(first.values())

    @property
    def changed(self) -> bool:
        """Whether anything differs from the base."""
        base = self.base
        small = (self.organization, self.license, self.erased)
        return small != (base.organization, base.license, base.erased) or bool(self.touched)

    @property
    def touched(self) -> dict[Block, Columns]:
        """The blocks that differ from the base, with their content."""
        return {
            block: register.content(block)
            for register in self._registers()
            for block in sorted(register.touched)
        }

    def head(self, commit: str) -> DirectoryHead:
        """The head of the next version, whose changed blocks were written by that commit."""
        return DirectoryHead(
            version=self.base.version + 1,
            organization=self.organization,
            license=self.license,
            sizes={register.name: len(register) for register in self._registers()},
            blocks={**self.base.blocks, **dict.fromkeys(self.touched, commit)},
            erased=self.erased,
        )

    def _registers(self) -> tuple[Register, ...]:
        return (self.users, self.teams, self.departments, self.products)

    def _user_names(self) -> Iterator[tuple[int, str]]:
        for column in NAMES:
            yield from enumerate(self.users.columns[column])


def organization_faults(_draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with the organization's own attributes."""
    return uncleared(row, "name")


def apply_organization(draft: Draft, row: Row) -> Outcome:
    """Change the organization's own attributes."""
    before = dict(draft.organization)
    draft.organization.update(given(row, NEW_ORGANIZATION))
    changed = draft.organization != before
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, draft.organization["id"])


def license_faults(draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with the license: some of it has no default."""
    yield from uncleared(row, *LICENSE_NEEDS)
    yield from missing({**(draft.license or {}), **row}, *LICENSE_NEEDS)


def apply_license(draft: Draft, row: Row) -> Outcome:
    """Set or change the license."""
    before = draft.license
    draft.license = {**(before or NEW_LICENSE), **given(row, NEW_LICENSE)}
    if before is None:
        return Outcome(Status.CREATED)
    return Outcome(Status.UNCHANGED if draft.license == before else Status.UPDATED)


def team_faults(draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with a team."""
    return named_faults(draft.teams, row)


def apply_team(draft: Draft, row: Row) -> Outcome:
    """Create or change a team."""
    return apply_named(draft.teams, row, NEW_TEAM)


def department_faults(draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with a department."""
    yield from no_uuid(row)
    yield from named_faults(draft.departments, row)


def apply_department(draft: Draft, row: Row) -> Outcome:
    """Create or change a department."""
    return apply_named(draft.departments, row, {})


def product_faults(draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with a product; what kind it is of stays."""
    number = found_by_id_or_name(draft.products, row)
    kind = kind_of(draft, row, number)
    if kind is not None and row.get("kind") not in (None, kind):
        yield Fault("kind", CONFLICT, f"is {kind} and stays so")
    if number is None and row.get("kind") == APP:
        yield from no_uuid(row)
    yield from named_faults(draft.products, row)
    if number is None:
        yield from missing(row, "kind")
    if number is None and len(draft.products) == MOST_PRODUCTS:
        yield Fault("product", CONFLICT, f"an organization has at most {MOST_PRODUCTS} products")


def kind_of(draft: Draft, row: Row, number: int | None) -> str | None:
    """The kind of a product that there is, or that every organization has."""
    if number is not None:
        return str(draft.products.columns["kind"][number])
    default = DEFAULT_PRODUCTS.get(str(row.get("id")))
    return default.name if default else None


def apply_product(draft: Draft, row: Row) -> Outcome:
    """Create or change a product."""
    return apply_named(draft.products, row, {})


def found_by_id_or_name(register: Register, row: Row) -> int | None:
    """The row that this one speaks of: by id when it has one, else by name."""
    column = "name" if row.get("id") is None else "id"
    return position(register.columns[column], row.get(column))


def named_faults(register: Register, row: Row) -> Iterator[Fault]:
    """What is wrong with a row that has a name."""
    if row.get("id") is None:
        yield from shared_name(register, "name", row.get("name"))
    yield from uncleared(row, "name", "kind")
    if found_by_id_or_name(register, row) is None:
        yield from missing(row, "name")


def apply_named(register: Register, row: Row, new: Row) -> Outcome:
    """Create or change a row that has a name."""
    number, values = found_by_id_or_name(register, row), given(row, new)
    if number is None:
        number = register.append({**new, "id": fresh_id(), **values})
        return Outcome(Status.CREATED, register.columns["id"][number])
    changed = register.change(number, values)
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, register.columns["id"][number])


def user_faults(draft: Draft, row: Row) -> Iterator[Fault]:
    """What is wrong with a user."""
    number = found_user(draft, row)
    before = {} if number is None else draft.users.row(number)
    yield from names_of_others(draft, row, number)
    yield from uncleared(row, "username")
    if number is None:
        yield from missing(row, "username")
    yield from colon({**before, **row})
    yield from unknown_references(draft, row)
    yield from state_faults(before, row, draft.now_ms)
    if before and is_admin(before):
        yield from last_admin(draft, before, {**before, **given(row, NEW_USER)})


def apply_user(draft: Draft, row: Row) -> Outcome:
    """Create or change a user."""
    number = found_user(draft, row)
    values = {**given(row, NEW_USER), **references(draft, row)}
    if number is None:
        number = create_user(draft, values)
        return Outcome(Status.CREATED, draft.users.columns["id"][number])
    changed = change_user(draft, number, values)
    return Outcome(
        Status.UPDATED if changed else Status.UNCHANGED, draft.users.columns["id"][number]
    )


def register(draft: Draft, subject: str, since_ms: int) -> int:
    """The user whom an event's subject names; an unknown one is registered, so no usage is lost."""
    if subject not in draft.user_names:
        create_user(draft, {"username": subject, "state_since": since_ms})
    return draft.user_names[subject]


def erase(draft: Draft, user_id: str) -> int | None:
    """Make nobody of a user: the row stays for the sums, as an account that has ended.

    Answers whose row it was; None where nobody has that id.
    """
    number = known_as(draft, "id", user_id)
    if number is None:
        return None
    if is_admin(draft.users.row(number)) and is_last_admin(draft):
        raise Invalid.parameter("user_id", LAST_ADMIN, user_id)
    history = draft.users.columns["history"][number]
    ended = max(draft.now_ms, history[-1][1])
    draft.users.change(
        number,
        {
            "role": Role.MEMBER,
            "state": State.DEACTIVATED,
            "history": history_with(history, {"state": State.DEACTIVATED}, ended),
            "email": None,
            "verified": False,
        },
    )
    draft.erased |= {number}
    return number


def found_user(draft: Draft, row: Row) -> int | None:
    """The user that a row speaks of: by id when it has one, else by username, else by user_key."""
    sent = names_sent(row)
    keys = ["id"] if "id" in sent else list(sent)
    known = (known_as(draft, key, sent[key]) for key in keys)
    return next((each for each in known if each is not None), None)


def names_sent(row: Row) -> dict[str, str]:
    """The names of a user that a row has."""
    return {name: row[name] for name in NAMES if row.get(name) is not None}


def names_of_others(draft: Draft, row: Row, number: int | None) -> Iterator[Fault]:
    """The names of a row that are somebody else's: a subject means one user."""
    for name, value in names_sent(row).items():
        if (owner := draft.user_names.get(value)) not in (None, number):
            yield Fault(name, CONFLICT, f"belongs to user {draft.users.columns['id'][owner]}")


def colon(user: Row) -> Iterator[Fault]:
    """A colon ends a username in a Basic header; whom only an event has named may have one.

    They are known by their username and user_key alike, and put again as they were exported.
    """
    if ":" in (user.get("username") or "") and user["username"] != user.get("user_key"):
        yield Fault("username", INVALID, "a colon would end it in a Basic header")


def known_as(draft: Draft, name: str, value: str) -> int | None:
    """The user who has that id, that username or that user_key; the other names do not count."""
    number = draft.user_names.get(value)
    if number is None or draft.users.columns[name][number] != value:
        return None
    return number


def create_user(draft: Draft, values: Row) -> int:
    """A new user, with a history of one state."""
    user = {**NEW_USER, "id": fresh_id(), **values}
    fill_in(user, user["username"])
    user["history"] = [[user["state"], beginning(values, draft.now_ms)]]
    number = draft.users.append({**user, "updated_at": draft.now_ms})
    rename(draft, number)
    return number


def change_user(draft: Draft, number: int, values: Row) -> bool:
    """Change a user; the states that were stay in the history."""
    before = draft.users.row(number)
    after = {name: value for name, value in values.items() if name != "state_since"}
    after.setdefault("email", before["email"])
    fill_in(after, after.get("username", before["username"]))
    after["history"] = history_with(before["history"], values, draft.now_ms)
    after["state"] = after["history"][-1][0]
    if not draft.users.change(number, after):
        return False
    draft.users.change(number, {"updated_at": draft.now_ms})
    for name in NAMES:
        draft.user_names.pop(before[name], None)
    rename(draft, number)
    return True


def fill_in(values: dict[str, Any], username: str) -> None:
    """Put the defaults that a username gives in the place of values that are null."""
    for name, default in {"user_key": username, "email": default_email(username)}.items():
        if name in values and values[name] is None:
            values[name] = default


def is_admin(user: Row) -> bool:
    """Whether somebody may change the directory, if they have a key for it."""
    return bool(user["role"] == Role.ADMIN and user["state"] != State.DEACTIVATED)


def last_admin(draft: Draft, before: Row, after: Row) -> Iterator[Fault]:
    """Somebody must be left who can make others an Admin."""
    if not is_admin(after) and is_last_admin(draft):
        name = "state" if after["role"] == Role.ADMIN else "role"
        yield Fault(name, CONFLICT, f"user {before['id']} is {LAST_ADMIN}")


def is_last_admin(draft: Draft) -> bool:
    """Whether only one is left who can make others an Admin: without one the directory is shut."""
    columns = draft.users.columns
    everyone = zip(columns["role"], columns["state"], strict=True)
    return sum(is_admin({"role": role, "state": state}) for role, state in everyone) == 1


def rename(draft: Draft, number: int) -> None:
    """Make the user known by the names that they have now."""
    for name in NAMES:
        draft.user_names[draft.users.columns[name][number]] = number


def history_with(history: list[list[Any]], values: Row, now_ms: int) -> list[list[Any]]:
    """The history after a row: a new state is added, the beginning of the present one corrected."""
    state, since = history[-1]
    wanted, moment = values.get("state", state), values.get("state_since")
    if wanted == state and moment in (None, since):
        return history
    earlier = history[:-1] if wanted == state else history
    return [*earlier, [wanted, beginning(values, now_ms)]]


def state_faults(before: Row, row: Row, now_ms: int) -> Iterator[Fault]:
    """What is wrong with when a state begins: later only by the difference of clocks."""
    values = given(row, NEW_USER)
    if beginning(values, now_ms) > now_ms + AHEAD // timedelta(milliseconds=1):
        yield Fault("state_since", INVALID, "more than 5 minutes ahead")
    history = history_with(before["history"], values, now_ms) if before else []
    if len(history) > 1 and history[-1][1] < history[-2][1]:
        yield Fault("state_since", CONFLICT, "before the state that came before")


def beginning(values: Row, now_ms: int) -> int:
    """When a state begins: now, if that is not said."""
    begins: int = values.get("state_since", now_ms)
    return begins


def unknown_references(draft: Draft, row: Row) -> Iterator[Fault]:
    """The team and departments of a user row that name nothing, or more than one."""
    if row.get("team") is not None:
        yield from not_one(draft.teams, "team", row["team"])
    for place, name in enumerate(row.get("departments") or ()):
        yield from not_one(draft.departments, f"departments.{place}", name)


def not_one(register: Register, field: str, name: str) -> Iterator[Fault]:
    """Why a name refers to no one row, if it does not."""
    if position(register.columns["id"], as_kept(name)) is None:
        yield from shared_name(register, field, name)
        if name not in register.columns["name"]:
            yield Fault(field, NOT_FOUND, f"nothing is called {name}")


def references(draft: Draft, row: Row) -> dict[str, Any]:
    """The team and departments of a user row, by their numbers."""
    found: dict[str, Any] = {}
    if row.get("team") is not None:
        found["team"] = referred(draft.teams, row["team"])
    if row.get("departments") is not None:
        found["departments"] = sorted(
            {referred(draft.departments, each) for each in row["departments"]}
        )
    return found


def referred(register: Register, name: str) -> int:
    """The number of the row that is called so, by id or else by name."""
    columns, number = register.columns, position(register.columns["id"], as_kept(name))
    return int(columns["name"].index(name)) if number is None else number


def shared_name(register: Register, field: str, name: str | None) -> Iterator[Fault]:
    """A name that several have refers to none of them."""
    if register.columns["name"].count(name) > 1:
        yield Fault(field, CONFLICT, f"several are called {name}; refer to one by its id")


def given(row: Row, defaults: Row) -> dict[str, Any]:
    """What a row sets: None goes back to the default."""
    return {
        name: defaults.get(name) if value is None else value
        for name, value in row.items()
        if not (name in ("id", "state", "state_since") and value is None)
    }


def uncleared(row: Row, *names: str) -> Iterator[Fault]:
    """The fields that have no default to go back to."""
    for name in names:
        if name in row and row[name] is None:
            yield Fault(name, INVALID, "cannot be cleared")


def missing(row: Row, *names: str) -> Iterator[Fault]:
    """The fields that a new row needs."""
    for name in names:
        if row.get(name) is None:
            yield Fault(name, REQUIRED, "required")


def no_uuid(row: Row) -> Iterator[Fault]:
    """An id by which reports are asked for; they take no other."""
    if row.get("id") is not None and not UUID.fullmatch(row["id"]):
        yield Fault("id", INVALID, "expected a UUID; one is made if it is left out")


def position(column: list[Any], value: object) -> int | None:
    """Where the value stands in the column."""
    try:
        return column.index(value)
    except ValueError:
        return None


def fresh_id() -> str:
    """An id for a row that came without one."""
    return str(uuid4())


class Rules(NamedTuple):
    """How rows of one kind are taken: what may be wrong with one, and what it does."""

    faults: Callable[[Draft, Row], Iterator[Fault]]
    apply: Callable[[Draft, Row], Outcome]


RULES: Mapping[str, Rules] = {
    "organization": Rules(organization_faults, apply_organization),
    "license": Rules(license_faults, apply_license),
    "team": Rules(team_faults, apply_team),
    "department": Rules(department_faults, apply_department),
    "product": Rules(product_faults, apply_product),
    "user": Rules(user_faults, apply_user),
}
