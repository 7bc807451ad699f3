"""The registers of a directory while it is changed, and which of their rows a sent row is about."""

from datetime import datetime
from typing import Any

from odometer.directory.columns import Row
from odometer.directory.snapshot import Directory
from odometer.domain.people import Role, State, UserType
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
