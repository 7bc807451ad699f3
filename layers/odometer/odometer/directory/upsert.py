"""Changes to a directory: rows come in, each is created, updated, left alone or rejected.

Absent rows are left alone, absent fields keep their value, None clears. The same rows sent
again change nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from odometer.directory.columns import Block, Columns, Head, Register
from odometer.directory.people import default_email
from odometer.directory.snapshot import APP, Directory
from odometer.domain.errors import Invalid
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


class Rejected(Exception):
    """This row cannot be taken; the others can."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.outcome = Outcome(Status.REJECTED, None, code, message)


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
        """Take one row of one kind."""
        try:
            return APPLY[kind](self, row)
        except Rejected as rejected:
            return replace(rejected.outcome, id=row.get("id"))

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

    def head(self, commit: str) -> Head:
        """The head of the next version, whose changed blocks were written by that commit."""
        return Head(
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


def apply_organization(draft: Draft, row: Row) -> Outcome:
    """Change the organization's own attributes."""
    values = given(row, NEW_ORGANIZATION, required=("name",))
    before = dict(draft.organization)
    draft.organization.update(values)
    changed = draft.organization != before
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, draft.organization["id"])


def apply_license(draft: Draft, row: Row) -> Outcome:
    """Set or change the license."""
    before = draft.license
    values = given(row, NEW_LICENSE, required=("exp", "iat", "seats", "seats_cap"))
    after = {**(before or NEW_LICENSE), **values}
    if missing := [name for name in ("exp", "iat", "seats", "seats_cap") if name not in after]:
        raise Rejected("invalid_parameter", f"required: {', '.join(missing)}")
    draft.license = after
    if before is None:
        return Outcome(Status.CREATED)
    return Outcome(Status.UNCHANGED if after == before else Status.UPDATED)


def apply_team(draft: Draft, row: Row) -> Outcome:
    """Create or change a team."""
    return apply_named(draft.teams, row, NEW_TEAM)


def apply_department(draft: Draft, row: Row) -> Outcome:
    """Create or change a department."""
    check_uuid(row)
    return apply_named(draft.departments, row, {})


def apply_product(draft: Draft, row: Row) -> Outcome:
    """Create or change a product; what kind it is of stays."""
    number = found_by_id_or_name(draft.products, row)
    given_kind = DEFAULT_PRODUCTS.get(str(row.get("id")))
    kind = given_kind.name if given_kind else None
    if number is None:
        required(row, "kind")
    else:
        kind = draft.products.columns["kind"][number]
    if kind is not None and row.get("kind") not in (None, kind):
        raise Rejected("conflict", f"the kind of this product is {kind}")
    if number is None and row["kind"] == APP:
        check_uuid(row)
    if number is None and len(draft.products) == MOST_PRODUCTS:
        raise Rejected("conflict", f"an organization has at most {MOST_PRODUCTS} products")
    return apply_named(draft.products, row, {})


def apply_named(register: Register, row: Row, new: Row) -> Outcome:
    """Create or change a row that has a name: found by id, or by name when no id is given."""
    number = found_by_id_or_name(register, row)
    values = given(row, new, required=("name", "kind"))
    if number is None:
        required(row, "name")
        number = register.append({**new, "id": fresh_id(), **values})
        return Outcome(Status.CREATED, register.columns["id"][number])
    changed = register.change(number, values)
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, register.columns["id"][number])


def found_by_id_or_name(register: Register, row: Row) -> int | None:
    """The row that this one speaks of."""
    if row.get("id") is not None:
        return position(register.columns["id"], row["id"])
    return called(register, "name", row.get("name"))


def apply_user(draft: Draft, row: Row) -> Outcome:
    """Create or change a user, found by id, username or user_key."""
    number = found_user(draft, row)
    check_colon({**({} if number is None else draft.users.row(number)), **row})
    values = {**given(row, NEW_USER, required=("username",)), **references(draft, row)}
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
    """The user that a row speaks of: by id when it has one, else by username, else by user_key.

    Rejected when any of its names is somebody else's: a subject means one user.
    """
    sent = {name: row[name] for name in NAMES if row.get(name) is not None}
    keys = ["id"] if "id" in sent else list(sent)
    known = (known_as(draft, key, sent[key]) for key in keys)
    number = next((each for each in known if each is not None), None)
    for name, value in sent.items():
        if (owner := draft.user_names.get(value)) not in (None, number):
            user_id = draft.users.columns["id"][owner]
            raise Rejected("conflict", f"{name}: belongs to user {user_id}")
    return number


