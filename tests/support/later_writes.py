"""Writes of a table in memory that are made later, as those of `odometer.storage.dynamo` are."""

from collections.abc import Callable, Mapping
from typing import Any


class LaterWrite:
    """A write under a condition."""

    def __init__(self, make: Callable[[], bool]) -> None:
        self.make = make


class LaterWrites:
    """What a table of ours has beside writes that are made at once."""

    put_new: Callable[..., Any]
    put_if: Callable[..., bool]
    change: Callable[..., bool]

    def write_new(self, item: Mapping[str, Any]) -> LaterWrite:
        return LaterWrite(lambda: self.put_new(item))

    def write_if(self, item: Mapping[str, Any], attribute: str, expected: Any) -> LaterWrite:
        return LaterWrite(lambda: self.put_if(item, attribute, expected))

    def write_change(
        self, pk: str, sk: str, values: Mapping[str, Any], **expected: Any
    ) -> LaterWrite:
        return LaterWrite(lambda: self.change(pk, sk, values, **expected))
