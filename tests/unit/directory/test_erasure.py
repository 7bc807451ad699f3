"""Erasure in pure code: what is left of a row, and that nobody reads or writes whose it was."""

import json
from datetime import timedelta
from typing import Any

import pytest

from odometer.directory.columns import BLOCK_ROWS, Block, Columns, Row, nameless
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import DirectoryEdit, Status
from odometer.directory.users import UserRegister
from odometer.domain.people import State
from odometer.domain.time import epoch_ms
from tests.support.memory_directory import NOON, MemoryDirectory

D1 = "d1b2c3d4-e5f6-7890-abcd-ef1234567890"
JO: Row = {"id": "u1", "username": "jo", "user_key": "k1", "email": "jo@example.com"}
SAM: Row = {"id": "u2", "username": "sam", "user_key": "k2", "email": "sam@example.com"}
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def memory() -> MemoryDirectory:
    """Two users of a team and a department."""
    memory = MemoryDirectory()
    place = {"team": "t1", "departments": [D1]}
    memory.put(
        ("team", {"id": "t1", "name": "Core"}),
        ("department", {"id": D1, "name": "Research"}),
        ("user", {**JO, **place, "role": "Manager", "type": "service-user", "verified": True}),
        ("user", {**SAM, **place}),
    )
    return memory


def row(directory: Directory, number: int) -> dict[str, Any]:
    return UserRegister(directory).row(number)


def test_what_is_left_of_a_user_is_what_sums_ask(memory: MemoryDirectory) -> None:
    before = row(memory.directory, 0)
    assert memory.erase("u1", LATER) == 0
    names = {"id": "", "username": "", "user_key": "", "email": None}
    account = {"role": "Member", "state": "deactivated", "verified": False}
    history = {"former": [["registered", epoch_ms(NOON)]], "state_since": epoch_ms(LATER)}
    assert row(memory.directory, 0) == before | names | account | history


def test_others_are_as_they_were(memory: MemoryDirectory) -> None:
    before = row(memory.directory, 1)
    memory.erase("u1")
    assert row(memory.directory, 1) == before
    assert [user.id for user in memory.directory.users] == ["u2"]
    assert memory.directory.shown_ids == [None, "u2"]
    assert memory.directory.team_sizes == {0: 1}


def test_sums_of_a_team_a_department_and_a_type_have_them_yet(memory: MemoryDirectory) -> None:
    memory.erase("u1")
    directory = memory.directory
    assert directory.users_of_team(0) == directory.members_of([D1]) == {0, 1}
    assert directory.users_of_type("service-user") == {0}  # type: ignore[arg-type]


def test_an_account_that_has_ended_ends_once_and_one_to_come_never_begins(
    memory: MemoryDirectory,
) -> None:
    coming = epoch_ms(NOON + timedelta(minutes=5))
    memory.put(
        ("user", {"id": "u2", "state": State.DEACTIVATED, "state_since": epoch_ms(NOON) + 1}),
        ("user", {"id": "u1", "state": State.REGISTERED, "state_since": coming}),
    )
    before = [*memory.directory.histories()][1]
    memory.erase("u2", LATER)
    memory.erase("u1", NOON)
    histories = [*memory.directory.histories()]
    assert histories[1] == before
    assert histories[0][-1] == ("deactivated", coming)


def test_nobody_is_erased_by_a_name_that_is_no_id(memory: MemoryDirectory) -> None:
    before = memory.head
    assert [memory.erase(name) for name in ("jo", "k1", "u9", "")] == [None] * 4
    assert memory.head is before
    assert [memory.erase("u1"), memory.erase("u1"), memory.erase("")] == [0, None, None]


def test_the_names_are_free_and_lead_to_nobody(memory: MemoryDirectory) -> None:
    memory.erase("u1")
    directory = memory.directory
    assert directory.user_by_id("u1") is directory.user_by_id("") is None
    edit = DirectoryEdit(directory, LATER)
    assert [edit.register(name, 0) for name in ("jo", "k1", "jo")] == [2, 3, 2]
    made = memory.user(**JO)
    assert (made.id, made.status) == ("u1", Status.CREATED)
    assert [user.ordinal for user in memory.directory.users] == [1, 2]


def test_a_row_without_any_name_speaks_of_nobody(memory: MemoryDirectory) -> None:
    memory.erase("u1")
    assert memory.put(("user", {"username": ""}))[0].id not in ("", "u1", "u2")


def test_whoever_writes_a_block_writes_no_name_of_the_erased(memory: MemoryDirectory) -> None:
    memory.erase("u1")
    memory.user(id="u2", username="sam.new", email="new@example.com")
    written = " ".join(text for (_, commit), text in memory.kept.items() if commit == "commit 3")
    assert "sam.new" in written
    assert "new@example.com" in written
    assert not [name for name in (*JO.values(),) if json.dumps(name) in written]


def test_a_former_version_is_read_without_them_too(memory: MemoryDirectory) -> None:
    former = memory.head
    memory.erase("u1")
    seen = Directory(former, memory, memory.directory)
    assert [user.id for user in seen.users] == ["u2"]
    assert seen.users_at([0])[0].username == seen.key_owner(0).username == ""
    assert seen.columns("users", "names")["username"] == ["", "sam"]


def test_a_block_loses_only_the_names_of_its_own_rows() -> None:
    block = Block("users", "names", 1)
    columns = {"id": ["a", "b"], "username": ["c", "d"], "user_key": ["e", "f"]}
    assert nameless(block, columns, {0, 2 * BLOCK_ROWS}) is columns
    assert nameless(block, columns, {BLOCK_ROWS + 1, BLOCK_ROWS + 2}) == {
        "id": ["a", ""],
        "username": ["c", ""],
        "user_key": ["e", ""],
    }
    teams: Columns = {"id": ["a"], "name": ["b"], "is_default": [False]}
    assert nameless(Block("teams", "rows", 0), teams, {0}) is teams
    assert columns["id"] == ["a", "b"]
