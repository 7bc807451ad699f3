"""Refuses what is beyond the limits of an organization, and counts what is not."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any

from odometer.access.limits import Asked, Limits, Load, Loads, refusal, window_of
from odometer.domain.errors import OdometerError
from odometer.services.tasks import Tasks, done
from odometer.storage.shared_loads import SharedLoads


@dataclass(slots=True)
class Limiter:
    """What one request does about limits; a request that is refused is not counted."""

    organization: str
    asked: Asked
    limits: Limits
    """Of every organization that has none of its own."""
    loads: Loads
    shared: SharedLoads
    tasks: Tasks
    told: dict[str, str] = field(default_factory=dict)
    """What the log says of it."""
    _sharing: Future[None] = field(default_factory=partial(done, lambda: None))

    def refuse_known(self, key_id: str, now: datetime) -> None:
        """Refuse a request of which this process knows enough, without asking anybody."""
        self._refuse(self._load(now), key_id, now)

    def begin_sharing(self, now: datetime) -> None:
        """Share what earlier requests have counted; this goes on beside other calls."""
        load = self._load(now)
        if load.is_worth_sharing:
            share = partial(self.shared.share, self.organization, self.asked, window_of(now), load)
            self._sharing = self.tasks.begin(share)

    def admit(self, own: Mapping[str, Any], key_id: str, now: datetime) -> None:
        """Count a request of a caller who has proved to be one, or refuse it.

        Nobody is refused because counts cannot be shared.
        """
        try:
            self._sharing.result()
        except OdometerError as error:
            self.told["unshared"] = type(error).__name__
        self.limits = self.limits.with_own(own)
        load = self._limited(now)
        self._refuse(load, key_id, now)
        load.count("requests", 1, key_id)

    def count_work(self, work: float, key_id: str, now: datetime) -> None:
        """Count what an answer took: read units, or events."""
        self._limited(now).count("work", ceil(work), key_id)

    def _refuse(self, load: Load, key_id: str, now: datetime) -> None:
        if exceeded := load.exceeded(key_id):
            self.told["limited"] = exceeded
            raise refusal(now)

    def _limited(self, now: datetime) -> Load:
        load = self._load(now)
        load.limit(self.limits, self.asked)
        return load

    def _load(self, now: datetime) -> Load:
        return self.loads.of(self.organization, self.asked, now)
