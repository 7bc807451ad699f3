"""How many round trips usage by value waits for, one after the other."""

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.integration.test_values import client_of, events
from tests.support.apps import Client, get_json
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.hops import counted_hops


@pytest.fixture(scope="module")
def counted() -> Iterator[Client]:
    """An organization on an engine whose calls are counted."""
    enable_socket()
    with stack_on_counting_engine() as stack:
        client = client_of(stack)
        client.used(*events())
        client.settle()
        yield client


@pytest.mark.engine
@pytest.mark.parametrize(("granularity", "most"), [("all", 2), ("month", 3), ("day", 3)])
def test_all_by_value_is_read_at_once(counted: Client, granularity: str, most: int) -> None:
    """By a process that has answered before, of a year in which it began."""
    span = "from=2025-04-01&to=2026-03-20&timezone=UTC"
    query = f"{span}&kind=document&measure=pages&group_by=format&granularity={granularity}"
    for _ in range(2):
        with counted_hops() as hops:
            get_json(counted, "/v1/usage", query)
    assert 0 < hops.hops <= most
