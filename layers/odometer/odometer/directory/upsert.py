"""Changes to a directory: rows come in, each is created, updated, left alone or rejected.

Absent rows are left alone, absent fields keep their value, null clears. The same rows sent again
change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from odometer.directory.columns import Block, Columns, DirectoryHead, Register, Row
from odometer.directory.people import Organization, default_email
from odometer.directory.registers import (
    CONFLICT,
    INVALID,
    LAST_ADMIN,
    NAMES,
    NEW_USER,
    NOT_FOUND,
    Registers,
    faults_of,
    history_with,
    values_set,
)
from odometer.domain.errors import Fault, Invalid
from odometer.domain.people import Role, State

NEW_ORGANIZATION: Row = {
    name: value
    for name, value in asdict(Organization(id="", name="")).items()
    if name not in ("id", "name", "created_at")
}
NEW_LICENSE: Row = {"audience": "", "features": [], "settings": {}}
NEW_TEAM: Row = {"is_default": False}
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
    """What became of one row, and why it was rejected if it was."""

    status: Status
    id: str | None = None
    code: str | None = None
    message: str | None = None

    @classmethod
    def rejected(cls, row_id: str | None, faults: Sequence[Fault]) -> "Outcome":
        code = faults[0].rule if faults[0].rule in (CONFLICT, NOT_FOUND) else INVALID
        return cls(Status.REJECTED, row_id, code, reason(faults))


def reason(faults: Sequence[Fault]) -> str:
    """All faults in words; if that is too long, the first one and the names of the others."""
    worded = [f"{fault.name}: {fault.message}" for fault in faults]
    if len(whole := "; ".join(worded)) <= LONGEST_REASON:
        return whole
    names = ", ".join(fault.name for fault in faults[1:])
    first = shortened(worded[0], LONGEST_REASON // 2)
    return shortened(f"{first}; also at fault: {names}" if names else whole, LONGEST_REASON)


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class DirectoryEdit(Registers):
    """A directory being changed: apply rows, then commit the changed blocks all at once."""

    def apply(self, kind: str, row: Row) -> Outcome:
        if faults := self.faults(kind, row):
            return Outcome.rejected(row.get("id"), faults)
        return APPLY[kind](self, row)

    def faults(self, kind: str, row: Row) -> list[Fault]:
        return faults_of(self, kind, row)

    def register(self, subject: str, since_ms: int) -> int:
        """The user whom a subject names; an unknown one is registered, so no usage is lost."""
        if subject not in self.user_names:
            create_user(self, {"username": subject, "state_since": since_ms})
        return self.user_names[subject]

    def erase(self, user_id: str) -> int | None:
        """Anonymize a user and return their number; None if nobody has that id.

        The row stays as a deactivated account, so totals do not change.
        """
        number = self.user_with("id", user_id)
        if number is None:
            return None
        if self.is_last_admin(self.users.row(number)):
            raise Invalid.parameter("user_id", LAST_ADMIN, user_id)
        history = self.users.columns["history"][number]
        ended = max(self.now_ms, history[-1][1])
        self.users.change(
            number,
            {
                "role": Role.MEMBER,
                "state": State.DEACTIVATED,
                "history": history_with(history, {"state": State.DEACTIVATED}, ended),
                "email": None,
                "verified": False,
            },
        )
        self.erased |= {number}
        return number

    @property
    def changed(self) -> bool:
        base = self.base
        small = (self.organization, self.license, self.erased)
        return small != (base.organization, base.license, base.erased) or bool(self.changed_blocks)

    @property
    def changed_blocks(self) -> dict[Block, Columns]:
        return {
            block: register.content(block)
            for register in self._registers()
            for block in sorted(register.touched)
        }

    def head(self, commit: str) -> DirectoryHead:
        return DirectoryHead(
            version=self.base.version + 1,
            organization=self.organization,
            license=self.license,
            sizes={register.name: len(register) for register in self._registers()},
            blocks={**self.base.blocks, **dict.fromkeys(self.changed_blocks, commit)},
            erased=self.erased,
        )

    def _registers(self) -> tuple[Register, ...]:
        return (self.users, self.teams, self.departments, self.products)


def apply_organization(edit: DirectoryEdit, row: Row) -> Outcome:
    before = dict(edit.organization)
    edit.organization.update(values_set(row, NEW_ORGANIZATION))
    return updated(edit.organization["id"], changed=edit.organization != before)


def apply_license(edit: DirectoryEdit, row: Row) -> Outcome:
    before = edit.license
    edit.license = {**(before or NEW_LICENSE), **values_set(row, NEW_LICENSE)}
    return Outcome(Status.CREATED) if before is None else updated(changed=edit.license != before)


def apply_named(register: Register, row: Row, new: Row) -> Outcome:
    number, values = register.find(row), values_set(row, new)
    if number is None:
        number = register.append({**new, "id": str(uuid4()), **values})
        return Outcome(Status.CREATED, register.columns["id"][number])
    return updated(register.columns["id"][number], changed=register.change(number, values))


def apply_user(edit: DirectoryEdit, row: Row) -> Outcome:
    number = edit.find_user(row)
    values = {**values_set(row, NEW_USER), **references(edit, row)}
    if number is None:
        number = create_user(edit, values)
        return Outcome(Status.CREATED, edit.users.columns["id"][number])
    changed = change_user(edit, number, values)
    return updated(edit.users.columns["id"][number], changed=changed)


APPLY: Mapping[str, Callable[[DirectoryEdit, Row], Outcome]] = {
    "organization": apply_organization,
    "license": apply_license,
    "team": lambda edit, row: apply_named(edit.teams, row, NEW_TEAM),
    "department": lambda edit, row: apply_named(edit.departments, row, {}),
    "product": lambda edit, row: apply_named(edit.products, row, {}),
    "user": apply_user,
}


def updated(row_id: str | None = None, *, changed: bool) -> Outcome:
    return Outcome(Status.UPDATED if changed else Status.UNCHANGED, row_id)


def references(edit: DirectoryEdit, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.get("team") is not None:
        found["team"] = edit.teams.named(row["team"])
    if row.get("departments") is not None:
        found["departments"] = sorted(set(map(edit.departments.named, row["departments"])))
    return found


def create_user(edit: DirectoryEdit, values: Row) -> int:
    user = {**NEW_USER, "id": str(uuid4()), **values}
    fill_in(user, user["username"])
    user["history"] = [[user["state"], values.get("state_since", edit.now_ms)]]
    number = edit.users.append({**user, "updated_at": edit.now_ms})
    index_names(edit, number)
    return number


def change_user(edit: DirectoryEdit, number: int, values: Row) -> bool:
    """Change a user; former states stay in the history."""
    before = edit.users.row(number)
    after = {name: value for name, value in values.items() if name != "state_since"}
    after.setdefault("email", before["email"])
    fill_in(after, after.get("username", before["username"]))
    after["history"] = history_with(before["history"], values, edit.now_ms)
    after["state"] = after["history"][-1][0]
    if not edit.users.change(number, after):
        return False
    edit.users.change(number, {"updated_at": edit.now_ms})
    for name in NAMES:
        edit.user_names.pop(before[name], None)
    index_names(edit, number)
    return True


def fill_in(values: dict[str, Any], username: str) -> None:
    for name, default in {"user_key": username, "email": default_email(username)}.items():
        if name in values and values[name] is None:
            values[name] = default


def index_names(edit: DirectoryEdit, number: int) -> None:
    for name in NAMES:
        edit.user_names[edit.users.columns[name][number]] = number
