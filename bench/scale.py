"""Large, busy and late organizations: what they cost, counted on tables in a file.

    python -m bench scale                       # all rows
    python -m bench scale --row late --size 0.1 # one of them, a tenth as large
    python -m bench scale --row late --write    # its figures in docs/performance.md made anew

Every row runs in a process of its own, so that its memory is what the engine holds. Nobody waits
for storage: rounds are counted, and 5 ms a round are added to what the processor took.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from bench.counted_store import ROUND_MS, CountedStore, Counts
from bench.many_users import Cost, ManyUsers
from bench.publish import publish
from odometer.domain.events import Event
from odometer.domain.kinds import KINDS, LEAST_MEASURES
from odometer.domain.time import DAY as ONE_DAY
from odometer.domain.time import Period, epoch_second, instant_at
from odometer.domain.values import NONE, SentValue
from odometer.engine.format import log_entries
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.marks import LANDED_SECONDS
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.read.measuring import measure
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.write.fold import Folding
from odometer.engine.write.frames import FrameWriter
from odometer.engine.write.rebuild import Rebuilding
from odometer.engine.write.settle import Settling, put_segments
from odometer.engine.write.steps import BUDGET, Reached, take

ORGANIZATION: Final = "3f0c5d1e-7a52-4b8a-9f51-5d1f0e6b7c21"
PRODUCTS: Final = [
    MeteredProduct("automation", KINDS["test"]),
    MeteredProduct("smartui", KINDS["visual"]),
    MeteredProduct("code-completions", KINDS["completion"]),
    MeteredProduct("chat", KINDS["chat"]),
    *(MeteredProduct(f"automation-{number}", KINDS["test"]) for number in range(6)),
]
MINUTE: Final = 60
DAY: Final = 86_400
NOON: Final = epoch_second(datetime(2026, 11, 18, 12, tzinfo=UTC))
BATCH: Final = 1_000
LONG_TAIL: Final = 5_000
console = Console()


class Everyone:
    """A directory in which `7` is the eighth user."""

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        return {subject: int(subject) for subject in subjects}

    def values(
        self, organization: str, sent: Sequence[SentValue], at: int
    ) -> Mapping[SentValue, int]:
        """No kind has breakdowns here."""
        return dict.fromkeys(sent, NONE)


@dataclass
class Organization:
    """One organization on tables of its own, with a clock."""

    home: Path
    products: Sequence[MeteredProduct] = field(default_factory=lambda: PRODUCTS)
    name: str = ORGANIZATION
    now: int = NOON
    folds_at: int = 0
    """When a worker reads the log again: once a minute, as often as dispatch asks for it."""
    batches: int = 0
    sent: list[Event[str]] | None = None
    """All events, where figures are compared with them: very many take memory."""
    costs: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    processor: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __post_init__(self) -> None:
        self.log, self.usage = (CountedStore(self.home / name) for name in ("log", "usage"))
        self.folding = Folding(self.log, self.usage, Everyone())
        self.settling = Settling(self.usage, lambda _: [*self.products, *PROJECTIONS])
        self.rebuilding = Rebuilding(self.usage, self.settling)

    def does(self, step: str, work: Callable[[], Any]) -> Any:
        """Do something, and count what it asked of the tables and of the processor."""
        before, begin = self.counts, time.process_time()
        result = work()
        self.processor[step] += time.process_time() - begin
        spent, known = self.counts - before, self.costs[step]
        self.costs[step] = Counts(
            known.read_units + spent.read_units,
            known.write_units + spent.write_units,
            known.calls + spent.calls,
            known.rounds + spent.rounds,
        )
        return result

    @property
    def counts(self) -> Counts:
        one, other = self.log.counts, self.usage.counts
        return Counts(
            one.read_units + other.read_units,
            one.write_units + other.write_units,
            one.calls + other.calls,
            one.rounds + other.rounds,
        )

    def neighbour(self, number: int) -> Organization:
        """Another organization in the same tables, served by the same process."""
        other = copy(self)
        other.name = f"{number:08d}{self.name[8:]}"
        other.sent = None if self.sent is None else []
        return other

    def send(self, events: Sequence[Event[str]]) -> None:
        """Put a batch into the log and fold it as the stream brings it."""
        if self.sent is not None:
            self.sent += events
        self.batches += 1
        entry = log_entries.to_item(self.name, events, self.now * 1000, f"{self.batches:08d}")
        self.does("accept", lambda: self.log.put_new(entry))
        self.does("fold", lambda: self.folding.fold_new(self.name, [entry], self.now * 1000))

    def settle(self) -> int:
        """Settle and rebuild until nothing is left; how many steps that took.

        Two minutes have passed, so no entry of the log is too young for the watermark.
        """
        self.now += LANDED_SECONDS + 1
        steps = 0
        while self.step():
            steps += 1
            self.folds_at = self.now
        return steps

    def step(self) -> bool:
        """One step of what a worker would do next."""
        if self.now >= self.folds_at:
            self.folds_at = self.now + MINUTE
            self.does("fold", lambda: self.folding.fold_outstanding(self.name, self.now * 1000))
        settled = self.does("settle", lambda: self.settling.settle(self.name, "UTC", self.now))
        if settled:
            return True
        if scope := self.rebuilding.wanted(self.name, "UTC"):
            self.rebuilding.request(self.name, scope, "UTC")
        return bool(self.does("rebuild", lambda: self.rebuilding.rebuild(self.name, self.now)))

    def view(self) -> View:
        return View.latest(self.name, self.usage, "UTC", self.now)

    def report(self, seconds: range, product: MeteredProduct | None = None) -> Counts:
        """What a ranking of a range asks of the tables, its view included."""
        before = self.counts
        period = Period(instant_at(seconds.start), instant_at(seconds.stop))
        measure(self.view(), product or self.products[0], period)
        return self.counts - before

    def drifts(self) -> int:
        """Frames that differ from the events."""
        years = range(2024, 2027)
        checks = (
            YearCheck(self.view(), product, year).compare()
            for product in self.products
            for year in years
        )
        return sum(len(check.drifts) for check in checks)

    def wrong_figures(self) -> str:
        """How many sums of users, in ragged periods, are not those of the events."""
        events = {event.digest: event for event in self.sent or ()}.values()
        compared, wrong = 0, 0
        for product in self.products:
            for ago in range(0, 700, 90):
                last = self.now - ago * DAY
                seconds = range(last - 100 * DAY - 12_345, last + 1)
                expected = Counter[int]()
                for event in events:
                    if event.product == product.id and event.second in seconds:
                        expected[int(event.who)] += event.measures[0]
                found = self.first_measures(product, seconds)
                compared += len(expected | found)
                wrong += sum(found[who] != expected[who] for who in expected | found)
        return f"{wrong} of {compared:,}"

    def first_measures(self, product: MeteredProduct, seconds: range) -> Counter[int]:
        """The first measure of every user."""
        period = Period(instant_at(seconds.start), instant_at(seconds.stop))
        used = measure(self.view(), product, period)
        column = used.columns[product.kind.measures[0]]
        return Counter({who: column[who] for who in used.users})

    def seconds_of(self, step: str) -> float:
        """What a step would take: the processor here, and the rounds of storage."""
        return self.processor[step] + self.costs[step].rounds * ROUND_MS / 1000


def events_of(
    random: Random,
    count: int,
    users: int,
    products: Sequence[MeteredProduct],
    when: Callable[[], int],
) -> Iterator[Event[str]]:
    for _ in range(count):
        product = random.choice(products)
        wide = len(product.kind.measures)
        measures = (
            *(random.randrange(1, 600_000) for _ in range(wide)),
            *[0] * (LEAST_MEASURES - wide),
        )
        digest = random.randbytes(12)
        yield Event(str(random.randrange(users)), product.id, "ci", when(), 0, measures, digest)


def late(home: Path, size: float) -> dict[str, object]:
    """100,000 late events over 690 days and 10,000 users, while others send what is new."""
    acme, random = Organization(home, PRODUCTS[:1], sent=[]), Random(1)
    count, users = int(100_000 * size), 10_000
    acme.send(list(events_of(random, BATCH, users, acme.products, lambda: acme.now - 60)))
    acme.now += 2 * DAY
    acme.settle()
    acme.costs.clear()
    acme.processor.clear()
    tails, waiting = [], 0
    days_ago = lambda: acme.now - random.randrange(2, 690) * DAY  # noqa: E731  a clock
    for _ in range(count // BATCH):
        acme.now += 2
        acme.send(list(events_of(random, BATCH, users, acme.products, days_ago)))
        fresh = list(events_of(random, 10, users, acme.products, lambda: acme.now))
        acme.send(fresh)
        known = {event.digest for event in acme.view().unsettled_events}
        tails.append(len(known))
        waiting += sum(event.digest not in known for event in fresh)
        if len(tails) % 10 == 0:
            acme.step()
    waited = acme.report(range(acme.now - 366 * DAY, acme.now))
    steps = acme.settle()
    settled = acme.report(range(acme.now - 366 * DAY, acme.now))
    return {
        "late events": count,
        "steps": steps,
        "longest tail": max(tails),
        "new events that waited": waiting,
        **spent(acme, "fold", "settle", "rebuild"),
        "units of a year meanwhile": waited.read_units,
        "units of a year settled": settled.read_units,
        "wrong figures": acme.wrong_figures(),
        "drifts": acme.drifts(),
    }


def writers(home: Path, size: float) -> dict[str, object]:
    """Eight writers of new events, four of them neighbours: alone, and with 100,000 late events."""
    rounds = int(100 * size)
    alone, stormy = (InTurn(home / f"{late}", late) for late in (0, BATCH))
    for each in (alone, stormy):
        each.send_all(rounds)
    return {
        "new batches": len(stormy.costs),
        "late events": rounds * BATCH,
        "calls of a new batch, alone": spread(cost.calls for cost in alone.costs),
        "calls of a new batch, with late events": spread(cost.calls for cost in stormy.costs),
        "rounds of a new batch, alone": spread(cost.rounds for cost in alone.costs),
        "rounds of a new batch, with late events": spread(cost.rounds for cost in stormy.costs),
        "new events that waited": alone.waited + stormy.waited,
        "late events that waited": stormy.late_waited,
        "wrong figures": ", ".join(each.wrong_figures() for each in stormy.everyone),
        "drifts": sum(each.drifts() for each in stormy.everyone),
    }


def spread(numbers: Iterable[int]) -> str:
    every = list(numbers)
    return f"{sum(every) / len(every):.2f}, at most {max(every)}"


class InTurn:
    """Eight writers, and between them a sender of late events; some events are sent twice."""

    def __init__(self, home: Path, late: int, users: int = 10_000) -> None:
        home.mkdir()
        self.random, self.late, self.users = Random(6), late, users
        self.acme = Organization(home, PRODUCTS[:1], sent=[])
        self.others = [self.acme.neighbour(number) for number in range(4)]
        self.everyone = [self.acme, *self.others]
        self.costs = list[Counts]()
        """What each new batch has asked of the tables, until it was in a fold."""
        self.sent_before = defaultdict[str, list[Event[str]]](list)
        self.waited, self.late_waited = 0, 0
        """How many new events, and how many late ones, were in no report then."""
        for each in self.everyone:
            each.send(self.events(BATCH, lambda: NOON - MINUTE))
            each.now += 2 * DAY
            each.settle()

    def send_all(self, rounds: int) -> None:
        for number in range(rounds):
            self.send_late()
            for each in self.others:
                self.send_new(self.acme)
                self.send_new(each)
            for each in self.everyone:
                each.now += 2
                if number % 10 == 0:
                    each.step()
        for each in self.everyone:
            each.settle()

    def send_late(self) -> None:
        late = self.events(self.late, self.days_ago)
        if late:
            self.acme.send([*late, *self.random.sample(late, len(late) // 20)])
            self.late_waited += self.missing(self.acme, late)

    def send_new(self, to: Organization) -> None:
        new, before = self.events(10, lambda: to.now), to.counts
        to.send([*new, *self.sent_before[to.name]])
        self.sent_before[to.name] = new[:1]
        self.costs.append(to.counts - before)
        self.waited += self.missing(to, new)

    def missing(self, of: Organization, sent: Sequence[Event[str]]) -> int:
        """How many events that were just sent are in no report yet."""
        known = {event.digest for event in of.view().unsettled_events}
        return sum(event.digest not in known for event in sent)

    def events(self, count: int, when: Callable[[], int]) -> list[Event[str]]:
        return list(events_of(self.random, count, self.users, self.acme.products, when))

    def days_ago(self) -> int:
        return self.acme.now - self.random.randrange(2 * DAY, 690 * DAY)


def history(home: Path, size: float) -> dict[str, object]:
    """The first import: 78,000 events over two years, 3,700 people, ten products, 5 % twice."""
    acme, random = Organization(home), Random(2)
    count = int(78_000 * size)
    moments = lambda: acme.now - random.randrange(690 * DAY)  # noqa: E731  a clock
    events = list(events_of(random, count, 3_700, acme.products, moments))
    events += random.sample(events, count // 20)
    random.shuffle(events)
    meanwhile = []
    for at in range(0, len(events), BATCH):
        acme.now += 1
        acme.send(events[at : at + BATCH])
        if at % (4 * BATCH) == 0:
            acme.step()
        meanwhile.append(acme.report(range(acme.now - 366 * DAY, acme.now)).read_units)
    steps = acme.settle()
    settled = acme.report(range(acme.now - 366 * DAY, acme.now)).read_units
    used = acme.view()
    period = Period(instant_at(acme.now - 700 * DAY), instant_at(acme.now + 1))
    found = sum(
        sum(measure(used, product, period).columns[product.kind.measures[0]])
        for product in acme.products
    )
    return {
        "events": len(events),
        "steps": steps,
        **spent(acme, "fold", "settle", "rebuild"),
        "units of a year meanwhile": max(meanwhile),
        "units of a year settled": settled,
        "sums equal": found == sum(e.measures[0] for e in {e.digest: e for e in events}.values()),
        "drifts": acme.drifts(),
    }


def sustained(home: Path, size: float, rate: int = 300) -> dict[str, object]:
    """An hour at a rate, with a report until now every minute."""
    acme, random = Organization(home, PRODUCTS[:2]), Random(3)
    users = 10_000
    until_now, costs, memory = [], [], []
    began = acme.now
    for _ in range(max(2, int(60 * size))):
        before = acme.counts
        for _ in range(12):
            acme.now += 5
            batch = list(events_of(random, rate * 5, users, acme.products, lambda: acme.now))
            for at in range(0, len(batch), BATCH):
                acme.send(batch[at : at + BATCH])
            if sum(len(fold.events) for fold in acme.view().unsettled) > LONG_TAIL:
                acme.step()
        spent_now = acme.counts - before
        costs.append(spent_now.write_units / (rate * 60))
        until_now.append(acme.report(range(began - 28 * DAY, acme.now + 1)).read_units)
        memory.append(resident())
    return {
        "events": len(costs) * rate * 60,
        **spent(acme, "fold", "settle"),
        "write units an event": f"{costs[0]:.3f} to {costs[-1]:.3f}",
        "units until now": f"{until_now[0]:.0f} to {max(until_now):.0f}",
        "memory, MB": f"{memory[0] // 2**20} to {memory[-1] // 2**20}",
    }


def busier(home: Path, size: float) -> dict[str, object]:
    """The same at 2,000 events a second."""
    return sustained(home, size, rate=2_000)


def dates(home: Path, size: float) -> dict[str, object]:
    """One batch with an event on each of 690 dates that have 5,000 events each."""
    acme, random = Organization(home, PRODUCTS[:1]), Random(4)
    days = int(690 * size)
    moments = [acme.now - (day + 2) * DAY for day in range(days)]
    for then in moments:
        events = list(events_of(random, 5_000, 10_000, acme.products, lambda then=then: then))  # type: ignore[misc]
        for at in range(0, 5_000, BATCH):
            acme.send(events[at : at + BATCH])
        acme.settle()
    acme.folding = Folding(acme.log, acme.usage, Everyone())
    before = resident()
    each = iter(moments)
    acme.send(list(events_of(random, days, 10_000, acme.products, lambda: next(each))))
    return {"dates": days, "memory added, MB": (peak() - before) // 2**20}


def people(home: Path, size: float) -> dict[str, object]:
    """1,000,000 users: a week is sealed, ranked, verified and made again."""
    users = int(1_000_000 * size)
    acme, random = Organization(home, PRODUCTS[:2]), Random(5)
    acme.now = epoch_second(datetime(2026, 11, 12, 12, tzinfo=UTC))
    for _ in range(2):
        everyone = iter(range(users))
        for _ in range(0, users, BATCH):
            batch = [
                event._replace(who=str(next(everyone)))
                for event in events_of(random, BATCH, users, acme.products, lambda: acme.now)
            ]
            acme.send(batch)
            acme.step()
        acme.now += DAY
    acme.now += 5 * DAY
    sealing = acme.settle()
    ranking = acme.report(range(acme.now - 28 * DAY, acme.now))
    acme.rebuilding.request(ORGANIZATION, "*", "UTC")
    rebuilding = acme.settle()
    return {
        "users": users,
        "steps to seal": sealing,
        "steps to rebuild": rebuilding,
        **spent(acme, "fold", "settle", "rebuild"),
        "units of a ranking": ranking.read_units,
        "drifts": acme.drifts(),
    }


def directory(home: Path, size: float) -> dict[str, object]:
    """A directory of 1,000,000 users: everybody is created and exported, and one is erased."""
    users = int(1_000_000 * size)
    many = ManyUsers(home)
    created = list(many.create(users))
    memory = peak()
    pages = list(many.export())
    process = many.cold()
    cold, warm, again = (many.erase(user, process) for user in (users // 2, users // 3, users // 3))
    return {
        "users": users,
        "peak memory when all are created, MB": memory // 2**20,
        **of_all("10,000 users created", created),
        **of_all("a page exported", [page.cost for page in pages]),
        "lines of the export": sum(page.lines for page in pages),
        "largest page, kB": max(page.size for page in pages) // 1_000,
        **of_all("one erased by a process that knows no names", [cold]),
        **of_all("one erased by a process that knows all names", [warm]),
        **of_all("the same again", [again]),
    }


def of_all(what: str, costs: Sequence[Cost]) -> dict[str, object]:
    """What is done once or several times: all together, and the dearest of several."""
    columns: dict[str, list[float]] = {
        "calls": [cost.counts.calls for cost in costs],
        "rounds": [cost.counts.rounds for cost in costs],
        "units read": [cost.counts.read_units for cost in costs],
        "units written": [cost.counts.write_units for cost in costs],
        "seconds": [cost.seconds for cost in costs],
    }
    times = f"{len(costs)} times " if len(costs) > 1 else ""
    return {f"{times}{what}: {name}": sum_and_most(each) for name, each in columns.items()}


def sum_and_most(numbers: Sequence[float]) -> str:
    whole = f"{round(sum(numbers), 2):,}"
    return f"{whole}, at most {round(max(numbers), 2):,}" if len(numbers) > 1 else whole


def day(home: Path, size: float) -> dict[str, object]:
    """A day of one product at 2,000 events a second, or its first part, sealed and read."""
    store, random, product, users = CountedStore(home / "usage"), Random(6), PRODUCTS[0], 10_000
    start, plans = NOON - NOON % DAY, max(2, int(3_456 * size))
    for plan in range(1, plans + 1):
        put_segments(ORGANIZATION, store, plan, product, a_plan(random, start + 25 * plan, users))
    end, before = start + DAY, replace(store.counts)
    head = UsageHead("UTC", end, plan=plans, last=end, users=users, running={product.id: []})
    writer = FrameWriter(
        ORGANIZATION, store, product, UTC, lambda _: 0, plans, is_busy=True, now=end
    )
    date, seconds, reached, is_done = instant_at(start).date(), list[float](), Reached(), False
    while not is_done:
        rounds, begin = store.counts.rounds, time.process_time()
        steps = writer.steps_of_sealing(date, date + ONE_DAY, 1)
        reached, is_done = take(steps, reached, BUDGET, lambda _: None)
        waited = (store.counts.rounds - rounds) * ROUND_MS / 1000
        seconds.append(time.process_time() - begin + waited)
    written = store.counts.write_units - before.write_units
    view, edges = View(ORGANIZATION, store, head, (), end + DAY), list[float]()
    for _ in range(20):
        edge, units = random.randrange(start, start + 25 * plans), store.counts.read_units
        measure(view, product, Period(instant_at(start), instant_at(edge)))
        edges.append(store.counts.read_units - units)
    return {
        "events": plans * 50_000,
        "calls of a worker to seal": len(seconds),
        "longest call, seconds": f"{max(seconds):.1f}",
        "all calls, seconds": f"{sum(seconds):.1f}",
        "write units an event": f"{written / plans / 50_000:.4f}",
        "units of a ragged edge": f"{min(edges):.0f} to {max(edges):.0f}",
    }


def a_plan(random: Random, now: int, users: int) -> Segment:
    """50,000 events of the last 25 seconds, some of them a few minutes late."""
    seconds = sorted(
        now - random.randrange(random.choice([25, 25, 25, 300])) for _ in range(50_000)
    )
    measures = [
        [random.randrange(1, 600_000) for _ in seconds] for _ in range(PRODUCTS[0].measures)
    ]
    return Segment(seconds, [random.randrange(users) for _ in seconds], measures)


def spent(acme: Organization, *steps: str) -> dict[str, object]:
    table: dict[str, object] = {}
    for step in steps:
        counts = acme.costs[step]
        table[f"{step}: calls / rounds"] = f"{counts.calls:,} / {counts.rounds:,}"
        table[f"{step}: units read / written"] = (
            f"{counts.read_units:,.0f} / {counts.write_units:,.0f}"
        )
        table[f"{step}: seconds"] = f"{acme.seconds_of(step):,.1f}"
    return table


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


ROWS: Final[Mapping[str, Callable[[Path, float], dict[str, object]]]] = {
    "history": history,
    "late": late,
    "writers": writers,
    "dates": dates,
    "sustained": sustained,
    "busier": busier,
    "people": people,
    "directory": directory,
    "day": day,
}


def measured(name: str, size: float) -> dict[str, object]:
    """A row, made in a process of its own."""
    with TemporaryDirectory() as home, multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, (name, size, home))


def run(name: str, size: float, home: str) -> dict[str, object]:
    begin = time.monotonic()
    found = ROWS[name](Path(home), size)
    took = f"{time.monotonic() - begin:,.0f}"
    return {**found, "peak memory, MB": peak() // 2**20, "measured in, s": took}


def main(words: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench scale")
    parser.add_argument("--row", choices=ROWS, action="append")
    parser.add_argument("--size", type=float, default=1.0, help="a part of the real size")
    asked = parser.parse_args(words)
    for name in asked.row or ROWS:
        lines = [f"**{ROWS[name].__doc__}** Size {asked.size:g}, on {datetime.now(UTC):%Y-%m-%d}."]
        lines += ["", "| | |", "| --- | ---: |"]
        for what, value in measured(name, asked.size).items():
            console.print(f"{name}: {what}: {value}")
            lines.append(f"| {what} | {value} |")
        if write:
            publish(f"scale {name}", "\n".join(lines))
