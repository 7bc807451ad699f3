"""Which fault a call of a service meets: drawn from the seed, the kind of call and its number."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from random import Random
from typing import Final


class Fault(StrEnum):
    """What becomes of a call that does not go well."""

    THROTTLE = "throttle"
    ERROR = "500"
    HELD = "time-out"
    """It is done after the client has given up."""
    LOST = "lost answer"
    """It is done, and the connection ends before the answer."""


Rates = Mapping[Fault, float]

READS: Final = ("GetItem", "BatchGetItem", "Query", "Scan")
RATES: Final[Mapping[str, Rates]] = {
    "read": {Fault.THROTTLE: 0.010, Fault.ERROR: 0.008, Fault.HELD: 0.0003, Fault.LOST: 0.005},
    "write": {Fault.THROTTLE: 0.012, Fault.ERROR: 0.010, Fault.HELD: 0.0006, Fault.LOST: 0.010},
    "queue": {Fault.THROTTLE: 0.020, Fault.ERROR: 0.020, Fault.HELD: 0.0020, Fault.LOST: 0.020},
    "secret": {Fault.THROTTLE: 0.050, Fault.ERROR: 0.030, Fault.HELD: 0.0100, Fault.LOST: 0.030},
}
"""In fair weather, of all calls of a kind."""
WEATHER: Final = (0, 1, 1, 1, 4, 12)
"""How many times as many faults a spell brings."""
SPELL: Final = 400
"""So many calls of one name the weather lasts."""
SERVICES: Final = {"DynamoDB": "", "AmazonSQS": "queue", "secretsmanager": "secret"}
NOT_OF_ITEMS: Final = ("Table", "Backup", "TimeToLive", "Tags", "Limits", "Queue")


@dataclass(frozen=True)
class Faults:
    """The faults of one storm."""

    seed: int

    def of(self, target: str, number: int) -> Fault | None:
        """What the call of this number among those of its name meets."""
        kind = kind_of(target)
        if kind is None:
            return None
        strength = self.weather(target, number // SPELL)
        drawn = Random(f"{self.seed} {target} {number}").random()
        for fault, rate in RATES[kind].items():
            drawn -= rate * strength
            if drawn < 0:
                return fault
        return None

    def weather(self, target: str, spell: int) -> int:
        return weather(f"{self.seed} {target} spell {spell}")


@lru_cache(maxsize=1024)
def weather(name: str) -> int:
    return Random(name).choice(WEATHER)


def kind_of(target: str) -> str | None:
    """The kind of a call, by the service and verb in its header; None for what is left alone."""
    service, _, verb = target.partition(".")
    kind = SERVICES.get(service.partition("_")[0])
    if kind is None or verb.endswith(NOT_OF_ITEMS):
        return None
    return kind or ("read" if verb in READS else "write")
