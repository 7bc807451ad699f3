"""A directory that the first edition stored is read as it was, and moves when it is changed."""

import base64
import json
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from odometer.api.v1.export import exported
from odometer.bootstrap import process
from odometer.domain.people import State
from odometer.services.erasure import erase
from odometer.storage.directory import BlockCache, columns_of
from odometer.web.messages import as_json
from tests.support.forgetful_trail import FORGETFUL
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import Stack

STORED = json.loads(
    zlib.decompress(Path("tests/fixtures/directory_of_the_first_format.json.zlib").read_bytes())
)
"""1,030 users in two blocks, four of whom have changed their state, and one who was erased."""
LATER = NOON + timedelta(days=150)


@pytest.fixture
def former(stack: Stack) -> Stack:
    table = stack.directories.table
    for item in STORED["items"]:
        table.put({name: value_of(value) for name, value in item.items()})
    return stack


def value_of(stored: Any) -> Any:
    return base64.b64decode(stored["B"]) if isinstance(stored, dict) else stored


def told(stack: Stack) -> tuple[list[Any], list[Any]]:
    """The lines of an export and everybody's history, as a cold process reads them.

    The kinds that are built in came later, and are the same in every directory.
    """
    process().blocks = stack.directories.cache = BlockCache()
    directory = stack.directories.open(ACME)
    histories = [[list(each) for each in history] for history in directory.histories()]
    rows = [(kind, row) for kind, row in exported(directory) if kind != "kind"]
    return [as_json({"kind": kind, **row}).decode() for kind, row in rows], histories


def test_it_is_read_as_it_was(former: Stack) -> None:
    lines, histories = told(former)
    assert lines == STORED["export"].splitlines()
    assert histories == STORED["histories"]


def test_histories_move_out_of_a_profile_that_is_written_again(former: Stack) -> None:
    former.directories.change(
        ACME, LATER, lambda edit: edit.apply("user", {"id": "u10", "email": "x@example.com"})
    )
    assert told(former)[1] == STORED["histories"]
    directory = former.directories.open(ACME)
    assert stored_columns(former, "profile", 0).keys() >= {"created_at", "state_since"}
    assert "history" in stored_columns(former, "profile", 1)
    blocks = directory.head.blocks
    assert sorted(b.number for b in blocks if b.family == "history") == [0, 1, 2]
    former.directories.change(
        ACME, LATER, lambda edit: edit.apply("user", {"id": "u300", "state": State.REGISTERED})
    )
    (changed,) = [n for n, each in enumerate(told(former)[1]) if each != STORED["histories"][n]]
    assert changed == 300


def test_a_new_user_in_a_block_of_the_first_format_leaves_everybody_as_they_were(
    former: Stack,
) -> None:
    assert former.directories.ordinals(ACME, ["stranger"], 1_800_000_000) == {"stranger": 1030}
    lines, histories = told(former)
    assert lines[:-1] == STORED["export"].splitlines()
    assert histories[:-1] == STORED["histories"]
    assert "history" not in stored_columns(former, "profile", 1)


def test_names_are_removed_from_it_as_from_any_other(former: Stack) -> None:
    erase(former.directories, ACME, "u1027", LATER, FORGETFUL)
    lines, _ = told(former)
    assert len(lines) == len(STORED["export"].splitlines()) - 1
    for item in former.directories.table.query(ACME, "BLOCK#", "BLOCK#~"):
        assert "user 1027" not in str(columns_of(item))


def stored_columns(stack: Stack, family: str, number: int) -> Any:
    head = stack.directories.open(ACME).head
    ((block, commit),) = [each for each in head.blocks.items() if each[0][1:] == (family, number)]
    return stack.directories.read(ACME, {block: commit})[block]
