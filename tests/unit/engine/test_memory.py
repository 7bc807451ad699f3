"""What a process remembers: bounded in bytes, and never of another organization or other tables."""

import tracemalloc

from odometer.engine.memory import NO_MEMORY, Memory
from tests.support.simulated_engine import NEIGHBOUR, ORGANIZATION

MB = 2**20


def test_an_organization_finds_only_its_own() -> None:
    memory = Memory()
    memory.of(ORGANIZATION).keep("week", b"ours", 10)
    assert memory.of(NEIGHBOUR).get("week") is None
    memory.of(NEIGHBOUR).keep("week", b"theirs", 10)
    assert memory.of(ORGANIZATION).get("week") == b"ours"


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    memory = Memory(most=30)
    acme = memory.of(ORGANIZATION)
    for name in ("first", "second", "third"):
        acme.keep(name, name, 10)
    assert acme.get("first") == "first"
    acme.keep("fourth", "fourth", 10)
    names = ("first", "second", "third", "fourth")
    assert [acme.get(name) for name in names] == ["first", None, "third", "fourth"]


def test_what_never_fits_makes_nothing_else_forgotten() -> None:
    memory = Memory(most=30)
    acme = memory.of(ORGANIZATION)
    acme.keep("small", "small", 10)
    acme.keep("large", "large", 31)
    assert (acme.get("small"), acme.get("large"), memory.weight) == ("small", None, 10)


def test_forgetting_an_organization_leaves_the_others() -> None:
    memory = Memory()
    memory.of(ORGANIZATION).keep("week", b"ours", 10)
    memory.of(NEIGHBOUR).keep("week", b"theirs", 10)
    memory.forget(ORGANIZATION)
    assert memory.of(ORGANIZATION).get("week") is None
    assert memory.of(NEIGHBOUR).get("week") == b"theirs"
    assert memory.weight == 10


def test_who_began_before_the_organization_was_forgotten_neither_finds_nor_leaves_anything() -> (
    None
):
    memory = Memory()
    before = memory.of(ORGANIZATION)
    memory.forget(ORGANIZATION)
    before.keep("week", b"of the former tables", 10)
    after = memory.of(ORGANIZATION)
    assert after.get("week") is None
    after.keep("week", b"of the present tables", 10)
    assert before.get("week") is None


def test_memory_is_bounded_in_bytes() -> None:
    tracemalloc.start()
    try:
        memory = Memory(most=4 * MB)
        for number in range(100):
            memory.of(f"{ORGANIZATION}{number}").keep("week", bytes(MB // 4), MB // 4 + 200)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 3 * MB < size < 4.2 * MB


def test_no_memory_remembers_nothing() -> None:
    NO_MEMORY.keep("week", b"", 1)
    assert NO_MEMORY.get("week") is None
