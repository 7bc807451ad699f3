"""The directory against the simplest thing that could be right: dicts, searched from end to end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.api.v1.directory import ROWS as WIRE_ROWS
from odometer.api.v1.directory import values_of
from odometer.api.v1.export import exported
from odometer.directory import upsert
from odometer.directory.history import KEPT_OF_THIS_MONTH
from odometer.directory.upsert import Status
from odometer.domain.errors import Invalid
from odometer.domain.people import Role, State
from odometer.domain.time import epoch_ms
from odometer.web.models import fill
from tests.support.memory_directory import NOON, MemoryDirectory

NOON_MS = epoch_ms(NOON)
NAMES = ("id", "username", "user_key")
FRESH: Mapping[str, Any] = {
    "email": "",
    "type": "account-user",
    "role": "Member",
    "team": None,
    "departments": [],
    "verified": False,
}

Row = dict[str, Any]
A, B, C, D = (f"{each * 8}-{each * 4}-{each * 4}-{each * 4}-{each * 12}" for each in "abcd")
few = st.sampled_from([A, B, C, D])


def rows(kind: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Row]]:
    """Rows of a kind with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda row: (kind, row))


FIRST: list[tuple[str, Row]] = [
    ("team", {"id": A, "name": C}),
    ("department", {"id": A, "name": C}),
    ("department", {"id": B, "name": D}),
    ("user", {"id": A, "username": A}),
    ("user", {"id": B, "username": B, "user_key": C}),
]
"""What everything begins with, so that chance has something to work_at_once."""

ANY_ROW = st.one_of(
    rows("team", id=few, name=few, is_default=st.booleans() | st.none()),
    rows("department", id=few, name=few),
    *[
        rows(
            "user",
            id=few,
            username=few | st.just("e@example.com"),
            user_key=few | st.none(),
            email=st.sampled_from(["x@example.com", None]),
            role=st.sampled_from([*Role, None]),
            team=few | st.none(),
            departments=st.lists(few, max_size=2) | st.none(),
            verified=st.booleans() | st.none(),
            state=st.sampled_from([*State, None]),
            state_since=st.sampled_from([NOON_MS - 1, NOON_MS, NOON_MS + 1]),
        )
    ]
    * 3,
)


class Refused(Exception):
    """The row breaks a rule."""


@dataclass
class Model:
    """Members as dicts, in the order in which they came."""

    team: list[Row] = field(default_factory=list)
    department: list[Row] = field(default_factory=list)
    user: list[Row] = field(default_factory=list)

    def apply(self, kind: str, row: Row, made: str | None) -> Status:
        """What should become of a row; `made` is the id that a new member was given."""
        try:
            values = self.checked_user(row) if kind == "user" else dict(row)
            found = self.user_meant(row) if kind == "user" else self.named(kind, row)
            after = self.new(kind, values, made) if found is None else dict(found)
            if kind == "user":
                self.set_user(after, values)
                self.check_last_admin(found, after)
            else:
                after |= {
                    name: bool(v) if name == "is_default" else v for name, v in values.items()
                }
        except Refused:
            return Status.REJECTED
        members = getattr(self, kind)
        if found is None:
            members.append(after)
            return Status.CREATED
        changed = after != found
        members[members.index(found)] = after
        return Status.UPDATED if changed else Status.UNCHANGED

    def erase(self, user_id: str | None) -> None:
        """Nobody has that id any more."""
        self.user = [each for each in self.user if each["id"] != user_id]

    def is_last_admin(self, user_id: str | None) -> bool:
        return [each["id"] for each in self.user if is_admin(each)] == [user_id]

    def named(self, kind: str, row: Row) -> Row | None:
        key = "id" if "id" in row else "name"
        found = [each for each in getattr(self, kind) if each[key] == row.get(key)]
        if len(found) > 1:
            raise Refused
        return found[0] if found else None

    def user_meant(self, row: Row) -> Row | None:
        sent = {name: row[name] for name in NAMES if row.get(name) is not None}
        keys = ["id"] if "id" in sent else [name for name in NAMES if name in sent]
        found = [each for key in keys for each in self.user if each[key] == sent[key]]
        for each in self.user:
            if set(sent.values()) & {each[name] for name in NAMES} and each not in found[:1]:
                raise Refused
        return found[0] if found else None

    def checked_user(self, row: Row) -> Row:
        values = dict(row)
        if values.get("team") is not None:
            values["team"] = self.referred("team", values["team"])
        if values.get("departments") is not None:
            found = {self.referred("department", name) for name in values["departments"]}
            values["departments"] = sorted(found)
        return values

    def referred(self, kind: str, name: str) -> int:
        members = getattr(self, kind)
        for key in ("id", "name"):
            found = [number for number, each in enumerate(members) if each[key] == name]
            if len(found) == 1:
                return found[0]
        raise Refused

    def new(self, kind: str, values: Row, made: str | None) -> Row:
        if ("username" if kind == "user" else "name") not in values:
            raise Refused
        if kind != "user":
            return {"id": made, **({"is_default": False} if kind == "team" else {})}
        state, since = values.pop("state", None), values.pop("state_since", NOON_MS)
        return {
            "id": made,
            "user_key": values["username"],
            **FRESH,
            "history": [(state or State.REGISTERED, since)],
        }

    def set_user(self, after: Row, values: Row) -> None:
        state, since = values.pop("state", None), values.pop("state_since", None)
        after |= {name: FRESH.get(name) if v is None else v for name, v in values.items()}
        username = after["username"]
        after["user_key"] = after["user_key"] or username
        after["email"] = after["email"] or (username if "@" in username else "")
        after["history"] = self.history(after["history"], state, since)

    def check_last_admin(self, before: Row | None, after: Row) -> None:
        others = [each for each in self.user if each is not before]
        if before and is_admin(before) and not any(map(is_admin, [after, *others])):
            raise Refused

    def history(self, history: list[Any], state: str | None, state_since: int | None) -> list[Any]:
        last, since = history[-1]
        stays = state in (None, last)
        if stays and state_since in (None, since):
            return history
        earlier = history[:-1] if stays else history
        begins = NOON_MS if state_since is None else state_since
        if earlier and begins < earlier[-1][1]:
            raise Refused
        return [*earlier[-KEPT_OF_THIS_MONTH:], (last if state is None else state, begins)]


