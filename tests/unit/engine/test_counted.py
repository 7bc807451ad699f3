"""What a process remembers of ids: bounded in bytes, and exact whatever is forgotten."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import ceil
from random import Random

import pytest

from bench.counted_store import READERS
from odometer.domain.events import Event, digest_of, utc_date
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import epoch_second
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Plan, UsageHead
from odometer.engine.memory import Memory
from odometer.engine.store import Item, KeyRange, Made, PagesOf
from odometer.engine.write.counted import Counted, IdsPart
from odometer.engine.write.fold import Folding
from odometer.engine.write.ids import FEW, LARGEST_RUN, digests_of
from odometer.engine.write.settle import put_identities
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import NEIGHBOUR, ORGANIZATION, Subjects

NOON = epoch_second(datetime(2026, 11, 20, 12, tzinfo=UTC))
TODAY = utc_date(NOON)
DAY = 86_400
MB = 2**20


class CountingStore(MemoryStore):
    """A table that counts what is read of it, in pages of a megabyte."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON)
        self.queries = 0
        self.rounds = 0
        self.bytes_read = 0

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        self.queries += len(key_ranges)
        self.rounds += ceil(len(key_ranges) / READERS)
        return super().read(key_ranges)

    def pages_of_each(self, several: Sequence[PagesOf[Made]]) -> list[Made]:
        """They are read at once: a page after the other takes as long as the longest of them."""
        rounds, taken = self.rounds, [0]
        made = []
        for each in several:
            before = self.rounds
            made.append(each.make(self.pages(each.key_range)))
            taken.append(self.rounds - before)
        self.rounds = rounds + max(ceil(sum(taken) / READERS), *taken)
        return made

    def pages(self, key_range: KeyRange) -> Iterator[list[Item]]:
        page: list[Item] = []
        for item in super().read([key_range])[0]:
            page.append(item)
            if sum(len(each.get("digests", b"")) for each in page) > MB:
                yield self._counted(page)
                page = []
        yield self._counted(page)

    def _counted(self, page: list[Item]) -> list[Item]:
        self.queries += 1
        self.rounds += 1
        self.bytes_read += sum(len(item.get("digests", b"")) for item in page)
        return page


@dataclass
class Tables:
    """The ids that plans have settled, and whoever folds."""

    usage: CountingStore = field(default_factory=CountingStore)
    memory: Memory = field(default_factory=Memory)
    plan: int = 0

    def settle(self, *events: Event[int]) -> None:
        """What settling a plan with these events leaves of them for folding."""
        self.plan += 1
        put_identities(ORGANIZATION, self.usage, self.plan, events)
        self.show()

    def show(self) -> None:
        head = UsageHead("UTC", NOON, version=1 + self.plan, plan=self.plan, upto=(0,))
        self.usage.put(Plan(self.plan, (0,), (0,), NOON, NOON).to_item(ORGANIZATION))
        self.usage.put_newer(head.to_item(ORGANIZATION), "version")

    def settle_random(self, random: Random, day: date, count: int) -> bytes:
        """A plan with so many ids of a date, as they are stored; much faster."""
        self.plan += 1
        first = b""
        per_part = 25_000
        digests = sorted(random.randbytes(12) for _ in range(count))
        for part, at in enumerate(range(0, count, per_part)):
            joined = b"".join(digests[at : at + per_part])
            first = first or joined[:12]
            pk, sk = keys.identities(ORGANIZATION, day), f"{keys.number(self.plan)}#{part}"
            self.usage.put({"pk": pk, "sk": sk, "digests": joined})
        self.show()
        return first

    def counted(self, *events: Event[int]) -> set[tuple[date, bytes]]:
        counted = Counted(self.usage, self.memory)
        return set(counted.among(ORGANIZATION, counted.tail(ORGANIZATION, 0), events))

    def fold(self, organization: str, *events: Event[str]) -> int:
        folding = Folding(self.usage, self.usage, Subjects(1), self.memory)
        entry = log_entries.to_item(organization, events, NOON * 1000, "x")
        return folding.fold_new(organization, [entry], NOON * 1000)


def event(second: int, digest: bytes) -> Event[int]:
    return Event(0, "automation", "ci", second, 0, (1, *[0] * (LEAST_MEASURES - 1)), digest)


def named(second: int, name: str) -> Event[int]:
    return event(second, digest_of("ci", name))


@pytest.fixture
def tables() -> Tables:
    return Tables()


def peak_bytes(work: object) -> int:
    assert callable(work)
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_batch_on_a_thousand_dates_takes_a_bounded_number_of_bytes(tables: Tables) -> None:
    """On 100 dates with 5,000 ids each; sets of all of them took 44 MB."""
    random, dates = Random(1), 100
    known = [
        event(NOON - ago * DAY, tables.settle_random(random, TODAY - timedelta(ago), 5_000))
        for ago in range(dates)
    ]
    new = [named(NOON - ago * DAY, "new") for ago in range(dates)]
    found: list[set[tuple[date, bytes]]] = []
    assert peak_bytes(lambda: found.append(tables.counted(*known, *new))) < 8 * MB
    assert found == [{each.identity for each in known}]
    assert tables.usage.queries <= 3 * dates
    assert tables.memory.weight < dates * 25_000


