"""The directory's table in memory: as DynamoDB keeps items, with counts of calls, units, bytes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from odometer.storage.dynamo import Item, Key
from tests.support.later_writes import LaterWrites

ITEM_BYTES = 400_000
BATCH_GET, BATCH_WRITE = 100, 25
READ_UNIT, WRITE_UNIT = 4_096, 1_024


class MemoryTable(LaterWrites):
    """Items by key; every item that is written fits into DynamoDB."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.calls: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.before_write: Callable[[], None] = lambda: None

    def get(self, pk: str, sk: str) -> Item | None:
        return self.get_many([(pk, sk)], consistent=True).get((pk, sk))

    def get_many(self, keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
        self.calls["read"] += -(-len(keys) // BATCH_GET)
        found = {key: dict(self.items[key]) for key in keys if key in self.items}
        for item in found.values():
            self._read(item, consistent=consistent)
        return found

    def query(
        self, pk: str, low: str, high: str, *, consistent: bool = False, limit: int | None = None
    ) -> Iterator[Item]:
        self.calls["read"] += 1
        keys = sorted(key for key in self.items if key[0] == pk and low <= key[1] <= high)
        for key in keys[:limit]:
            self._read(self.items[key], consistent=consistent)
            yield dict(self.items[key])

    def put(self, item: Mapping[str, Any]) -> None:
        self.calls["write"] += 1
        self._write(item)

    def put_new(self, item: Mapping[str, Any]) -> bool:
        free = (item["pk"], item["sk"]) not in self.items
        if free:
            self.put(item)
        return free

    def put_if(self, item: Mapping[str, Any], attribute: str, expected: Any) -> bool:
        stored = self.items.get((item["pk"], item["sk"]), {})
        self.calls["write"] += 1
        if stored.get(attribute) == expected:
            self._write(item)
        return bool(stored.get(attribute) == expected)

    def put_all(self, items: Iterable[Mapping[str, Any]]) -> None:
        several = list(items)
        self.calls["write"] += -(-len(several) // BATCH_WRITE)
        for item in several:
            self._write(item)

    def change(self, pk: str, sk: str, values: Mapping[str, Any], **expected: Any) -> bool:
        stored = self.items.get((pk, sk))
        self.calls["write"] += 1
        holds = stored is not None and expected.items() <= stored.items()
        if holds:
            self._write({**self.items[pk, sk], **values})
        return holds

    def delete(self, pk: str, sk: str) -> None:
        self.calls["write"] += 1
        self.before_write()
        self.items.pop((pk, sk), None)

    def _write(self, item: Mapping[str, Any]) -> None:
        self.before_write()
        assert size_of(item) < ITEM_BYTES
        self.units["write"] += -(-size_of(item) // WRITE_UNIT)
        self.items[str(item["pk"]), str(item["sk"])] = dict(item)

    def _read(self, item: Item, *, consistent: bool) -> None:
        self.units["half read"] += -(-size_of(item) // READ_UNIT) * (2 if consistent else 1)


def size_of(item: Mapping[str, Any]) -> int:
    return sum(
        len(name) + (len(value) if isinstance(value, str | bytes) else 8)
        for name, value in item.items()
    )
