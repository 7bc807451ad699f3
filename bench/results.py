"""What came of asking everybody: tables, and the lines of the picture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import NamedTuple

from bench.picture import Line
from bench.question import FORMS, Form
from tests.support.hops import Hops
from tools.billing import ROUND_TRIP_MS, dollars

OURS = "Odometer"


class Timing(NamedTuple):
    """How long an engine computes and takes to answer, with a round trip for each call."""

    cpu_ms: float
    spread_ms: float
    """Half of what lies between the quartiles."""
    wall_ms: float

    def with_round_trips(self, number: int) -> Timing:
        """The same over a network."""
        return self._replace(wall_ms=self.wall_ms + number * ROUND_TRIP_MS)

    @classmethod
    def of(cls, turns: Sequence[tuple[float, float]]) -> Timing:
        cpu, wall = zip(*turns, strict=True)
        first, middle, third = quantiles(cpu, n=4) if len(cpu) > 1 else cpu * 3
        return cls(1_000 * middle, 500 * (third - first), 1_000 * median(wall))


class Asked(NamedTuple):
    """A form and a length of range: the row of a table."""

    form: Form
    length: int

    @property
    def words(self) -> list[str]:
        return [self.form.words, str(self.length)]


Timings = Mapping[Asked, Mapping[str, Timing]]


@dataclass
class Results:
    """The times of everybody, and what those who ask DynamoDB ask of it."""

    timings: dict[Asked, dict[str, Timing]] = field(default_factory=dict)
    counts: dict[Asked, dict[str, Hops]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        names = dict.fromkeys(name for found in self.timings.values() for name in found)
        on_events = [name for name in names if name.endswith(", events")]
        others = [name for name in names if name not in on_events]
        plain = {row: found for row, found in self.timings.items() if {*on_events} & {*found}}
        trips = f"{ROUND_TRIP_MS:g} ms for each round trip"
        parts = {
            "Milliseconds of the processor": table(self.timings, others, cpu_cell),
            f"Milliseconds by the clock, {trips}": table(self.timings, others, wall_cell),
            "From events instead of roll-ups, milliseconds of the processor": table(
                plain, [OURS, *on_events], cpu_cell
            ),
            "What an answer asks of DynamoDB": self.cost_table,
        }
        return "\n\n".join(f"{title}:\n\n{text}" for title, text in parts.items() if text)

    @property
    def cost_table(self) -> str:
        head = ["asked", "days", "of", "hops", "requests", "read units", "kB", "$ for 1,000"]
        rows = (
            [*row.words, name, *cost_cells(counted, self.timings[row][name])]
            for row, found in self.counts.items()
            for name, counted in found.items()
        )
        return lined_up(head, rows, left=(0, 2))

    def lines(self) -> Iterator[Line]:
        """What plain questions about an app take and cost, by the days that they ask for."""
        plain = {row: found for row, found in self.timings.items() if row.form == FORMS[0]}
        for name in dict.fromkeys(name for found in plain.values() for name in found):
            if not name.endswith(", events"):
                times = {row.length: found.get(name) for row, found in plain.items()}
                yield Line(
                    "milliseconds of the processor",
                    name,
                    {days: each.cpu_ms for days, each in times.items() if each},
                )
        for name in dict.fromkeys(name for row in plain for name in self.counts[row]):
            counts = {row.length: self.counts[row].get(name) for row in plain}
            units = {days: each.read_units for days, each in counts.items() if each}
            yield Line("read units", name, units)


def table(timings: Timings, names: Collection[str], cell: Callable[[Timing, Timing], str]) -> str:
    """A row for every form and length, a column for everyone."""
    if not timings:
        return ""
    rows = (
        [*row.words, *(cell(found[name], found[OURS]) if name in found else "" for name in names)]
        for row, found in timings.items()
    )
    return lined_up(["asked", "days", *names], rows, left=(0,))


def lined_up(head: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[int]) -> str:
    """A table whose columns stand right, but for some."""
    marks = ["---" if place in left else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, marks, *rows))


def cpu_cell(found: Timing, ours: Timing) -> str:
    return f"{found.cpu_ms:,.1f} ±{found.spread_ms:.1f} ({found.cpu_ms / ours.cpu_ms:.1f})"


def wall_cell(found: Timing, ours: Timing) -> str:
    return f"{found.wall_ms:,.0f} ({found.wall_ms / ours.wall_ms:.1f})"


def cost_cells(counted: Hops, timing: Timing) -> list[str]:
    price = 1_000 * dollars(counted.read_units, counted.hops, timing.cpu_ms)
    sent = f"{counted.bytes_read / 1_000:,.0f}"
    return [f"{counted.hops}", f"{counted.calls}", f"{counted.read_units:,g}", sent, f"{price:.4f}"]
