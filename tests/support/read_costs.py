"""A deployment whose engine computes units, and what every read of a request is for."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from odometer.storage import directory, dynamo, key_activity, secret
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Meter, Table
from tests.support.counting import counting_engine
from tests.support.stack import ENVIRONMENT, Stack

LETTERS = {"H": "head", "F": "tail", "R": "frames", "E": "segments"}
"""What the partitions of the usage table hold."""


@dataclass
class ReadCosts:
    """Read units and calls of a request, by what they are for."""

    units: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> float:
        return sum(self.units.values())

    def add(self, purpose: str, consumed: Any) -> None:
        """Take one answer into account; what is written there is not of interest."""
        each = consumed if isinstance(consumed, list) else [consumed]
        self.units[purpose] += sum(one["CapacityUnits"] for one in each)
        self.calls[purpose] += 1


@contextmanager
def deployment_that_counts() -> Iterator[Stack]:
    """All tables on the counting engine, and a secret that needs none."""
    with counting_engine() as client:
        endpoint = {"AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url}
        known = patch.object(secret, "secret", lambda _: b"not a secret")
        with patch.dict(os.environ, {**ENVIRONMENT, **endpoint}), known:
            dynamo.dynamodb.cache_clear()
            yield Stack(DirectoryStore(Table("directory", Meter())))
            dynamo.dynamodb.cache_clear()


@contextmanager
def read_costs() -> Iterator[ReadCosts]:
    """The bill of what is read meanwhile, by a process that remembers nothing."""
    directory.forget()
    key_activity.forget()
    bill, call = ReadCosts(), Table._call  # noqa: SLF001  every call goes through here

    def priced(table: Table, operation: str, arguments: dict[str, Any], *, write: bool) -> Any:
        answer = call(table, operation, arguments, write=write)
        if not write:
            bill.add(purpose_of(table.name, arguments), answer["ConsumedCapacity"])
        return answer

    with patch.object(Table, "_call", priced):
        yield bill


def purpose_of(table: str, arguments: Mapping[str, Any]) -> str:
    """What a read is for, by its keys."""
    match arguments:
        case {"RequestItems": {"directory": {"Keys": wanted}}}:
            return part_of([key["sk"]["S"] for key in wanted])
        case {"ExpressionAttributeValues": {":pk": {"S": pk}}} | {"Key": {"pk": {"S": pk}}}:
            return LETTERS.get(pk.split("#")[1], table) if table == "usage" else table
    return table


def part_of(sort_keys: Sequence[str]) -> str:
    """Whether keys are of the directory's blocks, or prove the caller and open it."""
    return "blocks" if any(each.startswith("BLOCK#") for each in sort_keys) else "caller"
