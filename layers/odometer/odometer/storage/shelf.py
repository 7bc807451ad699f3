"""A table as the engine sees it: the `Shelf` of `odometer.readings`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import cast

from odometer.readings.shelf import Item, Span
from odometer.storage.dynamo import Table

AT_ONCE = 16


@cache
def readers() -> ThreadPoolExecutor:
    """The process's threads for reads that need not wait for each other."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="read")


class TableShelf:
    """One DynamoDB table; spans are read in parallel."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, as it is now."""
        return self.table.get(pk, sk, consistent=True)

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        """Several items of one partition, as they are now, in one request."""
        found = self.table.get_many([(pk, sk) for sk in sks], consistent=True)
        return [found.get((pk, sk)) for sk in sks]

    def read(self, spans: Sequence[Span]) -> list[list[Item]]:
        """The items of every span, in the order asked."""
        if len(spans) == 1:
            return [self._span(spans[0])]
        return list(readers().map(self._span, spans))

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

    def _span(self, span: Span) -> list[Item]:
        found = self.table.query(
            span.pk, span.first, span.last, consistent=span.strong, limit=span.limit
        )
        return cast("list[Item]", list(found))
