"""Overwrites items that are no pure function of one plan.

A plan that is repeated finds its own number in an item and leaves it alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from odometer.engine.store import Item, Store

_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Overwriting:
    """Overwrites items of one partition with what a plan adds."""

    store: Store
    pk: str
    plan: int

    def change(
        self,
        changes: Mapping[str, Callable[[Item], Item]],
        former: Callable[[str, Item], Item] | None = None,
    ) -> None:
        """Change items that do not have this plan yet, some at once."""
        order = sorted(changes)
        for at in range(0, len(order), _AT_ONCE):
            some = order[at : at + _AT_ONCE]
            found = zip(some, self.store.get_each(self.pk, some), strict=True)
            old = {sk: item or {"k": 0} for sk, item in found}
            old = {sk: item for sk, item in old.items() if item["k"] < self.plan}
            if former:
                self.store.put_all([former(sk, item) for sk, item in old.items()])
            new = [{"pk": self.pk, "sk": sk, "k": self.plan, **changes[sk](old[sk])} for sk in old]
            self.store.put_all_newer(new, "k")
