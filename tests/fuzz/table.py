"""The table of a run, and where it stands in the documents."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs" / "fuzz.md"
PLACE = re.compile(r"(<!-- run -->\n).*?(<!-- end -->)", re.DOTALL)
MOST_OUTCOMES = 4
KILOBYTE = 1_024


class Row(NamedTuple):
    """What came of one target."""

    target: str
    cases: int
    outcomes: Mapping[str, int]
    findings: Mapping[str, str]
    slowest_ms: float
    grown_kb: int

    @property
    def accepted(self) -> int:
        return sum(count for name, count in self.outcomes.items() if is_accepted(name))

    @property
    def refused(self) -> str:
        """By which errors or statuses the others were refused, the most frequent first."""
        others = {name: count for name, count in self.outcomes.items() if not is_accepted(name)}
        order = sorted(others, key=lambda name: (-others[name], name))
        return ", ".join(f"{name} {others[name]:,}" for name in order[:MOST_OUTCOMES])


def is_accepted(outcome: str) -> bool:
    return outcome in {"accepted", "folded", "done", "exit 0"} or outcome[:1] in {"2", "3"}


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| target | cases | accepted | refused by | slowest, ms of CPU | grown by, MB | found |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
        *map(line, rows),
        last_line(rows),
    ]
    return "\n".join(lines)


def last_line(rows: Sequence[Row]) -> str:
    """What came of all targets together."""
    cases, accepted = sum(row.cases for row in rows), sum(row.accepted for row in rows)
    slowest, grown = max(row.slowest_ms for row in rows), max(row.grown_kb for row in rows)
    found = sum(len(row.findings) for row in rows)
    figures = f"{slowest:,.0f} | {grown / KILOBYTE:,.0f} | {found}"
    return f"| **all** | **{cases:,}** | {accepted:,} | | {figures} |"


def line(row: Row) -> str:
    figures = f"{row.slowest_ms:,.0f} | {row.grown_kb / KILOBYTE:,.0f} | {len(row.findings)}"
    return f"| `{row.target}` | {row.cases:,} | {row.accepted:,} | {row.refused} | {figures} |"


def write(rows: Sequence[Row], seed: int) -> None:
    cases = sum(row.cases for row in rows)
    heading = f"{cases:,} cases with seed {seed}: `make fuzz ARGS='--cases {cases} --seed {seed}'`"
    text = DOCUMENT.read_text(encoding="utf-8")
    new = PLACE.sub(lambda found: f"{found[1]}{heading}\n\n{table(rows)}\n{found[2]}", text)
    DOCUMENT.write_text(new, encoding="utf-8")
