"""What it costs to erase somebody, counted by an engine that computes capacity units."""

from collections.abc import Callable, Iterator
from random import Random
from uuid import UUID

import pytest
from pytest_socket import enable_socket

from odometer.bootstrap import process
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.errors import NotFound
from odometer.services.erasure import erase
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Meter
from tests.costs.costs import write_section
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.forgetful_trail import FORGETFUL
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import ROOT, Stack

pytestmark = pytest.mark.engine
SIZES = (1_000, 10_000)
MOST = {"somebody": (110, 19), "the same again": (0, 5), "somebody, twelve copies": (480, 34)}
"""Write units and calls, however many users there are."""
TEXT = """Counted by `tests/costs/test_erasure_costs.py`: `DELETE /v1/users/{user_id}`
without what proves the caller, cold; random ids and unlike usernames. *The same again* is the
second request, which is refused with 404. *Twelve copies* are those of a block that was written
twelve times within 26 hours."""


@pytest.fixture(scope="module", params=SIZES)
def people(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, int]]:
    enable_socket()
    with stack_on_counting_engine() as stack:
        stack.directories.change(ACME, NOON, lambda edit: register_many(edit, request.param))
        yield stack, request.param


def register_many(edit: DirectoryEdit, count: int) -> None:
    random = Random(7)
    for number in range(count):
        name = f"{UUID(int=random.getrandbits(128)).hex[:12]}@example.com"
        key = str(UUID(int=random.getrandbits(128)))
        row = {"id": f"user-{number}", "username": name, "user_key": key, "email": name}
        edit.apply("user", row)


def counted(do: Callable[[DirectoryStore], None]) -> Meter:
    """What something costs a process that remembers nothing."""
    meter = Meter()
    do(DirectoryStore(process().table("directory", meter), BlockCache()))
    return meter


def refused(of: DirectoryStore) -> None:
    with pytest.raises(NotFound):
        erase(of, ACME, "user-7", NOON, FORGETFUL)


COSTS: dict[tuple[str, int], Meter] = {}


def test_erasing_somebody_costs_little_more_than_changing_them(people: tuple[Stack, int]) -> None:
    stack, size = people
    found = {
        "somebody": counted(lambda of: erase(of, ACME, "user-7", NOON, FORGETFUL)),
        "the same again": counted(refused),
    }
    for number in range(11):
        row = {"id": "user-500", "username": f"renamed-{number}"}
        stack.directories.change(ACME, NOON, lambda edit, row=row: edit.apply("user", row))  # type: ignore[misc]
    found["somebody, twelve copies"] = counted(
        lambda of: erase(of, ACME, "user-8", NOON, FORGETFUL)
    )
    for what, meter in found.items():
        COSTS[what, size] = meter
        units, calls = MOST[what]
        assert (meter.write_units <= units, meter.requests <= calls) == (True, True), what


def test_what_erasure_costs_is_published() -> None:
    if {size for _, size in COSTS} != set(SIZES):
        pytest.skip("only the whole file knows all costs")
    lines = [
        f"| {what} | {' | '.join(in_words(COSTS[what, size]) for size in SIZES)} |" for what in MOST
    ]
    heads = " | ".join(f"{size:,} users" for size in SIZES)
    table = "\n".join([f"| erasing | {heads} |", "|---|---|---|", *lines])
    write_section(ROOT / "docs" / "performance.md", "Erasure", f"{TEXT}\n\n{table}")


def in_words(meter: Meter) -> str:
    units = f"{meter.write_units:.0f} write units, {meter.read_units:.1f} read units"
    return f"{units}, {meter.requests} calls"
