"""Marks, queue and workers in memory, minute by minute: everything is counted, nothing is timed."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from odometer.engine.format.marks import Mark
from odometer.services.engine import Engine, Findings
from odometer.services.work import Dispatched, Step, Work
from odometer.storage.dynamo import Table
from odometer.storage.marks import Marks
from odometer.storage.queue import WorkQueue, message_of

DEDUPLICATED_SECONDS = 300
START = 1_771_000_020


@dataclass
class MemoryTable:
    """The operations of a table that marks need; items read and writes are counted."""

    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        self.counted["read"] += 1
        return self.items.get((pk, sk))

    def query(self, pk: str, low: str, high: str) -> Iterator[dict[str, Any]]:
        found = [
            item for (p, sk), item in sorted(self.items.items()) if p == pk and low <= sk <= high
        ]
        self.counted["read"] += len(found)
        return iter(found)

    def put(self, item: Mapping[str, Any]) -> None:
        self.counted["written"] += 1
        self.items[item["pk"], item["sk"]] = dict(item)

    def add_missing(
        self, pk: str, sk: str, missing: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        known = self.items.get((pk, sk), {"pk": pk, "sk": sk})
        self.put({**missing, **known, **values})

    def replace(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        stored = self.items.get((before["pk"], before["sk"]), {})
        changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
        if not stored or any(stored.get(name) != before.get(name) for name in changed):
            return False
        kept = {name: value for name, value in stored.items() if name not in changed}
        self.put({**kept, **{name: after[name] for name in changed if name in after}})
        return True

    def delete_unchanged(self, item: Mapping[str, Any]) -> bool:
        self.counted["written"] += 1
        if self.items.get((item["pk"], item["sk"])) != item:
            return False
        del self.items[item["pk"], item["sk"]]
        return True


@dataclass
class MemoryQueue:
    """A FIFO queue with a group for each organization."""

    now: int = 0
    waiting: deque[str] = field(default_factory=deque)
    sent_at: dict[tuple[str, str], int] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def send(self, marks: Iterable[Mark]) -> None:
        several = [message_of(mark) for mark in marks]
        self.counted["batches"] += -(-len(several) // 10)
        for message in several:
            key = message["MessageGroupId"], message["MessageDeduplicationId"]
            if self.now - self.sent_at.get(key, -DEDUPLICATED_SECONDS) >= DEDUPLICATED_SECONDS:
                self.sent_at[key] = self.now
                self.counted["messages"] += 1
                self.waiting.append(message["MessageGroupId"])


class StubEngine:
    """Folds what it is told was accepted, and settles what was folded five minutes ago."""

    def __init__(self, organizations: Sequence[str]) -> None:
        self.directories = SimpleNamespace(organizations=self._organizations)
        self.known = sorted(organizations)
        self.accepted: defaultdict[str, list[int]] = defaultdict(list)
        self.unsettled: dict[str, int] = {}
        self.delays: list[int] = []
        self.broken: set[str] = set()
        self.steps: Counter[tuple[str, str]] = Counter()

    def _organizations(self, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter([each for each in self.known if each > after][:limit])

    def fold_outstanding(self, organization: str, now: datetime) -> bool:
        self._step("fold", organization)
        second = int(now.timestamp())
        if accepted := self.accepted.pop(organization, []):
            self.delays += [second - each for each in accepted]
            self.unsettled.setdefault(organization, second)
        return False

    def settle(self, organization: str, now: datetime) -> None:
        self._step("settle", organization)
        self.unsettled.pop(organization, None)

    def rebuild(self, organization: str, now: datetime) -> None:
        self._step("rebuild", organization)

    def retire(self, organization: str, now: datetime) -> None:
        self._step("retire", organization)

    def audit(self, organization: str, now: datetime) -> tuple[Findings, bool]:
        self._step("audit", organization)
        return Findings(0, 0), False

    def remaining(self, organization: str, now: datetime) -> dict[str, int]:
        since = self.unsettled.get(organization)
        return {"settle": since + 300} if since is not None else {}

    def _step(self, task: str, organization: str) -> None:
        self.steps[task, organization] += 1
        if organization in self.broken:
            raise RuntimeError(organization)


class SimulatedWork:
    """A deployment whose stream brings nothing, so that all depends on marks."""

    def __init__(self, organizations: Sequence[str], steps_each_minute: int) -> None:
        self.engine = StubEngine(organizations)
        self.table = MemoryTable()
        self.marks = Marks(cast("Table", self.table), {})
        self.queue = MemoryQueue()
        queue = cast("WorkQueue", self.queue)
        self.work = Work(cast("Engine", self.engine), self.marks, queue)
        self.steps_each_minute = steps_each_minute
        self.now = START
        self.taken: list[Step] = []

    def accept(self, organization: str, second: int) -> None:
        self.marks.accepting(organization, second)
        self.engine.accepted[organization].append(second)

    def minute(self) -> Dispatched:
        """Dispatch, and let workers take as many steps as they have time for in a minute."""
        self.now += 60
        self.queue.now = self.now
        found = self.work.dispatch(instant(self.now))
        for taken in range(self.steps_each_minute):
            if not self.queue.waiting:
                break
            self.take(self.queue.waiting.popleft(), self.now + taken * 60 // self.steps_each_minute)
        return found

    def take(self, organization: str, second: int) -> None:
        """Take a step; whether it fails or not, its message is done."""
        step = self.work.step(organization, instant(second))
        self.taken += [step] if step and not step.failure else []


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
