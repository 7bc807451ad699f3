"""What a process remembers of organizations from one request to the next, up to a number of bytes.

Only what never changes is remembered, so nothing but time depends on it. It is true of the tables
that it was read from: whoever finds an older copy in their place forgets the organization.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from odometer.domain.frozen import frozen

REMEMBERED_BYTES: Final = 100 * 2**20
"""The ids of one date at 300 events/s fit: 26 million of them take 104 MB."""


@dataclass(slots=True)
class Memory:
    """What was used last of all organizations; threads may share it."""

    most: int = REMEMBERED_BYTES
    weight: int = 0
    forgotten: int = 0
    """How often an organization was forgotten."""
    _known: OrderedDict[tuple[str, object], tuple[Any, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def of(self, organization: str) -> "OrganizationMemory":
        """What is remembered of an organization, until it is forgotten."""
        return OrganizationMemory(self, organization, self.forgotten)

    def get(self, organization: str, name: object, since: int | None = None) -> Any:
        """What was kept by this name, which is used last now; None if it is not remembered."""
        with self._lock:
            known = self._known.get((organization, name))
            if known is None or since not in (None, self.forgotten):
                return None
            self._known.move_to_end((organization, name))
            return known[0]

    def keep(
        self, organization: str, name: object, known: object, weight: int, since: int | None = None
    ) -> None:
        """Remember this as used last, and forget what was used longest ago."""
        with self._lock:
            if since not in (None, self.forgotten):
                return
            self._drop((organization, name))
            if weight <= self.most:
                self._known[organization, name] = (known, weight)
                self.weight += weight
            while self.weight > self.most:
                self._drop(next(iter(self._known)))

    def forget(self, organization: str) -> None:
        with self._lock:
            self.forgotten += 1
            for key in [key for key in self._known if key[0] == organization]:
                self._drop(key)

    def _drop(self, key: tuple[str, object]) -> None:
        self.weight -= self._known.pop(key, (None, 0))[1]


@frozen
class OrganizationMemory:
    """What a process remembers of one organization, as one request uses it.

    An organization is forgotten when its tables turn out to be others. Whoever began to read before
    that neither finds nor leaves anything, since it may be of either.
    """

    memory: Memory
    organization: str
    since: int
    """How often an organization had been forgotten when the request began."""

    def get(self, name: object) -> Any:
        return self.memory.get(self.organization, name, self.since)

    def keep(self, name: object, known: object, weight: int) -> None:
        """Remember something that takes about so many bytes."""
        self.memory.keep(self.organization, name, known, weight, self.since)

    def forget(self) -> "OrganizationMemory":
        """Forget all of the organization; what is read from now on may be kept again."""
        self.memory.forget(self.organization)
        return self.memory.of(self.organization)


NO_MEMORY: Final = Memory(most=0).of("")
"""It remembers nothing."""
