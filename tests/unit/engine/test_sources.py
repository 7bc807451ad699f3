"""Coverage of many sources: in few items of a bounded size, and nothing of it is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random
from unittest.mock import patch

import pytest

from odometer.domain.events import Event, digest_of, utc_date
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import epoch_second
from odometer.engine.format import keys
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.latest import SOURCES_BYTES, Coverage
from odometer.engine.read.latest import Received, received
from odometer.engine.read.views import View
from odometer.engine.write.latest import LatestValues
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import ORGANIZATION

NOON = epoch_second(datetime(2026, 11, 20, 12, tzinfo=UTC))
PRODUCT = "automation"
DAY = 86_400


class CountingStore(MemoryStore):
    """A table that counts calls as DynamoDB takes them: a hundred gets in one."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON)
        self.gets = self.puts = 0

    def get_each(self, pk: str, sks: Sequence[str]) -> list[object]:  # type: ignore[override]
        self.gets += -(-len(sks) // 100)
        return super().get_each(pk, sks)  # type: ignore[return-value]

    def put_newer(self, item: object, by: str) -> bool:
        self.puts += 1
        return super().put_newer(item, by)  # type: ignore[arg-type]


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def use(source: str, second: int = NOON) -> Event[int]:
    measures = (1, *[0] * (LEAST_MEASURES - 1))
    return Event(0, PRODUCT, source, second, 0, measures, digest_of(source, f"{second}"))


def record(store: MemoryStore, plan: int, *events: Event[int]) -> None:
    LatestValues(ORGANIZATION, store, plan, NOON).record(events)


def seen(store: MemoryStore, plan: int = 10**6) -> Received:
    head = UsageHead("UTC", NOON, plan=plan)
    (found,) = received(View(ORGANIZATION, store, head, [], NOON), [PRODUCT])
    return found


def test_a_source_in_every_event_takes_few_calls(store: CountingStore) -> None:
    """5,000 sources took 5,000 gets and 5,000 puts."""
    record(store, 1, *(use(f"ci/{number}") for number in range(5_000)))
    assert store.gets <= 3
    assert store.puts == 64 + 1, "the buckets, and a month"
    assert len(seen(store).by_source) == 5_000


def test_a_bucket_that_outgrows_its_bound_keeps_the_sources_used_last(
    store: CountingStore,
) -> None:
    with patch("odometer.engine.write.latest.SOURCES_BYTES", 400):
        for plan in range(1, 9):
            sent = [use(f"{plan} {at} of many", NOON + plan * DAY) for at in range(1_000)]
            record(store, plan, *sent)
    found = seen(store)
    assert found.others is not None
    assert found.whole is not None
    assert found.whole.by_date == {utc_date(NOON + plan * DAY): 1_000 for plan in range(1, 9)}
    plans = Counter(source[0] for source in found.by_source)
    assert plans["1"] == 0 < plans["7"] < plans["8"]
    assert found.others.first == NOON + DAY
    items = [item for item in store.everything() if "sources" in item]
    assert max(sum(len(v) for v in item.values() if isinstance(v, bytes)) for item in items) <= 400
    assert len(items) == 64


def test_no_bucket_grows_beyond_its_bound(store: CountingStore) -> None:
    random = Random(1)
    for plan in range(1, 4):
        names = (random.randbytes(20).hex() for _ in range(40_000))
        record(store, plan, *(use(name, NOON - plan * DAY) for name in names))
    items = [item for item in store.everything() if "sources" in item]
    sizes = [sum(len(v) for v in item.values() if isinstance(v, bytes)) for item in items]
    assert SOURCES_BYTES / 4 < max(sizes) <= SOURCES_BYTES
    whole = seen(store).whole
    assert whole is not None
    assert sum(whole.by_date.values()) == 120_000


def former_item(source: str, plan: int, seconds: Sequence[int]) -> dict[str, object]:
    pk = keys.coverage(ORGANIZATION, PRODUCT)
    return {"pk": pk, "sk": source, "k": plan, **Coverage.of(seconds).to_attributes()}


def test_items_of_one_source_count_beside_buckets(store: CountingStore) -> None:
    store.put_newer(former_item("ci", 1, [NOON - DAY, NOON - DAY]), "k")
    store.put_newer(former_item("old", 1, [NOON - 9 * DAY]), "k")
    record(store, 2, use("ci"), use("new"))
    assert seen(store).by_source == {
        "ci": Coverage(NOON - DAY, NOON, Counter({utc_date(NOON - DAY): 2, utc_date(NOON): 1})),
        "new": Coverage.of([NOON]),
        "old": Coverage.of([NOON - 9 * DAY]),
    }


def test_a_plan_that_a_former_release_has_begun_counts_once(store: CountingStore) -> None:
    store.put_newer(former_item("ci", 2, [NOON]), "k")
    for _ in range(2):
        record(store, 2, use("ci"), use("laptop"))
    assert seen(store).by_source == {"ci": Coverage.of([NOON]), "laptop": Coverage.of([NOON])}


def test_dates_of_several_sources_keep_apart(store: CountingStore) -> None:
    days = {"a": [0, 5, 400], "~": [7], "\U0010ffff": [1, 2, 3]}
    events = [use(name, NOON - ago * DAY) for name, each in days.items() for ago in each]
    record(store, 1, *events)
    expected = {name: Coverage.of([NOON - ago * DAY for ago in days[name]]) for name in days}
    assert seen(store).by_source == expected
    assert date(2026, 11, 20) in expected["a"].by_date
