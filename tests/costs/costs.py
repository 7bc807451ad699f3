"""What a request reads, by purpose, and the document in which costs are published."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from odometer.bootstrap import process
from odometer.storage.dynamo import READS, Table

PARTITIONS = {"H": "head", "F": "tail", "R": "frames", "E": "segments"}
"""What the partitions of the usage table hold."""


@dataclass
class ReadCosts:
    """Read units and calls of a request, by purpose."""

    units: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> float:
        return sum(self.units.values())

    def add(self, purpose: str, consumed: Any) -> None:
        each = consumed if isinstance(consumed, list) else [consumed]
        self.units[purpose] += sum(one["CapacityUnits"] for one in each)
        self.calls[purpose] += 1


@contextmanager
def read_costs() -> Iterator[ReadCosts]:
    """What a process that remembers nothing pays for reading in this block."""
    process.cache_clear()
    costs, call = ReadCosts(), Table._call  # noqa: SLF001  every call goes through here

    def counted(table: Table, operation: str, **arguments: Any) -> Any:
        answer = call(table, operation, **arguments)
        if operation in READS:
            costs.add(purpose_of(table.name, arguments), answer["ConsumedCapacity"])
        return answer

    with patch.object(Table, "_call", counted):
        yield costs


def purpose_of(table: str, arguments: Mapping[str, Any]) -> str:
    """What a read is for, by its keys: blocks of the directory are read apart from the caller."""
    match arguments:
        case {"RequestItems": {"directory": {"Keys": wanted}}}:
            is_block = any(key["sk"]["S"].startswith("BLOCK#") for key in wanted)
            return "blocks" if is_block else "caller"
        case {"ExpressionAttributeValues": {":pk": {"S": pk}}} | {"Key": {"pk": {"S": pk}}}:
            return PARTITIONS.get(pk.split("#")[1], table) if table == "usage" else table
    return table


def write_section(path: Path, title: str, text: str) -> None:
    """With `UPDATE=1`, put a section into a document of figures where it was, or at its end."""
    if os.environ.get("UPDATE"):
        found = path.read_text(encoding="utf-8") if path.exists() else "# What it costs\n"
        former = re.compile(rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
        section = f"\n## {title}\n\n{text.rstrip()}\n"
        whole, times = former.subn(lambda _: section, found)
        path.write_text(whole if times else f"{found.rstrip()}\n{section}", encoding="utf-8")