def is_admin(user: Row) -> bool:
    return bool(user["role"] == Role.ADMIN and user["history"][-1][0] != State.DEACTIVATED)


def seen(memory: MemoryDirectory) -> dict[str, list[Row]]:
    """The directory in the words of the model."""
    directory = memory.directory
    histories = list(directory.histories())
    users = [
        {
            **{name: getattr(user, name) for name in (*NAMES, *FRESH)},
            "history": [tuple(each) for each in histories[user.ordinal]],
        }
        for user in directory.users
    ]
    teams = [
        {"id": each.id, "name": each.name, "is_default": each.is_default}
        for each in directory.teams
    ]
    departments = [{"id": each.id, "name": each.name} for each in directory.departments]
    return {"team": teams, "department": departments, "user": users}


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.lists(ANY_ROW, max_size=6), few | st.none()), max_size=4),
    st.sampled_from([0, 2, upsert.MOST_UNPAGED]),
)
def test_a_directory_is_what_its_rows_say_without_whoever_was_erased(
    puts: list[tuple[list[tuple[str, Row]], str | None]], most_unpaged: int
) -> None:
    """With pages, without them, and while it gets them."""
    with patch.object(upsert, "MOST_UNPAGED", most_unpaged):
        compare_with_model(puts)


def compare_with_model(puts: list[tuple[list[tuple[str, Row]], str | None]]) -> None:
    memory, model = MemoryDirectory(), Model()
    for put, erased in [(FIRST, None), *puts]:
        outcomes = memory.put(*put)
        expected = [
            model.apply(kind, dict(row), outcome.id)
            for (kind, row), outcome in zip(put, outcomes, strict=True)
        ]
        assert [outcome.status for outcome in outcomes] == expected
        assert seen(memory) == vars(model)
        if model.is_last_admin(erased):
            with pytest.raises(Invalid):
                memory.erase(erased or "")
        else:
            memory.erase(erased or "nobody")
            model.erase(erased)
        assert seen(memory) == vars(model)


@given(st.lists(ANY_ROW, max_size=12))
def test_no_name_means_two_users(put: list[tuple[str, Row]]) -> None:
    memory = MemoryDirectory()
    memory.put(*FIRST, *put)
    names = [{getattr(user, name) for name in NAMES} for user in memory.directory.users]
    assert sum(map(len, names)) == len(set().union(*names))


@given(st.lists(ANY_ROW, max_size=12))
def test_what_is_exported_changes_nothing_when_it_is_put_back(put: list[tuple[str, Row]]) -> None:
    memory = MemoryDirectory()
    memory.put(*FIRST, *put)
    before = memory.head
    again = memory.put(*sent_back(memory))
    assert {outcome.status for outcome in again} == {Status.UNCHANGED}
    assert memory.head is before


@given(st.lists(ANY_ROW, max_size=12))
def test_what_is_exported_makes_the_same_directory_elsewhere(put: list[tuple[str, Row]]) -> None:
    memory, copy = MemoryDirectory(), MemoryDirectory()
    memory.put(*FIRST, *put)
    copy.put(*sent_back(memory))
    assert [row for _, row in exported(copy.directory)] == [
        row for _, row in exported(memory.directory)
    ]


@given(st.lists(ANY_ROW, max_size=8, unique_by=lambda pair: (pair[0], pair[1].get("id"))))
def test_the_same_rows_again_change_nothing(put: list[tuple[str, Row]]) -> None:
    told_apart = [
        (kind, {**row, "id": f"{kind} {place}", **own_names(kind, place)})
        for place, (kind, row) in enumerate(put)
    ]
    memory = MemoryDirectory()
    first = memory.put(*told_apart)
    again = memory.put(*told_apart)
    for one, other in zip(first, again, strict=True):
        assert other.status in (Status.UNCHANGED, Status.REJECTED)
        assert (one.status is Status.REJECTED) >= (other.status is Status.REJECTED)


def own_names(kind: str, place: int) -> Row:
    """Names that no other row has."""
    if kind == "user":
        return {"username": f"name {place}", "user_key": f"key {place}"}
    return {"name": f"name {place}"}


def sent_back(memory: MemoryDirectory) -> list[tuple[str, Row]]:
    """The export as the wire reads it back."""
    lines = []
    for kind, row in exported(memory.directory):
        values = dict(row)
        if kind == "product":
            values["kind"] = values.pop("product_kind")
        lines.append((kind, dict(values_of(fill(WIRE_ROWS[kind], values)))))
    return lines