def test_a_date_of_any_size_is_worked_through_in_pages(tables: Tables) -> None:
    """Of 600,000 ids, as many as fit in the memory are remembered; the others are read again."""
    random = Random(2)
    tables.memory = Memory(most=MB)
    known = [event(NOON, tables.settle_random(random, TODAY, 100_000)) for _ in range(6)]
    new = [named(NOON, f"new {number}") for number in range(1_000)]
    found: list[set[tuple[date, bytes]]] = []
    for _ in range(2):
        assert peak_bytes(lambda: found.append(tables.counted(*known, *new))) < 16 * MB
    assert found == [{each.identity for each in known}] * 2
    assert MB / 2 < tables.memory.weight <= MB


def test_new_events_cost_the_same_however_many_ids_their_date_has(tables: Tables) -> None:
    """A plan of 100,000 ids is read once: 1.2 MB; nothing else is read for what is new."""
    random, queries = Random(3), []
    for number in range(8):
        tables.settle_random(random, TODAY, 100_000)
        before = tables.usage.queries, tables.usage.bytes_read
        assert tables.counted(*(named(NOON, f"{number}/{at}") for at in range(300))) == set()
        queries.append(tables.usage.queries - before[0])
        assert tables.usage.bytes_read - before[1] <= 1_200_000
        assert tables.counted(named(NOON, "other")) == set()
        assert tables.usage.queries == before[0] + queries[-1] + 1, "it looks for new folds only"
    assert max(queries) <= 3
    known = tables.memory.get(ORGANIZATION, IdsPart(TODAY, 0, 1))
    assert known.weight < 4.1 * 800_000
    assert max(len(run.numbers) for run in known.runs) <= LARGEST_RUN
    assert len(known.runs) <= 8


def test_ids_of_quiet_dates_are_remembered_whole(tables: Tables) -> None:
    """Of 300 dates with 100 ids each, nothing is read again to find out what was sent again."""
    random = Random(6)
    known = [
        event(NOON - ago * DAY, tables.settle_random(random, TODAY - timedelta(ago), 100))
        for ago in range(300)
    ]
    new = [named(NOON - ago * DAY, "new") for ago in range(300)]
    assert tables.counted(*known) == {each.identity for each in known}
    before = tables.usage.queries
    assert tables.counted(*known, *new) == {each.identity for each in known}
    assert tables.usage.queries == before + 1, "it looks for new folds only"
    assert tables.memory.weight < 300 * 2_500


def test_what_was_sent_again_is_confirmed_on_many_dates_at_once(tables: Tables) -> None:
    """On 64 dates with 20,000 ids, 240 kB, each; one date after the other took 64 rounds."""
    random, dates = Random(7), 64
    known = [
        event(NOON - ago * DAY, tables.settle_random(random, TODAY - timedelta(ago), 20_000))
        for ago in range(dates)
    ]
    tables.counted(*known)
    before = tables.usage.rounds
    found: list[set[tuple[date, bytes]]] = []
    assert peak_bytes(lambda: found.append(tables.counted(*known))) < 2 * MB
    assert found == [{each.identity for each in known}]
    assert tables.usage.rounds == before + 1 + dates // READERS


def test_ids_stay_the_same_ones_as_a_date_grows(tables: Tables) -> None:
    """From some that are remembered whole to runs of many, plan by plan."""
    random, known = Random(8), []
    for count in (1, FEW - 2, 1, 1, FEW, 5, FEW + 1, 3, 4 * FEW, 2):
        known.append(event(NOON, tables.settle_random(random, TODAY, count)))
        alike = [
            each._replace(digest=each.digest[:11] + bytes([each.digest[11] ^ 1])) for each in known
        ]
        assert tables.counted(*known, *alike) == {each.identity for each in known}
    ids = tables.memory.get(ORGANIZATION, IdsPart(TODAY, 0, 1))
    assert sum(map(len, ids.runs)) == 7 * FEW + 12
    assert len(ids.runs) <= 4


def test_an_id_that_begins_like_another_is_confirmed_by_what_is_stored(tables: Tables) -> None:
    begin = bytes([7, 1, 2, 3, 4])
    stored, alike = begin + bytes(7), begin + bytes([*bytes(6), 1])
    tables.settle(event(NOON, stored), *(named(NOON, str(number)) for number in range(50)))
    for _ in range(2):
        assert tables.counted(event(NOON, stored)) == {(TODAY, stored)}
        assert tables.counted(event(NOON, alike)) == set()


@pytest.mark.parametrize("first", [0, 1, 127, 128, 255])
def test_ids_at_every_edge_of_a_run_are_found(tables: Tables, first: int) -> None:
    edges = [bytes([first, *[last] * 11]) for last in (0, 1, 254, 255)]
    for digest in edges:
        tables.settle(event(NOON, digest))
    for _ in range(2):
        assert tables.counted(*(event(NOON, digest) for digest in edges)) == {
            (TODAY, digest) for digest in edges
        }
        assert tables.counted(event(NOON, bytes([first ^ 1, *bytes(11)]))) == set()


def test_events_count_once_whatever_a_process_has_forgotten(tables: Tables) -> None:
    """Ids of several dates, tails of two organizations, and room for hardly any of them."""
    random = Random(4)
    tables.memory = Memory(most=3_000)
    sent: set[tuple[str, date, bytes]] = set()
    for _ in range(300):
        organization = random.choice([ORGANIZATION, NEIGHBOUR])
        second, name = NOON - random.randrange(4) * DAY, str(random.randrange(60))
        one = Event("ann", *named(second, name)[1:])
        identity = (organization, *one.identity)
        assert tables.fold(organization, one) == (identity not in sent)
        sent.add(identity)
        assert tables.memory.weight <= 3_000


def test_digests_are_cut_as_they_were_joined() -> None:
    assert list(digests_of({"digests": bytes(range(24))})) == [
        bytes(range(12)),
        bytes(range(12, 24)),
    ]
