"""The item that processes share, in memory: it adds like DynamoDB, and fails when it is told to."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odometer.domain.errors import Unavailable


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
        self.items[pk, sk].update(amounts)
        return {"pk": pk, "sk": sk, **values, **self.items[pk, sk]}
