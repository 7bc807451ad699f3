"""The engine in two hundred lines, on a dictionary, with every write a place to stop.

It was written before the code, to try its mechanisms against each other: late items of a year,
strips, running frames, chunks, steps, rebuilds, marks. Time is short here, so that all edges come
often: a day has 4 ticks, a week 3 days. Workers are generators that yield before each write.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

DAY: Final = 4
WEEK: Final = 3 * DAY
CHUNK: Final = 3
"""Events between two frames inside a day."""
HEAVY: Final = 6
"""Late rows after which a rebuild is wanted."""
LONG_TAIL: Final = 12

Worker = Iterator[None]
Rows = Counter[int]
"""By user, what was used."""


class Event(NamedTuple):
    """One use."""

    id: int
    user: int
    tick: int
    value: int

    @property
    def day(self) -> int:
        return self.tick // DAY


class Late(NamedTuple):
    """A row of a late item."""

    day: int
    user: int
    value: int
    counts_day: bool


class Plan(NamedTuple):
    """What is settled next."""

    after: int
    upto: int
    sealed_before: int
    sealed: int
    token: object
    """Two plans of one number, before and after a restore, are not the same."""


class Head(NamedTuple):
    """What readers see."""

    version: int = 0
    plan: int = 0
    upto: int = 0
    sealed: int = 0
    generation: int = 0
    late: int = 0
    token: object = None


class Frame(NamedTuple):
    """What users used, and the days on which they did."""

    used: Rows
    days: Rows

    def __add__(self, other: tuple[object, ...]) -> "Frame":
        assert isinstance(other, Frame)
        return Frame(self.used + other.used, self.days + other.days)


NOTHING: Final = Frame(Counter(), Counter())


def frame_of(events: Iterable[Event]) -> Frame:
    """The frame of events of one day."""
    used = Counter[int]()
    for event in events:
        used[event.user] += event.value
    return Frame(used, Counter(dict.fromkeys(used, 1)))


@dataclass
class Tables:
    """Items by key. A put of an item that exists must not change it."""

    items: dict[Any, Any] = field(default_factory=lambda: {"H": Head()})

    def put(self, key: Any, value: Any) -> None:
        assert self.items.setdefault(key, value) == value, key

    def put_new(self, key: Any, value: Any) -> None:
        self.items.setdefault(key, value)

    def put_head(self, head: Head) -> None:
        if head.version > self.head.version:
            self.items["H"] = head

    @property
    def head(self) -> Head:
        found = self.items["H"]
        assert isinstance(found, Head)
        return found

    def under(self, *prefix: Any) -> dict[Any, Any]:
        """The items whose key begins so, in the order of their keys."""
        cut = len(prefix)
        found = {
            key[cut:]: value
            for key, value in self.items.items()
            if isinstance(key, tuple) and key[:cut] == prefix
        }
        return dict(sorted(found.items()))

    def folds(self, after: int, upto: int | None = None) -> list[list[Event]]:
        found = {number: fold for (number,), fold in self.under("F").items() if number > after}
        assert list(found) == list(range(after + 1, after + 1 + len(found))), "a gap"
        return [fold for number, fold in found.items() if upto is None or number <= upto]

    def segments(self, days: range, plan: int) -> list[Event]:
        found = self.under("E").items()
        return [e for (day, k), events in found if day in days and k <= plan for e in events]


@dataclass
class Process:
    """A warm process: it remembers ids of settled plans, as long as the tables have its plan."""

    tables: Tables
    known: set[int] = field(default_factory=set)
    through: int = 0
    token: object = None

    def settled_ids(self) -> set[int]:
        head = self.tables.head
        seen = self.tables.items.get(("P", self.through))
        if self.through and (seen is None or seen.token is not self.token):
            self.known, self.through = set(), 0
        ids = self.tables.under("I").items()
        later = {i for (k,), some in ids if k > self.through for i in some}
        self.known |= {i for (k,), some in ids if self.through < k <= head.plan for i in some}
        self.through, self.token = head.plan, head.token
        return self.known | later

    def fold(self, now: int, *, late_waits: bool = True) -> Worker:
        """Decide about what is in the log; while the tail is long, what is late waits there."""
        tables = self.tables
        yield
        head = tables.head
        folds = tables.folds(head.upto)
        counted = self.settled_ids() | {event.id for fold in folds for event in fold}
        waits = late_waits and sum(map(len, folds)) > LONG_TAIL
        fresh: dict[int, Event] = {}
        for batch in tables.under("LOG").values():
            if not (waits and any(event.tick < head.sealed for event in batch)):
                fresh.update({e.id: e for e in reversed(batch) if e.id not in counted | {*fresh}})
        yield
        if fresh:
            tables.put_new(("F", head.upto + len(folds) + 1), sorted(fresh.values()))

    def settle(self, now: int) -> Worker:
        """Make the next plan, or go on with it at the step after the last one done."""
        tables = self.tables
        yield
        head = tables.head
        number = head.plan + 1
        if ("P", number) not in tables.items:
            folds = tables.folds(head.upto)[:2]
            sealed = max(head.sealed, now - 1)
            if folds or sealed // DAY > head.sealed // DAY:
                upto = head.upto + len(folds)
                new = Plan(head.upto, upto, head.sealed, sealed, token=object())
                tables.put_new(("P", number), new)
        plan: Plan | None = tables.items.get(("P", number))
        if plan is None or tables.head != head:
            return
        steps: list[Callable[[], Iterable[tuple[Any, Any]]]] = [
            lambda: self.identities_and_segments(number, plan),
            lambda: self.late(number, plan, head.generation),
            lambda: self.running(number, plan, head.generation),
            lambda: self.sealed_days(number, plan, head.generation),
            *(
                lambda edge=edge: self.keyframe(number, edge, head.generation)
                for edge in edges(plan.sealed_before, plan.sealed)
            ),
        ]
        # What was done for another generation is to be done again for this one.
        progress = ("done", number, head.generation)
        done = tables.items.get(progress, 0)
        for at, step in enumerate(steps):
            if at >= done:
                for key, value in step():
                    yield
                    tables.put(key, value)
                yield
                tables.items[progress] = max(at + 1, tables.items.get(progress, 0))
        late = sum(
            len(i) for (_, k), i in tables.under("L", head.generation).items() if k <= number
        )
        yield
        tables.put_head(
            Head(
                head.version + 1,
                number,
                plan.upto,
                plan.sealed,
                head.generation,
                late,
                plan.token,
            )
        )

    def planned(self, plan: Plan) -> list[Event]:
        return [event for fold in self.tables.folds(plan.after, plan.upto) for event in fold]

    def identities_and_segments(self, number: int, plan: Plan) -> Iterator[tuple[Any, Any]]:
        events = self.planned(plan)
        yield ("I", number), sorted(event.id for event in events)
        for day in sorted({event.day for event in events}):
            yield ("E", day, number), sorted(e for e in events if e.day == day)

    def late(self, number: int, plan: Plan, generation: int) -> Iterator[tuple[Any, Any]]:
        """A late item behind keyframes, one more delta where only the day is sealed."""
        edge = plan.sealed_before // WEEK * WEEK
        mine = [e for e in self.planned(plan) if e.day < plan.sealed_before // DAY]
        behind = [event for event in mine if event.tick < edge]
        counted = self.days_counted(behind, number - 1, plan.sealed_before, generation)
        rows = Counter[tuple[int, int]]()
        for event in behind:
            rows[event.day, event.user] += event.value
        if rows:
            late = [Late(*row, value, row not in counted) for row, value in sorted(rows.items())]
            yield ("L", generation, 0, number), late
        for day in sorted({event.day for event in mine if event.tick >= edge}):
            events = [event for event in mine if event.day == day]
            known = self.days_counted(events, number - 1, plan.sealed_before, generation)
            frame = frame_of(events)
            days = Counter({user: 1 for user in frame.days if (day, user) not in known})
            yield ("D", generation, day, number), Frame(frame.used, days)

    def days_counted(
        self, events: Iterable[Event], plan: int, sealed: int, generation: int
    ) -> set[tuple[int, int]]:
        """The days of users that strips, deltas or earlier late items count, as of a plan.

        A strip has no plan in its key: one of a week that the plan has not sealed may exist
        already, and knows of later plans.
        """
        asked = {(event.day, event.user) for event in events}
        deltas, counted = self.tables.under("D", generation), set[tuple[int, int]]()
        strips = self.tables.under("S", generation)
        for day, user in asked:
            edge = (day * DAY // WEEK + 1) * WEEK
            strip = strips.get((edge,)) if edge <= sealed else None
            in_delta = any(
                d == day and k <= plan and user in frame.days for (d, k), frame in deltas.items()
            )
            if (day, user) in strip if strip is not None else in_delta:
                counted.add((day, user))
        for (_, k), rows in self.tables.under("L", generation).items():
            if k <= plan:
                counted |= {(row.day, row.user) for row in rows if row.counts_day} & asked
        return counted

    def running(self, number: int, plan: Plan, generation: int) -> Iterator[tuple[Any, Any]]:
        """A cumulative frame of each open day whose segments grew by a chunk since the last."""
        for day in {event.day for event in self.planned(plan)}:
            if day >= plan.sealed // DAY:
                former = [
                    k for d, k in self.tables.under("O", generation) if d == day and k < number
                ]
                last = max(former, default=0)
                events = self.tables.segments(range(day, day + 1), number)
                before = self.tables.segments(range(day, day + 1), last)
                if len(events) - len(before) >= CHUNK:
                    item = frame_of(events), max(event.tick for event in events)
                    yield ("O", generation, day, number), item

    def sealed_days(self, number: int, plan: Plan, generation: int) -> Iterator[tuple[Any, Any]]:
        for day in range(plan.sealed_before // DAY, plan.sealed // DAY):
            yield from self.sealed_day(day, number, generation)

    def sealed_day(self, day: int, number: int, generation: int) -> Iterator[tuple[Any, Any]]:
        """The delta of a day, and its events in chunks, each after the frame of those before."""
        events = self.tables.segments(range(day, day + 1), number)
        events.sort(key=lambda event: (event.tick, event.id))
        if events:
            yield ("D", generation, day, number), frame_of(events)
        if len(events) > CHUNK:
            starts = [0, *(s for s in range(CHUNK, len(events)) if s % CHUNK == 0)]
            cuts = sorted({events[start].tick for start in starts})
            for cut, following in zip(cuts, [*cuts[1:], (day + 1) * DAY], strict=True):
                before = frame_of([event for event in events if event.tick < cut])
                inside = [event for event in events if cut <= event.tick < following]
                yield ("T", generation, day, cut, number), (before, inside)

    def keyframe(self, number: int, edge: int, generation: int) -> Iterator[tuple[Any, Any]]:
        week = range((edge - WEEK) // DAY, edge // DAY)
        deltas = {
            key: frame
            for key, frame in self.tables.under("D", generation).items()
            if key[0] in week and key[1] <= number
        }
        former = self.tables.items.get(("K", generation, edge - WEEK), NOTHING)
        reading = sum(deltas.values(), former)
        yield ("K", generation, edge), reading
        strip = {(day, user) for (day, _), frame in deltas.items() for user in frame.days}
        yield ("S", generation, edge), strip

    def rebuild(self) -> Worker:
        """Make all frames again under the next generation, then show them."""
        tables = self.tables
        yield
        head = tables.head
        generation = head.generation + 1
        if head.late > HEAVY:
            tables.put_new(("B", generation), (head.plan, head.sealed, head.token))
        request = tables.items.get(("B", generation))
        if request is None:
            return
        for key, value in self.made_again(request[0], request[1], head.plan, generation):
            yield
            tables.put(key, value)
        yield
        late = sum(map(len, tables.under("L", generation).values()))
        tables.put_head(head._replace(version=head.version + 1, generation=generation, late=late))

    def made_again(
        self, plan: int, sealed: int, last: int, generation: int
    ) -> Iterator[tuple[Any, Any]]:
        """All that is sealed as of a plan, and what later plans add to it."""
        for day in range(sealed // DAY):
            yield from self.sealed_day(day, plan, generation)
            if (day + 1) * DAY % WEEK == 0:
                yield from self.keyframe(plan, (day + 1) * DAY, generation)
        for number in range(plan + 1, last + 1):
            yield from self.applied(number, generation)

    def applied(self, number: int, generation: int) -> Iterator[tuple[Any, Any]]:
        """What a plan that came meanwhile adds to the new generation."""
        plan = self.tables.items["P", number]
        yield from self.late(number, plan, generation)
        yield from self.running(number, plan, generation)
        yield from self.sealed_days(number, plan, generation)
        for edge in edges(plan.sealed_before, plan.sealed):
            yield from self.keyframe(number, edge, generation)


def edges(before: int, sealed: int) -> list[int]:
    first = before // WEEK * WEEK + WEEK
    return list(range(first, sealed + 1, WEEK))


@dataclass(frozen=True)
class View:
    """What was used at one moment, by head and folds."""

    tables: Tables
    head: Head
    tail: list[Event]

    @classmethod
    def latest(cls, tables: Tables) -> "View":
        head = tables.head
        return cls(tables, head, [e for fold in tables.folds(head.upto) for e in fold])

    def used(self, start: int, stop: int) -> Frame:
        """What everybody used from one tick up to another."""
        first = -(-start // DAY)
        end = max(first, min(stop, self.head.sealed) // DAY)
        if first == end:
            return self.inside(start, stop)
        ends = self.inside(start, first * DAY) + self.inside(end * DAY, stop)
        return ends + self.whole_days(first, end) + self.unsettled(first, end)

    @property
    def seen(self) -> tuple[int, int, int]:
        return self.head.plan, self.head.sealed, self.head.generation

    def whole_days(self, first: int, end: int) -> Frame:
        late = (
            row
            for (_, plan), rows in self.tables.under("L", self.head.generation).items()
            for row in rows
            if plan <= self.head.plan and first <= row.day < end
        )
        total = self.reading(end)
        for user, n in self.reading(first).used.items():
            total.used[user] -= n
        for user, n in self.reading(first).days.items():
            total.days[user] -= n
        for row in late:
            total.used[row.user] += row.value
            total.days[row.user] += row.counts_day
        return Frame(+total.used, +total.days)

    def reading(self, day: int) -> Frame:
        """The totals at the start of a day: the keyframe of its week and the deltas since."""
        tables, generation = self.tables, self.head.generation
        base = day * DAY // WEEK * WEEK
        keyframes = tables.under("K", generation)
        begun = any(edge <= base for (edge,) in keyframes)
        reading = keyframes[base,] if begun else NOTHING
        for (d, plan), frame in tables.under("D", generation).items():
            if base <= d * DAY < day * DAY and plan <= self.head.plan:
                reading += frame
        return Frame(Counter(reading.used), Counter(reading.days))

    def unsettled(self, first: int, end: int) -> Frame:
        late = [event for event in self.tail if first <= event.day < end]
        counted = Process(self.tables).days_counted(late, *self.seen)
        total = NOTHING
        for day in {event.day for event in late}:
            frame = frame_of([event for event in late if event.day == day])
            days = Counter({u: 1 for u in frame.days if (day, u) not in counted})
            total += Frame(frame.used, days)
        return total

    def inside(self, start: int, stop: int) -> Frame:
        """Ends of a range, day by day: no more events are read than lie between two frames."""
        total = NOTHING
        for day in range(start // DAY, -(-stop // DAY)):
            a, b = max(start, day * DAY), min(stop, (day + 1) * DAY)
            if a < b:
                total += frame_of(self.events_inside(day, a, b))
        return total

    def events_inside(self, day: int, a: int, b: int) -> list[Event]:
        """The events of a part of a day, from frames inside the day where they help."""
        tail = [event for event in self.tail if a <= event.tick < b]
        before_b, before_a = (self.until(day, edge) for edge in (b, a))
        used = {u: n - before_a.get(u, 0) for u, n in before_b.items()}
        assert all(n >= 0 for n in used.values())
        return tail + [Event(-1, user, a, value) for user, value in used.items() if value]

    def until(self, day: int, tick: int) -> Rows:
        """What was used on a day before a tick, as of the view's plan."""
        tables, g, k = self.tables, self.head.generation, self.head.plan
        running = [
            (plan, frame)
            for (d, plan), (frame, last) in tables.under("O", g).items()
            if d == day and plan <= k and last < tick and day >= self.head.sealed // DAY
        ]
        chunks = [
            (cut, plan, before, inside)
            for (d, cut, plan), (before, inside) in tables.under("T", g).items()
            if d == day and cut <= tick and plan <= k
        ]
        later = {key: events for key, events in tables.under("E").items() if key[0] == day}
        if day < self.head.sealed // DAY and chunks:
            _, after, before, inside = max(chunks, key=lambda chunk: chunk[0])
            base = before + frame_of([event for event in inside if event.tick < tick])
        else:
            after, base = max(running, default=(0, NOTHING))
        rest = [e for (_, n), events in later.items() if after < n <= k for e in events]
        total = base + frame_of([event for event in rest if event.tick < tick])
        assert isinstance(total, Frame)
        return total.used


def brute_force(folds: Iterable[list[Event]], start: int, stop: int) -> Frame:
    events = [event for fold in folds for event in fold if start <= event.tick < stop]
    return sum(
        (frame_of([e for e in events if e.day == day]) for day in {e.day for e in events}), NOTHING
    )


@dataclass
class Work:
    """Marks and messages: what has something to do, and who was told."""

    marks: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def mark(self, organization: str) -> None:
        self.marks[organization] = self.marks.get(organization, 0) + 1

    def dispatch(self) -> None:
        self.messages += [name for name in self.marks if name not in self.messages]

    def clear(self, organization: str, version: int) -> None:
        """Take a mark away unless it was set again since its version was read."""
        if self.marks.get(organization) == version:
            del self.marks[organization]
