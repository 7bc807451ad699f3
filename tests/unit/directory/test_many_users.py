"""Directories of many users, by counts: calls, units, bytes, and what a process keeps in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any, cast

import pytest

from odometer.api.v1.export import page_of
from odometer.directory import columns, registers, snapshot, upsert, users
from odometer.directory.columns import BLOCK_ROWS, Block
from odometer.directory.names import NameDigests
from odometer.directory.snapshot import Directory
from odometer.directory.upsert import DirectoryEdit, Status
from odometer.domain.errors import NotFound
from odometer.domain.kinds import KINDS
from odometer.domain.people import State
from odometer.reports.ranking import Direction, Ranking
from odometer.services.erasure import erase
from odometer.storage.directory import BlockCache, DirectoryStore, columns_of, item_of
from odometer.storage.dynamo import Item, Key, Table
from tests.support.forgetful_trail import FORGETFUL
from tests.support.memory_directory import ACME, NOON, new_head
from tests.support.memory_store import Killed
from tests.support.memory_table import MemoryTable, size_of

SECOND = 1_772_280_000
MANY = 20_480


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 2,048 users, from the first user on."""
    for module in (columns, snapshot, upsert):
        monkeypatch.setattr(module, "PAGE_ROWS", 2 * BLOCK_ROWS)
    monkeypatch.setattr(upsert, "MOST_UNPAGED", 0)


def store_of(table: MemoryTable, *, cache: BlockCache | None = None) -> DirectoryStore:
    return DirectoryStore(cast("Table", table), cache or BlockCache())


def filled(count: int) -> MemoryTable:
    """An organization with users who came by events, in batches of a thousand."""
    table = MemoryTable()
    store = store_of(table)
    store.create(new_head(ACME, "Acme Corp"))
    for first in range(0, count, 1_000):
        names = [f"user {n}" for n in range(first, min(first + 1_000, count))]
        assert store.ordinals(ACME, names, SECOND) == {
            name: first + place for place, name in enumerate(names)
        }
    return table


@cache
def items_of_many() -> Mapping[Key, Item]:
    return filled(MANY).items


@pytest.fixture
def many(small_pages: None) -> MemoryTable:
    table = MemoryTable()
    table.items.update(items_of_many())
    return table


def measured(table: MemoryTable) -> MemoryTable:
    table.calls.clear()
    table.units.clear()
    return table


# who is who


def test_a_warm_process_that_knows_all_names_reads_the_head_and_nothing_else(
    many: MemoryTable,
) -> None:
    store = store_of(many)
    store.ordinals(ACME, ["user 7"], SECOND)
    measured(many)
    assert store.ordinals(ACME, ["user 5", "user 20000"], SECOND) == {
        "user 5": 5,
        "user 20000": 20_000,
    }
    assert dict(many.calls) == {"read": 1}
    assert many.units["half read"] == 2


