"""The item that processes share, in memory: it adds like DynamoDB, and fails when it is told to."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odometer.domain.errors import OdometerError, Unavailable

LARGEST_ITEM = 400_000


@dataclass
class SharedCounts:
    """Stands for the activity table, of which a limiter only adds to items."""

    items: defaultdict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    writes: int = 0
    fails: bool = False

    def add(self, pk: str, sk: str, amounts: Mapping[str, int], **values: Any) -> dict[str, Any]:
        if self.fails:
            raise Unavailable("told to")
        self.writes += 1
        counts = self.items[pk, sk] + Counter(amounts)
        if size_of(counts) > LARGEST_ITEM:
            raise OdometerError("ValidationException")
        self.items[pk, sk] = counts
        return {"pk": pk, "sk": sk, **values, **counts}


def size_of(counts: Mapping[str, int]) -> int:
    """Bytes of an item with these numbers: names, and a byte for two digits with one beside."""
    return sum(len(name) + len(str(each)) // 2 + 2 for name, each in counts.items())
