"""What frames alone do not hold: events inside past days, those of today, and those that wait.

The engine writes all of it: past days are sealed again from their events, today is folded and
settled as it comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date

from bench.deployment import NOW, SETTLED, CountingDeployment, Use
from bench.pipeline import Everyone
from odometer.bootstrap import process
from odometer.domain.events import Event, digest_of
from odometer.domain.time import DAY
from odometer.engine.calendar import first_second
from odometer.engine.format import log_entries
from odometer.engine.format.products import PROJECTIONS, MeteredProduct, shards_of
from odometer.engine.memory import Memory
from odometer.engine.write.fold import LIMITS, Folding
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.settle import Settling, put_segments
from odometer.storage.dynamo import Meter
from tests.support.apps import APP
from tests.support.memory_directory import ACME

BATCH, EVENTS_OF_A_FOLD = 1_000, 5_000
SOURCE = "agent/1"
PLAN = 1
"""The plan that the frames of past days are from."""
A_MOMENT = 60
NOTHING_IS_LATE = LIMITS._replace(tail=1_000_000)
"""A batch here holds what came in hours: late events in it would wait for the schedule."""


def store_days(deployment: CountingDeployment, days: Mapping[str, Collection[date]]) -> None:
    """Store the events of past days, and what sealing those days makes of them."""
    store = process().usage_store(Meter())
    for product, _ in deployment.products:
        writer = FrameWriter(ACME, store, product, UTC, lambda _: 0, PLAN, 0, is_busy=True)
        for day in days.get(product.id, ()):
            segment = deployment.usage[product.id].events(day)
            if product.kind.measures[0] == "active_ms":
                segment = segment._replace(measures=segment.measures[::-1])
            put_segments(ACME, store, PLAN, product, segment)
            shards = shards_of(product, deployment.users)
            for step in writer.steps_of_sealing(day, day + DAY, shards):
                step.do()


def settle_today(deployment: CountingDeployment) -> None:
    """Fold and settle all of today but the last quarter of an hour, as it comes."""
    today = range(first_second(NOW.date(), UTC), SETTLED)
    uses = sorted(
        (use.second, product, use)
        for product, _ in deployment.products
        for use in deployment.events(product.id, today)
    )
    catalog = [*(product for product, _ in deployment.products), *PROJECTIONS]
    settling = Settling(process().usage_store(Meter()), lambda _: catalog)
    for _ in folds(events_of((product, use) for _, product, use in uses)):
        while settling.settle(ACME, "UTC", SETTLED + A_MOMENT):
            pass


def let_events_wait(deployment: CountingDeployment) -> None:
    """Fold the last events, which nobody settles."""
    app = next(product for product, _ in deployment.products if product.id == APP)
    for _ in folds(events_of((app, use) for use in deployment.tail)):
        pass


def events_of(uses: Iterable[tuple[MeteredProduct, Use]]) -> list[Event[str]]:
    return [
        Event(
            f"user-{use.user}",
            product.id,
            SOURCE,
            use.second,
            0,
            (*in_order_of(product, use), 0, 0),
            digest_of(SOURCE, f"{product.id} {number} {use}"),
        )
        for number, (product, use) in enumerate(uses)
    ]


def in_order_of(product: MeteredProduct, use: Use) -> Sequence[int]:
    time_first = product.kind.measures[0] == "active_ms"
    return (use.duration_ms, use.tests) if time_first else (use.tests, use.duration_ms)


def folds(events: Sequence[Event[str]]) -> Iterator[int]:
    """Accept events in batches and fold some of them at a time; how many count each time."""
    log, usage = process().log_store(Meter()), process().usage_store(Meter())
    folding = Folding(log, usage, Everyone(), Memory(), NOTHING_IS_LATE)
    for first in range(0, len(events), EVENTS_OF_A_FOLD):
        some = events[first : first + EVENTS_OF_A_FOLD]
        now_ms = (some[-1].second + 1) * 1_000
        entries = [
            log_entries.to_item(ACME, some[at : at + BATCH], now_ms, f"{first + at:08}")
            for at in range(0, len(some), BATCH)
        ]
        log.put_all(entries)
        if (count := folding.fold_new(ACME, entries, now_ms)) != len(some):
            raise RuntimeError(f"{count} of {len(some)} events count")
        yield count