def test_a_process_that_knows_nothing_reads_every_block_of_names_once(many: MemoryTable) -> None:
    measured(many)
    store_of(many).ordinals(ACME, ["user 7"], SECOND)
    assert many.calls == {"read": 1 + 1 + 2}
    names = [item for (_, sk), item in many.items.items() if "#names#" in sk and "ttl" not in item]
    assert many.units["half read"] <= 2 + 10 + sum(-(-size_of(each) // 4_096) for each in names)


def test_somebody_new_costs_the_last_block_and_no_other(many: MemoryTable) -> None:
    store = store_of(many)
    store.ordinals(ACME, ["user 7"], SECOND)
    measured(many)
    assert store.ordinals(ACME, ["stranger", "user 3"], SECOND) == {"stranger": MANY, "user 3": 3}
    assert sum(many.calls.values()) <= 10
    measured(many)
    assert store.ordinals(ACME, ["stranger", "user 9000"], SECOND)["stranger"] == MANY
    assert dict(many.calls) == {"read": 3}, "the head, a page and the one block that was changed"


def test_whoever_cannot_be_registered_is_left_out_and_everybody_else_counts(
    small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "MOST_REGISTERED", 1_001)
    table = filled(1_000)
    store = store_of(table)
    names = ["user 1", "one more", "too many", "user 2", "far too many"]
    assert store.ordinals(ACME, names, SECOND) == {"user 1": 1, "one more": 1_000, "user 2": 2}
    assert store.ordinals(ACME, ["too many"], SECOND) == {}
    assert store.open(ACME).head.sizes["users"] == 1_001


def test_an_administrator_may_still_create_whom_events_may_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upsert, "MOST_REGISTERED", 2)
    monkeypatch.setattr(registers, "MOST_USERS", 3)
    table = filled(2)
    store = store_of(table)
    put = store.change(ACME, NOON, lambda edit: [new_user(edit, name) for name in "ab"])
    assert [each.status for each in put] == [Status.CREATED, Status.REJECTED]
    assert put[1].message == "user: an organization has at most 3 users"


def new_user(edit: DirectoryEdit, name: str) -> Any:
    return edit.apply("user", {"username": name})


def test_digests_take_eight_bytes_a_name_and_no_more_than_they_may(many: MemoryTable) -> None:
    cache = BlockCache()
    store_of(many, cache=cache).ordinals(ACME, ["user 1"], SECOND)
    assert cache.digests.kept_bytes == MANY * 3 * 8
    cache.digests = NameDigests(most_bytes=50_000)
    assert store_of(many, cache=cache).ordinals(ACME, ["user 1", "user 20000"], SECOND) == {
        "user 1": 1,
        "user 20000": 20_000,
    }
    assert cache.digests.kept_bytes <= 50_000


def test_a_process_keeps_blocks_up_to_so_many_bytes(many: MemoryTable) -> None:
    cache = BlockCache(most_bytes=2_000_000)
    assert sum(1 for _ in store_of(many, cache=cache).open(ACME).users_from(0)) == MANY
    assert 1_000_000 < cache.kept_bytes <= 2_000_000


# pages


def test_a_head_with_pages_is_small_and_so_is_what_a_change_copies(many: MemoryTable) -> None:
    assert size_of(many.items[ACME, "HEAD"]) < 1_000
    store = store_of(many)
    store.ordinals(ACME, ["user 1"], SECOND)
    measured(many)
    store.change(ACME, NOON, lambda edit: edit.apply("user", {"id": "x", "username": "user 5000"}))
    assert many.units["write"] < 100


def test_a_head_without_pages_is_stored_as_ever() -> None:
    table = filled(2_000)
    head = store_of(table).open(ACME).head
    assert not head.pages
    assert sorted(head.blocks) == [
        Block("users", family, number)
        for family in ("names", "profile", "roster")
        for number in (0, 1)
    ]


def test_a_directory_that_grows_gets_pages_and_former_versions_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = filled(3_000)
    store = store_of(table)
    before = store.open(ACME)
    erase(store, ACME, before.user(2_999).id, NOON, FORGETFUL)
    monkeypatch.setattr(upsert, "MOST_UNPAGED", 3_000)
    store.ordinals(ACME, ["one more"], SECOND)
    now = store.open(ACME)
    assert now.head.pages == [Block("pages", "users", 0)]
    assert now.erased == {2_999}
    assert now.head.users == 3_000
    cold = store_of(table)
    former = cold.former(ACME, before.head.version, cold.open(ACME))
    assert [user.ordinal for user in former.users] == list(range(2_999))
    assert [user.ordinal for user in now.users] == [*range(2_999), 3_000]


def test_a_key_holder_is_read_from_one_page(many: MemoryTable) -> None:
    measured(many)
    assert store_of(many).open(ACME).key_owner(20_000).username == "user 20000"
    assert many.calls == {"read": 3}
    assert many.units["half read"] < 40


# whole walks


def test_everybody_is_exported_page_by_page_with_few_blocks_in_memory(many: MemoryTable) -> None:
    directory, lines, first, pages = store_of(many).open(ACME), 0, 0, 0
    while True:
        content, following = page_of(directory, first)
        lines, pages = lines + content.count(b"\n"), pages + 1
        assert len(content) < 4 * 1024 * 1024
        if following is None:
            break
        first = following
    assert lines == 1 + len(KINDS) + MANY
    assert pages > 1


@pytest.mark.parametrize("start", [0, 10, MANY // 2, MANY - 10])
def test_a_page_of_equal_users_is_read_with_few_names_in_memory(
    many: MemoryTable, start: int
) -> None:
    cache = BlockCache(most_bytes=2_000_000)
    directory = store_of(many, cache=cache).open(ACME)
    ranked = Ranking(range(MANY), [1] * MANY, Direction.DESCENDING, directory.ids_at)
    page = ranked.part(slice(start, start + 10))
    ids = {user.ordinal: user.id for user in directory.users_from(0)}
    assert page == sorted(ids, key=ids.__getitem__)[start : start + 10]
    assert cache.kept_bytes <= 2_000_000


def test_only_names_that_decide_a_place_on_the_page_are_read(many: MemoryTable) -> None:
    asked: list[int] = []

    def ids_of(users: Sequence[int]) -> Iterator[str]:
        asked.extend(users)
        return store_of(many).open(ACME).ids_at(users)

    fours = [user // 4 for user in range(MANY)]
    measured(many)
    page = Ranking(range(MANY), fours, Direction.ASCENDING, ids_of).part(slice(10_001, 10_009))
    assert asked == list(range(10_000, 10_012))
    assert set(page) < set(asked)
    assert [fours[user] for user in page] == fours[10_001:10_009]
    assert many.calls["read"] <= 3 * 3


def test_a_request_opens_a_bounded_number_of_blocks_and_says_which_rows_it_left(
    many: MemoryTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "MOST_OPENED", 4)
    edit = DirectoryEdit(store_of(many).open(ACME), NOON)
    rows = [{"username": f"user {n}", "verified": True} for n in range(0, MANY, 500)]
    edit.meet(rows)
    room = [edit.has_room_for(row) for row in rows]
    assert room == [n < 4 * BLOCK_ROWS for n in range(0, MANY, 500)]


def test_one_of_many_is_erased_with_few_calls(many: MemoryTable) -> None:
    store = store_of(many)
    user = store.open(ACME).user(12_345)
    store.ordinals(ACME, ["user 1"], SECOND)
    measured(many)
    erase(store, ACME, user.id, NOON, FORGETFUL)
    assert sum(many.calls.values()) < 30
    assert store.open(ACME).erased == {12_345}
    assert "user 12345" not in {each.username for each in store.open(ACME).users}
    with pytest.raises(NotFound):
        erase(store, ACME, user.id, NOON, FORGETFUL)


def test_the_last_admin_of_many_is_found_wherever_they_are(many: MemoryTable) -> None:
    store = store_of(many)
    directory = store.open(ACME)
    ids = [directory.user(ordinal).id for ordinal in (3, 19_999)]

    def admins(edit: DirectoryEdit, role: str, *users: str) -> list[Status]:
        return [edit.apply("user", {"id": each, "role": role}).status for each in users]

    store.change(ACME, NOON, lambda edit: admins(edit, "Admin", *ids))
    found = store.change(ACME, NOON, lambda edit: admins(edit, "Member", *ids))
    assert found == [Status.UPDATED, Status.REJECTED]


# kills, and two at once


@pytest.mark.parametrize("after", range(12))
def test_a_change_that_dies_anywhere_is_made_or_not_and_can_be_made_again(
    small_pages: None, after: int
) -> None:
    table = filled(3_000)
    store = store_of(table)
    left = iter([None] * after)

    def die() -> None:
        if next(left, "dead") == "dead":
            raise Killed

    table.before_write = die
    with suppress(Killed):
        store.change(ACME, NOON, change_some)
    table.before_write = lambda: None
    cold = store_of(table)
    known = cold.open(ACME).numbers_of(["new", "user 5", "renamed"])
    assert known in ({"user 5": 5}, {"new": 3_000, "renamed": 5})
    cold.change(ACME, NOON, change_some)
    assert cold.open(ACME).numbers_of(["new", "user 5", "renamed"]) == {"new": 3_000, "renamed": 5}
    assert [user.ordinal for user in cold.open(ACME).users] == list(range(3_001))


RENAMED = {"username": "renamed", "user_key": "renamed"}


def change_some(edit: DirectoryEdit) -> None:
    row = {"username": "user 5", "state": State.DEACTIVATED}
    if edit.user_with("username", "user 5") is not None:
        edit.apply("user", {**row, "id": edit.users.value(5, "id"), **RENAMED})
    edit.apply("user", {"username": "new"})


def test_of_two_changes_at_once_both_are_made(small_pages: None) -> None:
    table = filled(3_000)
    store, other, once = store_of(table), store_of(table), iter([True])

    def overtaken(edit: DirectoryEdit) -> None:
        edit.apply("user", {"username": "mine"})
        if next(once, False):
            other.ordinals(ACME, ["theirs"], SECOND)
            other.change(
                ACME, NOON, lambda e: e.apply("user", {"username": "user 1", "email": "x@y"})
            )

    store.change(ACME, NOON, overtaken)
    now = store_of(table).open(ACME)
    assert now.numbers_of(["mine", "theirs"]) == {"theirs": 3_000, "mine": 3_001}
    assert now.user(1).email == "x@y"


# what is as large as it may be


def test_the_largest_values_that_are_accepted_fit_into_items() -> None:
    table = filled(0)
    store = store_of(table)
    random = Random(5)
    places = [f"{n:0128d}" for n in range(400)]

    def fill(edit: DirectoryEdit) -> Iterator[Status]:
        for place in places:
            yield edit.apply("team", {"id": place, "name": longest(random, 256)}).status
        for _ in range(1_024):
            names = {name: longest(random, 128) for name in columns.NAMES}
            row = {**names, "email": longest(random, 254), "team": random.choice(places)}
            yield edit.apply("user", {**row, "departments": []}).status

    assert set(store.change(ACME, NOON, lambda edit: list(fill(edit)))) == {Status.CREATED}
    names = [sk for _, sk in table.items if "#names#" in sk]
    assert len(names) > 1, "they are in slices"
    cold = store_of(table).open(ACME)
    everybody = cold.users
    assert len(everybody) == 1_024
    assert all(len(user.username) == 128 for user in everybody)
    gone = everybody[1_000]
    erase(store, ACME, gone.id, NOON, FORGETFUL)
    for item in table.query(ACME, "BLOCK#users#names", "BLOCK#users#names~"):
        assert gone.username not in str(columns_of(item))
    assert len(Directory(store.open(ACME).head, store).users) == 1_023


def longest(random: Random, letters: int) -> str:
    """Letters that take most bytes and least compression."""
    return "".join(chr(random.randrange(0x20000, 0x2A000)) for _ in range(letters))


def test_what_does_not_fit_into_the_head_is_rejected_by_name() -> None:
    store = store_of(filled(0))
    random = Random(5)
    features = [longest(random, 256) for _ in range(200)]
    needs = {"exp": 1, "iat": 1, "seats": 1, "seats_cap": 1}
    outcome = store.change(
        ACME, NOON, lambda edit: edit.apply("license", {**needs, "features": features})
    )
    assert (outcome.status, outcome.code) == (Status.REJECTED, "invalid_parameter")
    assert outcome.message == "features: too large to be kept with the others"
    half = {**needs, "features": features[:100]}
    assert store.change(ACME, NOON, lambda edit: edit.apply("license", half)).status == "created"
    assert size_of(item_of(store.open(ACME).head)) < 200_000
