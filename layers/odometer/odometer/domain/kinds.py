"""Kinds of product and what is measured of each: one table, where a new kind is one row.

An organization has kinds of its own beside these. A measure can be added at the end of a kind at
any time: whatever was stored before has zeros for it. Clients send it once every function runs the
new code. A measure is never removed, moved or renamed, because items hold measures by their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

MEASURE_LIMIT: Final = 2**40
MEASURES: Final = 8
"""No kind has more measures."""
LEAST_MEASURES: Final = 4
"""Events, and what is stored, have room for so many, whether they are used or not."""
BREAKDOWNS: Final = 2
"""No kind has more breakdowns."""

MOST_DECIMALS: Final = 6
ACTIVE_USERS: Final = "active_users"
ACTIVE_DAYS: Final = "active_days"
"""What a ratio may be for each of, beside measures."""


class Aggregate(StrEnum):
    """How a measure comes about: events send it, or each is one and sends nothing for it."""

    SUM = "sum"
    COUNT = "count"


class Unit(StrEnum):
    """What a measure is measured in."""

    COUNT = "count"
    MS = "ms"
    SECONDS = "seconds"
    BYTES = "bytes"
    CHARACTERS = "characters"
    LINES = "lines"
    TOKENS = "tokens"
    CREDITS = "credits"


class Measure(NamedTuple):
    """One thing that a kind measures."""

    name: str
    aggregate: Aggregate = Aggregate.SUM
    unit: Unit = Unit.COUNT
    decimals: int = 0
    """Values are kept as whole numbers of 10**-decimals."""
    label: str = ""


class Ratio(NamedTuple):
    """The sum of a measure, divided."""

    name: str
    of: str
    per: str
    """A measure, several joined by `+`, whose sums are added, or `active_users`, `active_days`."""
    label: str = ""

    @property
    def divisors(self) -> tuple[str, ...]:
        return tuple(self.per.split("+"))


@dataclass(frozen=True)
class Kind:
    """What the products of a kind measure, and whose days they count."""

    name: str
    described: tuple[Measure, ...]
    products: tuple[str, ...] = ()
    """The products of this kind that every organization has."""
    platforms: tuple[str, ...] = ()
    local_days: bool = False
    """Days are those of the organization's zone; otherwise they are UTC days."""
    ratios: tuple[Ratio, ...] = ()
    breakdowns: tuple[str, ...] = ()
    """What an event may be told apart by, in the order in which its values are stored."""
    label: str = ""

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def is_built_in(self) -> bool:
        return KINDS.get(self.name) == self

    @cached_property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures, by their place in stored items."""
        return tuple(measure.name for measure in self.described)

    @cached_property
    def unsaid(self) -> Sequence[tuple[Measure, int]]:
        """The measures, and what each is of an event that says nothing of it."""
        return [(each, int(each.aggregate == Aggregate.COUNT)) for each in self.described]

    @cached_property
    def attributes(self) -> frozenset[str]:
        """All that the data of an event may say."""
        sent = [measure.name for measure in self.described if measure.aggregate == Aggregate.SUM]
        platform = ["platform"] if self.platforms else []
        return frozenset({"product", *sent, *platform, *self.breakdowns})


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "test",
                (
                    Measure("tests", label="Tests"),
                    Measure("duration_ms", unit=Unit.MS, label="Duration"),
                ),
                ("automation", "app-automation", "hyperexecute", "realtime", "realdevice"),
                label="Tests",
            ),
            Kind(
                "visual",
                (Measure("screenshots", label="Screenshots"),),
                ("smartui",),
                label="Visual tests",
            ),
            Kind(
                "completion",
                (
                    Measure("completions", label="Completions"),
                    Measure("chars_completed", unit=Unit.CHARACTERS, label="Characters completed"),
                    Measure("keystrokes", label="Keystrokes"),
                    Measure("lines", unit=Unit.LINES, label="Lines"),
                ),
                ("code-completions",),
                ratios=(
                    Ratio(
                        "automation_factor",
                        "chars_completed",
                        "chars_completed+keystrokes",
                        "Automation factor",
                    ),
                ),
                label="Code completions",
            ),
            Kind(
                "chat",
                (
                    Measure("interactions", label="Interactions"),
                    Measure("useful_interactions", label="Useful interactions"),
                    Measure("lines", unit=Unit.LINES, label="Lines"),
                    Measure("chars_completed", unit=Unit.CHARACTERS, label="Characters completed"),
                ),
                ("chat",),
                ratios=(
                    Ratio(
                        "chat_consumption_rate",
                        "useful_interactions",
                        "interactions",
                        "Chat consumption rate",
                    ),
                ),
                label="Chat",
            ),
            Kind(
                "app",
                (
                    Measure("active_ms", unit=Unit.MS, label="Active time"),
                    Measure("sessions", label="Sessions"),
                ),
                platforms=("desktop", "web"),
                local_days=True,
                label="Apps",
            ),
        )
    }
)

DEFAULT_PRODUCTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {product: kind for kind in KINDS.values() for product in kind.products}
)
