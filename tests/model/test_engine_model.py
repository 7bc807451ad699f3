"""The model of the engine equals brute force in any order of any writes, with any deaths."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.model.engine_model import (
    DAY,
    LONG_TAIL,
    WEEK,
    Event,
    Process,
    Tables,
    View,
    Work,
    brute_force,
)

STORIES = 80
DEATHS = 0.05
"""How often a worker dies before a write."""


def an_event(random: Random, now: int) -> Event:
    """An event of now, of this week, or of long ago; some ids come again with other values."""
    back = random.choice([0, 0, 1, random.randrange(WEEK), random.randrange(4 * WEEK)])
    tick = max(0, now - back)
    return Event(random.randrange(10**6) // 3, random.randrange(4), tick, random.choice([1, 2**70]))


def run(workers: list[Iterator[None]], random: Random) -> None:
    """Let workers take their steps in any order; some die."""
    while workers:
        at = random.randrange(len(workers))
        if random.random() < DEATHS or next(workers[at], StopIteration) is StopIteration:
            del workers[at]


def assert_exact(tables: Tables, random: Random, now: int, view: View | None = None) -> None:
    view = view or View.latest(tables)
    folds = tables.folds(0)[: view.head.upto + len(tables.folds(view.head.upto))]
    for _ in range(4):
        start = random.randrange(now + 1)
        stop = random.randrange(start, now + 2)
        assert view.used(start, stop) == brute_force(folds, start, stop)


@pytest.mark.parametrize("part", range(4))
def test_figures_equal_brute_force_in_any_order_of_writes_and_deaths(part: int) -> None:
    for seed in range(part, STORIES, 4):
        random, tables, now = Random(seed), Tables(), 4 * WEEK
        tables.put_head(tables.head._replace(version=1, sealed=now - 1))
        processes = [Process(tables) for _ in range(3)]
        accepted = set[int]()
        for _ in range(25):
            now += random.choice([0, 1, DAY, WEEK + 1])
            batch = [an_event(random, now) for _ in range(random.randrange(8))]
            batch += random.sample(sorted(tables.folds(0)[-1]), 1) if tables.folds(0) else []
            tables.put(("LOG", random.random()), batch)
            accepted |= {event.id for event in batch}
            works = ("fold", "fold", "settle", "settle", "rebuild")
            workers = [
                process.rebuild() if work == "rebuild" else getattr(process, work)(now)
                for work in works
                for process in (random.choice(processes),)
            ]
            run(workers, random)
            assert_exact(tables, random, now)
        for _ in range(60):
            for worker in (
                processes[0].fold(now),
                processes[0].settle(now),
                processes[0].rebuild(),
            ):
                run_to_its_end(worker)
        counted = [event.id for fold in tables.folds(0) for event in fold]
        assert sorted(counted) == sorted(accepted)
        assert tables.head.upto == len(tables.folds(0))
        assert_exact(tables, random, now)


def test_tables_restored_under_warm_processes_take_again_what_is_sent_again() -> None:
    for seed in range(60):
        random, tables, now = Random(seed), Tables(), WEEK
        warm, saved, sent = Process(tables), dict(tables.items), dict[float, list[Event]]()
        for turn in range(12):
            now += DAY
            sent[random.random()] = [an_event(random, now) for _ in range(5)]
            tables.put(("LOG", list(sent)[-1]), sent[list(sent)[-1]])
            run_to_its_end(warm.fold(now))
            run_to_its_end(warm.settle(now))
            if turn == 5:
                saved = dict(tables.items)
            if turn == 9:
                tables.items.clear()
                tables.items.update(saved)
            assert_exact(tables, random, now)
        for key, batch in sent.items():
            tables.put(("LOG", key), batch)
        for _ in range(20):
            run_to_its_end(warm.fold(now))
            run_to_its_end(warm.settle(now))
        counted = [event.id for fold in tables.folds(0) for event in fold]
        assert sorted(counted) == sorted({event.id for batch in sent.values() for event in batch})
        assert_exact(tables, random, now)


def test_late_bulk_waits_while_the_tail_is_long_and_what_is_new_does_not() -> None:
    tables, now = Tables(), 4 * WEEK
    tables.put_head(tables.head._replace(version=1, sealed=now - 1))
    process = Process(tables)
    for number in range(10):
        bulk = [Event(10 * number + at, at, number, 1) for at in range(10)]
        tables.put(("LOG", number), bulk)
        run_to_its_end(process.fold(now))
    fresh = Event(10_000, 1, now, 1)
    tables.put(("LOG", 10), [fresh])
    run_to_its_end(process.fold(now))
    tail = View.latest(tables).tail
    assert fresh in tail
    assert len(tail) <= LONG_TAIL + 10 + 1
    for _ in range(12):
        run_to_its_end(process.settle(now))
        run_to_its_end(process.fold(now))
    assert sum(map(len, tables.folds(0))) == 101


def test_what_is_marked_is_worked_on_whoever_dies() -> None:
    for seed in range(200):
        random, work, waiting = Random(seed), Work(), dict[str, int]()
        for _ in range(30):
            name = random.choice("abc")
            work.mark(name)  # before the log, so that a death between loses nothing
            if random.random() > DEATHS:
                waiting[name] = waiting.get(name, 0) + 1
            take_messages(work, waiting, random)
        for _ in range(60):
            take_messages(work, waiting, random)
        assert not any(waiting.values())


def take_messages(work: Work, waiting: dict[str, int], random: Random) -> None:
    work.dispatch()
    for name in list(work.messages):
        version = work.marks.get(name, 0)
        if random.random() < 0.2:
            continue  # the worker died: its message comes again
        waiting[name] = max(0, waiting.get(name, 0) - 1)
        done = not waiting[name]
        if random.random() < 0.1:
            work.mark(name)
            waiting[name] += 1  # something came after the worker had looked
        if done:
            work.clear(name, version)
        work.messages.remove(name)


def run_to_its_end(worker: Iterator[None]) -> None:
    for _ in worker:
        pass
