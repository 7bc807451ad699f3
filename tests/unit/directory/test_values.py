"""Values of breakdowns: each has one number for good, whoever registers it and whoever dies."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

import pytest

from odometer.api.v1.directory import SentRow
from odometer.api.v1.export import exported
from odometer.directory import upsert
from odometer.directory.kinds import definition_of
from odometer.directory.upsert import DirectoryEdit, Status
from odometer.domain.kinds import Kind, Measure
from odometer.domain.values import FIRST, MOST_VALUES, NONE, OTHER, ROWS, SentValue, Values
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Table
from tests.support.memory_directory import ACME, NOON, new_head
from tests.support.memory_store import Killed
from tests.support.memory_table import MemoryTable

SECOND = 1_772_280_000
DOCUMENT = Kind("document", (Measure("pages"),), breakdowns=("format",))
CALL = Kind("call", (Measure("tokens"),), breakdowns=("model", "plan"))


def store_of(table: MemoryTable) -> DirectoryStore:
    """A process that has read nothing."""
    return DirectoryStore(cast("Table", table), BlockCache())


def add_kinds(edit: DirectoryEdit) -> None:
    for kind in (DOCUMENT, CALL):
        edit.kinds.append({"id": kind.name, "definition": definition_of(kind)})
    for product, kind in (("exports", DOCUMENT), ("prints", DOCUMENT), ("calls", CALL)):
        edit.products.append({"id": product, "name": product, "kind": kind.name})


@pytest.fixture
def table() -> MemoryTable:
    table = MemoryTable()
    store_of(table).create(new_head(ACME, "Acme Corp"))
    store_of(table).change(ACME, NOON, add_kinds)
    table.calls.clear()
    return table


def formats(*texts: str) -> list[SentValue]:
    return [SentValue("exports", 0, text) for text in texts]


def numbers(store: DirectoryStore, sent: Sequence[SentValue]) -> list[int]:
    found = store.values(ACME, sent, SECOND)
    return [found[value] for value in sent]


def many(first: int, end: int) -> list[SentValue]:
    return formats(*(f"format {number}" for number in range(first, end)))


def test_values_have_numbers_in_the_order_in_which_they_came(table: MemoryTable) -> None:
    assert numbers(store_of(table), formats("pdf", "svg", "pdf")) == [2, 3, 2]
    assert numbers(store_of(table), formats("png", "svg")) == [4, 3]
    known = store_of(table).open(ACME).values("exports", 0)
    assert known == Values(["pdf", "svg", "png"])
    assert known.chosen() == [(1, "other"), (2, "pdf"), (3, "svg"), (4, "png")]
    assert known.chosen(["svg"]) == [(3, "svg")]


def test_each_breakdown_of_a_kind_has_numbers_of_its_own(table: MemoryTable) -> None:
    sent = [*formats("a"), SentValue("calls", 0, "b"), SentValue("calls", 1, "a")]
    assert numbers(store_of(table), sent) == [2, 2, 2]
    assert numbers(store_of(table), [SentValue("calls", 1, "b")]) == [3]
    assert numbers(store_of(table), [SentValue("prints", 0, "a")]) == [2], "they have one kind"


def test_what_no_kind_can_be_broken_down_by_is_no_value(table: MemoryTable) -> None:
    sent = [SentValue("exports", 1, "a"), SentValue("chat", 0, "a"), SentValue("nothing", 0, "a")]
    assert numbers(store_of(table), sent) == [NONE] * 3
    assert not table.calls["write"]


def test_the_thousandth_value_is_the_last_one(table: MemoryTable) -> None:
    store = store_of(table)
    assert numbers(store, many(0, 999)) == [*range(2, 1_001)]
    assert numbers(store, many(998, 1_002)) == [1_000, 1_001, OTHER, OTHER]
    assert numbers(store_of(table), many(999, 1_002)) == [1_001, OTHER, OTHER]
    assert max(numbers(store, many(0, 1_000))) == ROWS - 1
    assert MOST_VALUES == 1_000


def test_a_value_that_is_called_other_is_one_of_the_others(table: MemoryTable) -> None:
    assert numbers(store_of(table), formats("other", "pdf")) == [OTHER, FIRST]


def test_a_batch_is_registered_at_once_and_not_again(table: MemoryTable) -> None:
    store = store_of(table)
    numbers(store, [*many(0, 500), SentValue("calls", 1, "a"), SentValue("calls", 0, "a")])
    assert store.open(ACME).head.version == len(["created", "kinds", "values"])
    assert numbers(store, many(499, 500)) == [501]
    table.calls.clear()
    assert numbers(store, many(0, 500)) == [*range(2, 502)]
    assert table.calls == {"read": 1}, "the head"


def test_of_two_who_register_at_once_both_get_the_same_numbers(table: MemoryTable) -> None:
    """One comes in between the other's reading and its first write, whenever that is."""
    store, other = store_of(table), store_of(table)
    numbers(store, many(0, 990))
    theirs: list[int] = []

    def overtake() -> None:
        table.before_write = lambda: None
        theirs.extend(numbers(other, many(985, 1_005)))

    table.before_write = overtake
    mine = numbers(store, [*reversed(many(985, 1_005))])
    assert theirs == [*range(987, 1_002), *[OTHER] * 5]
    assert mine == theirs[::-1]


@pytest.mark.parametrize("writes", range(5))
def test_whoever_dies_leaves_no_two_numbers_for_a_value(table: MemoryTable, writes: int) -> None:
    store, left = store_of(table), iter(range(writes))

    def die() -> None:
        if next(left, None) is None:
            raise Killed

    numbers(store, formats("pdf"))
    table.before_write = die
    with suppress(Killed):
        numbers(store, formats("svg", "png"))
    table.before_write = lambda: None
    assert numbers(store_of(table), formats("png", "pdf", "svg")) in ([3, 2, 4], [4, 2, 3])
    assert numbers(store_of(table), formats("pdf", "svg", "png", "gif"))[0::3] == [2, 5]


def test_a_breakdown_that_is_added_to_a_kind_has_its_own_values(table: MemoryTable) -> None:
    assert numbers(store_of(table), formats("pdf")) == [2]
    wider = replace(DOCUMENT, breakdowns=("format", "plan"))

    def add(edit: DirectoryEdit) -> None:
        edit.kinds.change(0, {"definition": definition_of(wider)})

    store_of(table).change(ACME, NOON, add)
    assert numbers(store_of(table), [SentValue("exports", 1, "pdf"), *formats("svg")]) == [2, 3]


def test_an_export_says_how_many_values_there_are_and_changes_nothing(table: MemoryTable) -> None:
    store = store_of(table)
    numbers(store, [*formats("pdf", "svg", "other"), SentValue("calls", 1, "gold")])
    rows = [row for kind, row in exported(store.open(ACME)) if kind == "kind" and "values" in row]
    assert [row["values"] for row in rows] == [{"format": 2}, {"model": 0, "plan": 1}]
    read = [SentRow.read(0, "kind", row).row for row in rows]

    def put(edit: DirectoryEdit) -> list[Status]:
        return [edit.apply("kind", row).status for row in read]

    assert store.change(ACME, NOON, put) == [Status.UNCHANGED] * 2


def test_users_of_many_pages_and_values_do_not_meet(
    table: MemoryTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "MOST_UNPAGED", 0)
    store = store_of(table)
    assert numbers(store, formats("pdf")) == [2]
    store.ordinals(ACME, ["ann", "bob"], SECOND)
    assert numbers(store_of(table), formats("svg", "pdf")) == [3, 2]
    assert store_of(table).open(ACME).numbers_of(["bob"]) == {"bob": 1}
