"""What an event costs on its way into the readings, step by step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from random import Random

from bench.daily_usage import PRODUCT
from odometer.domain.events import Event, digest_of
from odometer.domain.values import FIRST, SentValue
from odometer.engine import calendar
from odometer.engine.format import log_entries
from odometer.engine.format.products import MeteredProduct, metered
from odometer.engine.memory import Memory
from odometer.engine.write.audit import Audit, Piece
from odometer.engine.write.fold import Folding
from odometer.engine.write.rebuild import Rebuilding
from odometer.engine.write.settle import Settling
from odometer.storage.dynamo import Meter, Table

DAY, HOUR = 86_400, 3_600
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
    """Accept, fold and settle on real tables; what each step asks of them."""

    usage: Callable[[Meter], Table]
    log: Callable[[Meter], Table]
    product: MeteredProduct = PRODUCT
    tail: int = TAIL
    meters: defaultdict[str, Meter] = field(default_factory=lambda: defaultdict(Meter))

    @property
    def units(self) -> Mapping[str, float]:
        """The write units of each step."""
        return {step: meter.write_units for step, meter in self.meters.items()}

    def run(self, events: Sequence[Event[str]], batch: int, begin: int) -> None:
        """Send events in batches over one day, and seal that day."""
        memory, unsettled = Memory(), 0
        for at in range(0, len(events), batch):
            now = begin + DAY * at // len(events)
            entry = log_entries.to_item(ORGANIZATION, events[at : at + batch], now * 1000, f"{at}")
            log, _ = self._stores("accept")
            log.put_new(entry)
            self._folding("fold", memory).fold_new(ORGANIZATION, [entry], now * 1000)
            unsettled += batch
            if unsettled >= self.tail:
                self._settle(now)
                unsettled = 0
        self._settle(begin + 2 * DAY)

    def audit(self, begin: int) -> int:
        """Fold the log of that day again, as a worker does daily; how many events were missed."""
        now_ms = (begin + DAY + 2 * HOUR) * 1000
        self._folding("fold").fold_outstanding(ORGANIZATION, now_ms)
        audit = Audit(self._folding("audit"))
        pieces = repeated(lambda: audit.step(ORGANIZATION, now_ms))
        return sum(piece.missed for piece in pieces)

    def rebuild(self, begin: int) -> None:
        """Make the year of the product again, which has the events of that day."""
        _, usage = self._stores("rebuild")
        rebuilding = Rebuilding(usage, self._settling(usage))
        year = f"{self.product.id}#{calendar.day_of(begin, UTC).year}"
        rebuilding.request(ORGANIZATION, year, "UTC")
        while rebuilding.rebuild(ORGANIZATION, begin + 3 * DAY):
            pass

    def _settle(self, now: int) -> None:
        _, usage = self._stores("settle")
        while self._settling(usage).settle(ORGANIZATION, "UTC", now):
            pass

    def _settling(self, usage: Table) -> Settling:
        return Settling(usage, lambda _: metered([self.product]))

    def _folding(self, step: str, memory: Memory | None = None) -> Folding:
        return Folding(*self._stores(step), Everyone(), memory or Memory())

    def _stores(self, step: str) -> tuple[Table, Table]:
        return self.log(self.meters[step]), self.usage(self.meters[step])


def repeated(step: Callable[[], Piece]) -> Iterator[Piece]:
    """Every piece up to the last one."""
    while not (piece := step()).is_last:
        yield piece
    yield piece


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
