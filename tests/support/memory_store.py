"""A table in memory that keeps DynamoDB's promises and no more, with faults to order."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from odometer.engine.format.decisions import FRESH_SECONDS
from odometer.engine.store import Item, KeyRange, Made, PagesOf

ITEM_BYTES = 400_000


class Killed(BaseException):
    """The process died; nothing in product code catches this."""


class MemoryStore:
    """Items by key. An eventual read misses all that was written in the last 15 minutes."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._items: defaultdict[str, dict[str, tuple[int, Item]]] = defaultdict(dict)
        self.before_each: Callable[[str], None] = lambda _: None

    def get(self, pk: str, sk: str) -> Item | None:
        self.before_each("get")
        assert_named(pk, sk)
        return self._items[pk].get(sk, (0, None))[1]

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        return [self.get(pk, sk) for sk in sks]

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        return [self.items_in(key_range) for key_range in key_ranges]

    def begin_read(self, _: Sequence[KeyRange]) -> None:
        """Nothing is sent ahead."""

    def pages(self, key_range: KeyRange) -> Iterator[list[Item]]:
        """As small as they can be, so that whoever reads them meets all others between."""
        items = self.items_in(key_range)
        return ([item] for item in items)

    def pages_of_each(self, several: Sequence[PagesOf[Made]]) -> list[Made]:
        return [each.make(self.pages(each.key_range)) for each in several]

    def put(self, item: Item) -> None:
        self.before_each("put")
        _, stored = self._items[item["pk"]].get(item["sk"], (0, item))
        assert lasting(stored or {}) == lasting(item), (
            "an item that follows from a plan is the same whoever writes it"
        )
        self._store(item)

    def put_all(self, items: Iterable[Item]) -> None:
        """One write each, in an order of its own: whoever dies leaves any of them."""
        several = list(items)
        assert len({(item["pk"], item["sk"]) for item in several}) == len(several)
        for item in sorted(several, key=lambda item: crc32(item["sk"].encode())):
            self.put(item)

    def put_new(self, item: Item) -> bool:
        self.before_each("put")
        free = item["sk"] not in self._items[item["pk"]]
        if free:
            self._store(item)
        return free

    def put_newer(self, item: Item, by: str) -> bool:
        self.before_each("put")
        assert by in item, "DynamoDB cannot compare what is not there"
        _, stored = self._items[item["pk"]].get(item["sk"], (0, None))
        newer = stored is None or by not in stored or stored[by] < item[by]
        if newer:
            self._store(item)
        return newer

    def put_all_newer(self, items: Iterable[Item], by: str) -> None:
        for item in sorted(items, key=lambda item: crc32(item["sk"].encode())):
            self.put_newer(item, by)

    def add_missing(
        self, pk: str, sk: str, missing: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        """Set attributes of a mark, and those that it lacks."""
        self.before_each("put")
        stored = self._items[pk].get(sk, (0, {}))[1] or {}
        self._store({"pk": pk, "sk": sk, **missing, **stored, **values})

    def delete(self, pk: str, sk: str) -> None:
        self.before_each("put")
        self._items[pk].pop(sk, None)

    def delete_all(self, keys: Iterable[tuple[str, str]]) -> None:
        for pk, sk in keys:
            self.delete(pk, sk)

    def everything(self) -> Iterator[Item]:
        for partition in self._items.values():
            yield from (item for _, item in partition.values())

    def _store(self, item: Item) -> None:
        assert sum(map(_size, item.values())) < ITEM_BYTES
        assert not any(isinstance(value, float) for value in item.values()), "boto3 refuses floats"
        assert_named(item["pk"], item["sk"])
        _, stored = self._items[item["pk"]].get(item["sk"], (0, {}))
        assert (stored or {}).get("version", 0) < item.get("version", 1), "the head went back"
        self._items[item["pk"]][item["sk"]] = (self._clock(), dict(item))

    def items_in(self, key_range: KeyRange) -> list[Item]:
        self.before_each("read")
        assert "" < key_range.first <= key_range.last, "DynamoDB refuses this range"
        assert isinstance(key_range.strong, bool), "boto3 refuses anything else"
        assert_named(key_range.pk, key_range.first)
        seen = self._clock() - (0 if key_range.strong else FRESH_SECONDS)
        found = [
            item
            for sk, (at, item) in sorted(self._items[key_range.pk].items())
            if key_range.first <= sk <= key_range.last and (key_range.strong or at <= seen)
        ]
        ordered = found[::-1] if key_range.newest_first else found
        return ordered[: key_range.limit]


def assert_named(pk: str, sk: str) -> None:
    """No part of a key is what has no name: such an item would be of nobody, or of everybody."""
    assert "None" not in {*pk.split("#"), *sk.split("#")}


def lasting(item: Item) -> Item:
    """An item without its expiry, which is later when it is written again later."""
    return {name: value for name, value in item.items() if name != "ttl"}


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else 8


@contextmanager
def dying(store: MemoryStore, after_writes: int) -> Iterator[None]:
    """Kill whoever is about to write to the store once more than so many times."""
    left = after_writes

    def count(verb: str) -> None:
        nonlocal left
        if verb == "put":
            left -= 1
            if left < 0:
                raise Killed

    previous, store.before_each = store.before_each, count
    try:
        yield
    except Killed:
        pass
    finally:
        store.before_each = previous


class CountedRounds:
    """A table of which each use is a round that the caller waits for."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.rounds = 0

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def use(*asked: Any) -> Any:
            self.rounds += any(asked)
            return getattr(self._store, verb)(*asked)

        return use
