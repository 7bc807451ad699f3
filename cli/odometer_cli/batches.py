"""Many items as few requests."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def batches(
    items: Iterable[Item], size_of: Callable[[Item], int], most_items: int, most_bytes: int
) -> Iterator[list[Item]]:
    """The items in order, as many at a time as one request may carry."""
    batch, size = list[Item](), 0
    for item in items:
        if len(batch) == most_items or (batch and size + size_of(item) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_of(item)
    if batch:
        yield batch
