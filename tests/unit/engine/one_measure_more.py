"""Reads stored items, as code does in which every kind has one measure more than they know.

Run by itself, because kinds are read when modules are imported; prints what it found as JSON.
"""

# ruff: noqa: E402 - the kinds grow before anything looks at them

import json
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from odometer.domain import kinds

ADDED = "added"
GROWN = {
    name: replace(kind, described=(*kind.described, kinds.Measure(ADDED)))
    for name, kind in kinds.KINDS.items()
}
kinds.KINDS = GROWN  # type: ignore[misc]
kinds.DEFAULT_PRODUCTS = {  # type: ignore[misc]
    product: kind for kind in GROWN.values() for product in kind.products
}

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import Period, instant_at
from odometer.engine.format.decisions import ALL
from odometer.engine.format.products import PEOPLE, PROJECTIONS, TOTALS
from odometer.engine.read.measuring import measure
from odometer.engine.read.projections import usage_of_rows
from odometer.engine.read.series import Series, sums
from odometer.engine.read.verify import YearCheck
from odometer.engine.store import Item
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine, rows

DAY = 86_400


def stored(document: dict[str, Any]) -> SimulatedEngine:
    """An engine with the stored items."""
    simulated = SimulatedEngine(0, document["zone"], [*PRODUCTS, *PROJECTIONS])
    simulated.subjects.ordinals(ORGANIZATION, ["ann", "bob"], 0)
    for store, items in ((simulated.usage, document["usage"]), (simulated.log, document["log"])):
        fill(store, items)
    simulated.now = document["now"]
    return simulated


def fill(store: MemoryStore, items: list[dict[str, Any]]) -> None:
    """Put items where they were, long ago."""
    for item in items:
        store.put({name: of_json(value) for name, value in item.items()})


def of_json(value: Any) -> Any:
    """Bytes stand in the document as base64."""
    return b64decode(value["bytes"]) if isinstance(value, dict) else value


def settle(simulated: SimulatedEngine) -> None:
    """Settle all that is folded, and every day that is over."""
    while simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now):
        pass


def use_added(simulated: SimulatedEngine) -> Item:
    """Somebody uses every product, and only the added measure tells."""
    batch = []
    for product in PRODUCTS:
        wide = len(product.kind.measures)
        measures = (*[0] * (wide - 1), 7, *[0] * (LEAST_MEASURES - wide))
        digest = digest_of("ci", f"added {product.id}")
        batch.append(Event("ann", product.id, "ci", simulated.now - 60, 0, measures, digest))
    return simulated.accept(batch, Random(1), 0)


def found(simulated: SimulatedEngine, first: int) -> dict[str, Any]:
    """All that can be read of the time from a second on."""
    view, period = simulated.view(), Period(instant_at(first), instant_at(simulated.now))
    years = [YearCheck(view, product, 2026) for product in simulated.products]
    return {
        "users": {each.id: rows(measure(view, each, period)) for each in PRODUCTS},
        "series": {
            each.id: [sums(frame) for (frame,) in Series(view, [each], edges(period)).blocks(0)]
            for each in PRODUCTS
        },
        "totals": by_product(usage_of_rows(view, simulated.products, period, TOTALS)),
        "ann": by_product(usage_of_rows(view, simulated.products, period, PEOPLE, 0)),
        "drifts": [str(drift) for year in years for drift in year.compare().drifts],
    }


def edges(period: Period) -> list[int]:
    """The whole period as one stretch."""
    return [period.seconds.start, period.seconds.stop]


def by_product(usage: list[Any]) -> dict[str, Any]:
    """Measures by name, and the days."""
    return {row.product.id: [*row.measures.values(), row.days] for row in usage}


def main(path: str) -> None:
    """Read what is there, then go on with more."""
    document = json.loads(Path(path).read_text())
    simulated = stored(document)
    first = min(second for _, _, second, _ in document["sent"]) // DAY * DAY
    shown = {"stored": found(simulated, first), "cut": found(simulated, first + 13 * 3600)}
    simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
    settle(simulated)
    shown["settled"] = found(simulated, first)
    simulated.folding.fold_new(ORGANIZATION, [use_added(simulated)], simulated.now_ms)
    shown["used"] = found(simulated, first)
    simulated.pass_time(10 * DAY)
    settle(simulated)
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
        pass
    shown["rebuilt"] = found(simulated, first)
    print(json.dumps(shown))


if __name__ == "__main__":
    main(*sys.argv[1:])
