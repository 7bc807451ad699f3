"""Usage sent into a deployment past its public door, on days of one's own choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from odometer.bootstrap import Process, Settings
from odometer.domain.events import MEASURES, Event, digest_of
from odometer.domain.time import epoch_second
from odometer.engine.format.decisions import ALL
from odometer.storage.dynamo import Meter


def used(who: str, product: str, at: datetime, *measures: int, event: str = "") -> Event[str]:
    """One use; two by the same user in the same second are two when `event` tells them apart."""
    second = epoch_second(at)
    name = event or f"{who} {product} {second} {measures}"
    filled = (*measures, *[0] * (MEASURES - len(measures)))
    return Event(who, product, "test", second, 0, filled, digest_of("test", name))


@dataclass
class UsageSender:
    """The meters of one organization, and the engine behind them; a test says what time it is."""

    organization: str
    sent: list[Event[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = Process(Settings.from_env())
        self.engine = own.engine
        self.event_log = own.event_log(Meter())

    def send(self, events: Sequence[Event[str]], now: datetime) -> None:
        """Accept events, and decide about them."""
        for first in range(0, len(events), 1000):
            self.event_log.put(self.organization, events[first : first + 1000], now)
        self.sent += events
        self.engine.fold_outstanding(self.organization, now)

    def settle(self, now: datetime) -> None:
        """Settle all that was decided, and seal the days that are over."""
        self.engine.settle(self.organization, now)

    def rebuild(self, now: datetime) -> None:
        """Make all frames again from the segments."""
        zone = self.engine.directories.open(self.organization).organization.time_zone
        self.engine.rebuilding.request(self.organization, ALL, zone)
        while self.engine.rebuild(self.organization, now):
            pass
