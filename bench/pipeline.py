"""What an event costs on its way into the readings, step by step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from bench.daily_usage import PRODUCT
from odometer.domain.events import Event, digest_of
from odometer.domain.values import FIRST, SentValue
from odometer.engine.format import log_entries
from odometer.engine.format.products import MeteredProduct, metered
from odometer.engine.memory import Memory
from odometer.engine.write.fold import Folding
from odometer.engine.write.settle import Settling
from odometer.storage.dynamo import Meter, Table

DAY = 86_400
TAIL = 5_000
"""Events that are settled together."""
ORGANIZATION = "3f0c5d1e-7a52-4b8a-9f51-5d1f0e6b7c21"


class Everyone:
    """A directory in which `user-7` is the eighth user, and `value-7` the eighth value."""

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        return {subject: int(subject.rpartition("-")[2]) for subject in subjects}

    def values(
        self, organization: str, sent: Sequence[SentValue], at: int
    ) -> Mapping[SentValue, int]:
        return {value: FIRST + int(value.text.rpartition("-")[2]) for value in sent}


@dataclass
class Pipeline:
    """Accept, fold and settle on real tables; the write units of each step."""

    usage: Callable[[Meter], Table]
    log: Callable[[Meter], Table]
    product: MeteredProduct = PRODUCT
    units: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def run(self, events: Sequence[Event[str]], batch: int, begin: int) -> None:
        """Send events in batches over one day, and seal that day."""
        memory, unsettled = Memory(), 0
        for at in range(0, len(events), batch):
            now = begin + DAY * at // len(events)
            entry = log_entries.to_item(ORGANIZATION, events[at : at + batch], now * 1000, f"{at}")
            with self._step("accept") as (log, _):
                log.put_new(entry)
            with self._step("fold") as stores:
                Folding(*stores, Everyone(), memory).fold_new(ORGANIZATION, [entry], now * 1000)
            unsettled += batch
            if unsettled >= TAIL:
                self._settle(now)
                unsettled = 0
        self._settle(begin + 2 * DAY)

    def _settle(self, now: int) -> None:
        with self._step("settle") as (_, usage):
            Settling(usage, lambda _: metered([self.product])).settle(ORGANIZATION, "UTC", now)

    @contextmanager
    def _step(self, name: str) -> Iterator[tuple[Table, Table]]:
        meter = Meter()
        yield self._stores(meter)
        self.units[name] += meter.write_units

    def _stores(self, meter: Meter) -> tuple[Table, Table]:
        return self.log(meter), self.usage(meter)


def a_day_of_events(users: int, count: int, begin: int) -> list[Event[str]]:
    """Uses of a day in the order in which they are reported."""
    random = Random(count)
    seconds = sorted(random.randrange(DAY) for _ in range(count))
    return [
        Event(
            f"user-{random.randrange(users)}",
            PRODUCT.id,
            "ci/eu-1",
            begin + second,
            0,
            (random.randint(1, 5), random.randrange(1_000, 600_000), 0, 0),
            digest_of("ci/eu-1", f"run-{place}"),
        )
        for place, second in enumerate(seconds)
    ]
