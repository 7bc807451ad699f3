"""The kinds that an organization has beside the built-in ones, as the directory keeps them."""

import json
from functools import lru_cache
from typing import Any, Final

from odometer.domain.kinds import Kind, Measure, Ratio

LOCAL: Final = "local"
UTC: Final = "utc"
_REMEMBERED: Final = 1024


@lru_cache(maxsize=_REMEMBERED)
def own_kind(name: str, definition: str) -> Kind:
    """The kind of that name; what it is follows from its definition, whoever has it."""
    said = json.loads(definition)
    return Kind(
        name,
        tuple(Measure(*measure) for measure in said["measures"]),
        local_days=said["days"] == LOCAL,
        ratios=tuple(Ratio(*ratio) for ratio in said["ratios"]),
        breakdowns=tuple(said["breakdowns"]),
        label=said["label"],
    )


def definition_of(kind: Kind) -> str:
    """All of a kind but its name, always in the same words."""
    said: dict[str, Any] = {
        "label": kind.label,
        "days": LOCAL if kind.local_days else UTC,
        "measures": kind.described,
        "ratios": kind.ratios,
        "breakdowns": kind.breakdowns,
    }
    return json.dumps(said, separators=(",", ":"))