def check_colon(user: Row) -> None:
    """A colon ends a username in a Basic header; whom only an event has named may have one.

    They are known by their username and user_key alike, and put again as they were exported.
    """
    if ":" in (user.get("username") or "") and user["username"] != user.get("user_key"):
        raise Rejected("invalid_parameter", "username: a colon would end it in a Basic header")


def known_as(draft: Draft, name: str, value: str) -> int | None:
    """The user who has that id, that username or that user_key; the other names do not count."""
    number = draft.user_names.get(value)
    if number is None or draft.users.columns[name][number] != value:
        return None
    return number


def create_user(draft: Draft, values: Row) -> int:
    """A new user, with a history of one state."""
    required(values, "username")
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
    if is_admin(before) and not is_admin({**before, **after}) and is_last_admin(draft):
        raise Rejected("conflict", f"user {before['id']} is {LAST_ADMIN}")
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
    begins = beginning(values, now_ms)
    if earlier and begins < earlier[-1][1]:
        raise Rejected("conflict", "state_since is before the state that came before")
    return [*earlier, [wanted, begins]]


def beginning(values: Row, now_ms: int) -> int:
    """When a state begins: now, if that is not said, and later only by the difference of clocks."""
    begins: int = values.get("state_since", now_ms)
    if begins > now_ms + AHEAD // timedelta(milliseconds=1):
        raise Rejected("invalid_parameter", "state_since: more than 5 minutes ahead")
    return begins


def references(draft: Draft, row: Row) -> dict[str, Any]:
    """The team and departments of a user row, by their numbers."""
    found: dict[str, Any] = {}
    if row.get("team") is not None:
        found["team"] = referred(draft.teams, "team", row["team"])
    if row.get("departments") is not None:
        numbers = {
            referred(draft.departments, "department", each): None for each in row["departments"]
        }
        found["departments"] = sorted(numbers)
    return found


def referred(register: Register, what: str, name: str) -> int:
    """The number of the row that is called so, by id or else by name."""
    number = position(register.columns["id"], as_kept(name))
    number = called(register, what, name) if number is None else number
    if number is None:
        raise Rejected("not_found", f"unknown {what}: {name}")
    return number


def called(register: Register, what: str, name: str | None) -> int | None:
    """The number of the one row that has the name; rejected where several have it."""
    names = register.columns["name"]
    if names.count(name) > 1:
        message = f"{what}: several are called {name}; refer to one by its id"
        raise Rejected("conflict", message)
    return position(names, name)


def given(row: Row, defaults: Row, required: tuple[str, ...]) -> dict[str, Any]:
    """What a row sets: None goes back to the default, and is refused where there is none."""
    if nulls := [name for name in required if name in row and row[name] is None]:
        raise Rejected("invalid_parameter", f"cannot be cleared: {', '.join(nulls)}")
    return {
        name: defaults.get(name) if value is None else value
        for name, value in row.items()
        if not (name in ("id", "state", "state_since") and value is None)
    }


def required(row: Row, name: str) -> None:
    """A new row needs this."""
    if row.get(name) is None:
        raise Rejected("invalid_parameter", f"{name} is required")


def check_uuid(row: Row) -> None:
    """An id by which reports are asked for; they take no other."""
    if row.get("id") is not None and not UUID.fullmatch(row["id"]):
        raise Rejected("invalid_parameter", "id: expected a UUID; one is made if it is left out")


def position(column: list[Any], value: object) -> int | None:
    """Where the value stands in the column."""
    try:
        return column.index(value)
    except ValueError:
        return None


def fresh_id() -> str:
    """An id for a row that came without one."""
    return str(uuid4())


APPLY: Mapping[str, Callable[[Draft, Row], Outcome]] = {
    "organization": apply_organization,
    "license": apply_license,
    "team": apply_team,
    "department": apply_department,
    "product": apply_product,
    "user": apply_user,
}
