"""The engine's `Store` on a DynamoDB table."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import cast

from odometer.engine.store import Item, KeyRange
from odometer.storage.dynamo import Table


class TableStore:
    """One DynamoDB table; key ranges are read in parallel, or in turn if there are no readers."""

    def __init__(self, table: Table, readers: Executor | None = None) -> None:
        self.table = table
        self.readers = readers

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, as it is now."""
        return self.table.get(pk, sk, consistent=True)

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        """Several items of one partition, as they are now, in one request."""
        found = self.table.get_many([(pk, sk) for sk in sks], consistent=True)
        return [found.get((pk, sk)) for sk in sks]

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        """The items of every key range, in the order asked."""
        if len(key_ranges) == 1 or self.readers is None:
            return [self._key_range(key_range) for key_range in key_ranges]
        return list(self.readers.map(self._key_range, key_ranges))

    def put(self, item: Item) -> None:
        """Store an item that is the same whoever writes it."""
        self.table.put(item)

    def put_new(self, item: Item) -> bool:
        """Store an item unless its key is taken; whether it was stored."""
        return self.table.put_new(item)

    def put_newer(self, item: Item, by: str) -> bool:
        """Store an item unless the stored one has as much or more of an attribute."""
        return self.table.put_newer(item, by)

    def delete(self, pk: str, sk: str) -> None:
        """Remove an item, if it is there."""
        self.table.delete(pk, sk)

    def _key_range(self, key_range: KeyRange) -> list[Item]:
        found = self.table.query(
            key_range.pk,
            key_range.first,
            key_range.last,
            consistent=key_range.strong,
            limit=key_range.limit,
        )
        return cast("list[Item]", list(found))
