"""Key ranges on DynamoDB: page by page, and from the last sort key to the first."""

import pytest

from odometer.bootstrap import process
from odometer.engine.store import KeyRange, Store
from odometer.storage.dynamo import Meter
from tests.support.memory_store import MemoryStore
from tests.support.stack import Stack

NUMBERS = [f"{number:03d}" for number in range(40)]
ALL = KeyRange("pk", NUMBERS[0], NUMBERS[-1])


@pytest.fixture(params=["dynamodb", "memory"])
def store(request: pytest.FixtureRequest, stack: Stack) -> Store:
    found: Store = (
        process().usage_store(Meter())
        if request.param == "dynamodb"
        else MemoryStore(lambda: 10**9)
    )
    found.put_all({"pk": "pk", "sk": number, "some": bytes(100_000)} for number in NUMBERS)
    return found


def test_pages_join_to_all_items_and_none_is_large(store: Store) -> None:
    pages = list(store.pages(ALL))
    assert [item["sk"] for page in pages for item in page] == NUMBERS
    assert len(pages) > 1
    assert max(map(len, pages)) <= 10


def test_the_newest_items_come_first(store: Store) -> None:
    newest = ALL._replace(limit=2, newest_first=True)
    (found,) = store.read([newest])
    assert [item["sk"] for item in found] == NUMBERS[:-3:-1]
    (earlier,) = store.read([newest._replace(last="017~")])
    assert [item["sk"] for item in earlier] == ["017", "016"]
