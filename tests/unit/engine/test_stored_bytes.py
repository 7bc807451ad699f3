"""A fixed history is stored in the same bytes as ever, under the same keys."""

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from odometer.access.keys import Credential
from odometer.access.policy import Scope
from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES, Kind, Measure
from odometer.domain.time import epoch_second
from odometer.engine.format.decisions import ALL
from odometer.engine.format.products import MeteredProduct, metered
from odometer.engine.store import Item
from odometer.storage.directory import block_items, credential_item, item_of, packed_slices
from odometer.storage.log import KeptAnswer
from tests.support.documents import compare
from tests.support.memory_directory import ACME, NOON, MemoryDirectory
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

STORED = Path(__file__).with_name("stored_bytes.json")
DAY = 86_400


def history() -> SimulatedEngine:
    """Fourteen months with a New Year, late events, a rebuild, a new zone and an unsettled tail."""
    random = Random(20_261_121)
    simulated = SimulatedEngine(
        epoch_second(datetime(2025, 11, 3, 9, tzinfo=UTC)), "Europe/Berlin", PRODUCTS
    )
    for week in range(60):
        for _ in range(3):
            events = [an_event(random, simulated.now) for _ in range(6)]
            entry = simulated.accept(events, random, 0)
            simulated.folding.fold_new(ORGANIZATION, [entry], simulated.now_ms)
            simulated.pass_time(2 * DAY + 3_600)
        if week < 59:
            while simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now):
                pass
        if week == 30:
            simulated.rebuilding.request(ORGANIZATION, ALL, "Asia/Kolkata")
            while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
                pass
    return simulated


def an_event(random: Random, now: int) -> Event[str]:
    """An event of the last week, and now and then one of last year."""
    product: MeteredProduct = random.choice(PRODUCTS)
    wide = len(product.kind.measures)
    measures = [random.choice([1, 7, 300, 2**33]) for _ in range(wide)]
    source, days_ago = random.choice(["ci", "laptop"]), random.choice([0, 0, 1, 2, 40])
    return Event(
        who=random.choice(["ann", "bob", "cid", "dot", "eve"]),
        product=product.id,
        source=source,
        second=now - days_ago * DAY - random.randrange(DAY),
        platform=random.choice([1, 2]) if product.kind.platforms else 0,
        measures=(*measures, *[0] * (LEAST_MEASURES - wide)),
        digest=digest_of(source, str(random.random())),
    )


def history_of_values() -> SimulatedEngine:
    """Three weeks of a product with two breakdowns; some events have values."""
    kind = Kind("document", (Measure("pages"),), breakdowns=("format", "plan"))
    begin = epoch_second(datetime(2025, 11, 3, 9, tzinfo=UTC))
    simulated = SimulatedEngine(begin, "UTC", metered([MeteredProduct("editor", kind)]))
    for week, values in enumerate([("pdf", ""), (), ("", "gold"), ("svg", "other"), ("pdf", "")]):
        digest, second = digest_of("ci", f"{week}"), simulated.now - week % 2 * 10 * DAY
        event = Event("ann", "editor", "ci", second, 0, (week + 1, 0, 0, 0), digest, values)
        entry = simulated.accept([event], Random(week), 0)
        simulated.folding.fold_new(ORGANIZATION, [entry], simulated.now_ms)
        while week < 4 and simulated.settle():
            pass
        simulated.pass_time(6 * DAY)
    return simulated


def directory() -> Iterable[Item]:
    """The items of a directory, a credential and a remembered answer."""
    memory = MemoryDirectory()
    memory.put(
        ("organization", {"name": "Acme Corp", "time_zone": "Europe/Berlin"}),
        ("team", {"id": "core", "name": "Core"}),
        ("user", {"id": "u1", "username": "ann@acme.example", "team": "core", "role": "Admin"}),
        ("user", {"id": "u2", "username": "bob@acme.example", "state": "invited"}),
    )
    yield item_of(memory.head)
    blocks = memory.read(ACME, memory.head.blocks)
    packed = {block: packed_slices(columns) for block, columns in blocks.items()}
    yield from block_items(ACME, packed, dict.fromkeys(blocks, "commit"))
    yield credential_item(
        Credential(
            organization=ACME,
            key_id="key",
            name="ci",
            user=0,
            scopes=frozenset(Scope) - {Scope.WRITE_EMBEDS},
            digest="ab" * 32,
            created_at=NOON,
        )
    )
    yield KeptAnswer("digest", "{}", NOON).to_item(ACME, "again")


def digests(items: Iterable[Item]) -> dict[str, str]:
    """A digest of all items of each partition."""
    partitions = defaultdict(list)
    for item in items:
        partitions[item["pk"]].append({name: str(item[name]) for name in sorted(item)})
    return {
        pk: hashlib.sha256(json.dumps(sorted(found, key=lambda i: i["sk"])).encode()).hexdigest()
        for pk, found in sorted(partitions.items())
    }


def test_a_history_is_stored_in_the_same_bytes_as_ever() -> None:
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    if stored.get("zlib", zlib.ZLIB_RUNTIME_VERSION) != zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip(f"the bytes were written by zlib {stored['zlib']}: another may pack otherwise")
    simulated = history()
    assert {item["pk"].split("#")[1] for item in simulated.usage.everything()} >= set("FPHBIERAMS")
    items = [*simulated.log.everything(), *simulated.usage.everything(), *directory()]
    valued = history_of_values()
    of_values = [*valued.log.everything(), *valued.usage.everything()]
    found = {
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "partitions": digests(items),
        "values": digests(of_values),
    }
    compare(STORED, json.dumps(found, indent=1) + "\n")
