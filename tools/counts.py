"""What was counted, as `docs/performance.md` publishes it; the tests of costs hold these tables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"
ROUTES: Final = "Every route: {:,} users"
SIZES: Final = (1_000, 10_000)
EVENTS: Final = "What an event asks for, step by step"
STEPS: Final = ("accept", "fold", "settle", "audit", "rebuild")
A_CELL: Final = re.compile(r" [/|] ")


class Cost(NamedTuple):
    """What one request asks for."""

    hops: int
    calls: int
    read_units: float
    write_units: float

    @classmethod
    def from_cells(cls, cells: str) -> Self:
        hops, calls, read, written = A_CELL.split(cells)
        return cls(int(hops), int(calls), float(read.replace(",", "")), float(written))

    @property
    def cells(self) -> str:
        return f"{self.hops} / {self.calls} | {self.read_units:,g} / {self.write_units:g}"


class Way(NamedTuple):
    """How events come: how many in a batch, and how many are settled together."""

    batch: int
    settled: int


class StepCost(NamedTuple):
    """What an event asks for in one step of its way."""

    write_units: float
    read_units: float
    calls: float
    stored_bytes: float

    @property
    def cells(self) -> str:
        units = f"{self.write_units:.4f} | {self.read_units:.4f} | {self.calls:.4f}"
        return f"{units} | {self.stored_bytes:.1f}"


def published_routes(users: int) -> dict[str, tuple[Cost, Cost]]:
    """What each route costs a process that knows nothing, and what it costs it next."""
    rows = rows_of(ROUTES.format(users))
    return {
        route: (Cost.from_cells(" | ".join(cold)), Cost.from_cells(" | ".join(warm)))
        for route, *cells in rows
        for cold, warm in [(cells[:2], cells[2:])]
    }


def published_steps() -> dict[Way, dict[str, StepCost]]:
    """What an event costs in each step, by the way in which it comes."""
    found: dict[Way, dict[str, StepCost]] = {}
    for batch, settled, step, *cells in rows_of(EVENTS):
        way = Way(number(batch), number(settled))
        found.setdefault(way, {})[step] = StepCost(*map(float, cells))
    return found


def rows_of(title: str) -> Iterator[list[str]]:
    """The cells of the table of a section, without its head."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    lines = section.partition("\n## ")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    yield from rows[2:]


def table(head: list[str], rows: Iterator[list[str]] | list[list[str]], left: int = 1) -> str:
    """A table of Markdown: so many columns of words, and then figures."""
    marks = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, marks, *rows))


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def by_step(costs: Mapping[str, StepCost]) -> StepCost:
    """All steps together."""
    return StepCost(*map(sum, zip(*costs.values(), strict=True)))
