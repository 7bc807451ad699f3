"""Kinds of product and what is measured of each: one table, where a new kind is one row.

A measure can be added at the end of a kind at any time: whatever was stored before has zeros for
it. Clients send it once every function runs the new code. A measure is never removed, moved or
renamed, because items hold measures by their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

MEASURE_LIMIT: Final = 2**40


@dataclass(frozen=True)
class Kind:
    """What the products of a kind measure, and whose days they count."""

    name: str
    measures: tuple[str, ...]
    products: tuple[str, ...] = ()
    """The products of this kind that every organization has."""
    platforms: tuple[str, ...] = ()
    local_days: bool = False
    """Days are those of the organization's zone; otherwise they are UTC days."""

    @cached_property
    def attributes(self) -> frozenset[str]:
        """All that the data of an event may say."""
        return frozenset({"product", *self.measures, *(["platform"] if self.platforms else [])})


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "test",
                ("tests", "duration_ms"),
                ("automation", "app-automation", "hyperexecute", "realtime", "realdevice"),
            ),
            Kind("visual", ("screenshots",), ("smartui",)),
            Kind(
                "completion",
                ("completions", "chars_completed", "keystrokes", "lines"),
                ("code-completions",),
            ),
            Kind(
                "chat",
                ("interactions", "useful_interactions", "lines", "chars_completed"),
                ("chat",),
            ),
            Kind("app", ("active_ms", "sessions"), platforms=("desktop", "web"), local_days=True),
        )
    }
)

DEFAULT_PRODUCTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {product: kind for kind in KINDS.values() for product in kind.products}
)
