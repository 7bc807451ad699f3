"""Every id counts once, however often the number of lanes is raised and whoever dies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.model.lanes_model import LANDS, Tables, Worker

STORIES = 120
TURNS = 300
DEATHS = 0.03


@dataclass
class Story:
    """Requests and workers at once, and the ids that have landed in a log."""

    random: Random
    tables: Tables = field(default_factory=Tables)
    requests: list[tuple[int, Worker, Sequence[int]]] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    landed: set[int] = field(default_factory=set)

    def turn(self, number: int) -> None:
        random, tables = self.random, self.tables
        if number in (60, 70, 150) and random.random() < 0.8:
            tables.lanes *= random.choice([2, 2, 4])
        if random.random() < 0.5:
            ids = [random.randrange(24) + number // 12 * 8 for _ in range(3)]
            self.requests.append((tables.now, tables.accept(ids, random.random()), ids))
        self.workers.append(self.a_worker())
        for _ in range(4):
            self.step()
        while self.requests and (self.is_due() or random.random() < 0.7):
            self.advance(0 if self.is_due() else random.randrange(len(self.requests)))
        tables.now += random.random() < 0.3

    def a_worker(self) -> Worker:
        lane = self.random.randrange(self.tables.lanes)
        new = [ids for _, ids in self.tables.entries(lane, self.tables.now - 2)]
        kinds = ("stream", "schedule", "settle")
        match self.random.choice(kinds):
            case "stream":
                return self.tables.fold(lane, new, 0)
            case "schedule":
                return self.tables.fold_outstanding(lane)
        return self.tables.settle()

    def step(self) -> None:
        if self.workers:
            at = self.random.randrange(len(self.workers))
            died = self.random.random() < DEATHS
            if died or next(self.workers[at], StopIteration) is StopIteration:
                del self.workers[at]

    def is_due(self) -> bool:
        """Whether the oldest request has to land now."""
        return self.requests[0][0] + LANDS <= self.tables.now

    def advance(self, at: int) -> None:
        _, request, ids = self.requests[at]
        if next(request, StopIteration) is StopIteration:
            self.landed |= {*ids}
            del self.requests[at]

    def close(self) -> None:
        while self.requests:
            self.advance(0)
        for _ in range(40):
            self.tables.now += 1
            for lane in range(self.tables.lanes):
                run_to_its_end(self.tables.fold_outstanding(lane))
            run_to_its_end(self.tables.settle())

    @property
    def counted(self) -> list[int]:
        return [each for ids, _ in self.tables.folds.values() for each in ids]


@pytest.mark.parametrize("part", range(4))
def test_every_id_counts_once_whenever_the_number_of_lanes_is_raised(part: int) -> None:
    for seed in range(part, STORIES, 4):
        story = Story(Random(seed))
        for number in range(TURNS):
            story.turn(number)
            assert len(story.counted) == len(set(story.counted))
        story.close()
        assert sorted(story.counted) == sorted(story.landed)


def run_to_its_end(worker: Worker) -> None:
    for _ in worker:
        pass
