"""What processes of a storm write down: what was sent, what was answered, and what was wrong."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

BUCKET_SECONDS: Final = 10
NOTED_EVERY_SECONDS: Final = 5
MOST_WRONG: Final = 200
"""So many findings of a process are kept; all are counted."""


@dataclass
class Records:
    """The files of one process, and its counts."""

    home: Path
    name: str
    counts: Counter[str] = field(default_factory=Counter)
    """By what was counted, words with `|` between them."""
    spans: Counter[str] = field(default_factory=Counter)
    """Likewise, in spans of ten seconds."""
    lags: dict[str, float] = field(default_factory=dict)
    """The longest of each name in a span."""
    wrongs: list[Mapping[str, Any]] = field(default_factory=list)
    noted: float = 0

    def write(self, **line: Any) -> None:
        """Write a line of the journal before anything follows from it."""
        with (self.home / f"journal-{self.name}.ndjson").open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def count(self, *words: object, number: int = 1) -> None:
        self.counts["|".join(map(str, words))] += number

    def span(self, what: str, number: int = 1) -> None:
        self.spans[f"{bucket()}|{what}"] += number

    def lag(self, name: str, seconds: float) -> None:
        key = f"{bucket()}|{name}"
        self.lags[key] = max(seconds, self.lags.get(key, 0))

    def check(self, name: str, holds: object, **found: Any) -> None:
        """Count a check, and keep what was found if it does not hold."""
        self.count("check", name)
        if not holds:
            self.count("wrong", name)
            if len(self.wrongs) < MOST_WRONG:
                self.wrongs.append({"check": name, "at": round(time.time(), 1), **found})

    def note(self, *, at_once: bool = False) -> None:
        """Keep the counts where others read them, now and then."""
        if at_once or time.monotonic() > self.noted + NOTED_EVERY_SECONDS:
            self.noted = time.monotonic()
            content = {
                "counts": self.counts,
                "spans": self.spans,
                "lags": self.lags,
                "wrongs": self.wrongs,
            }
            draft = self.home / f"counts-{self.name}.draft"
            draft.write_text(json.dumps(content))
            draft.replace(draft.with_suffix(".json"))


def bucket() -> int:
    return int(time.time()) // BUCKET_SECONDS * BUCKET_SECONDS


@dataclass
class Sum:
    """The records of all processes."""

    counts: Counter[str] = field(default_factory=Counter)
    spans: Counter[str] = field(default_factory=Counter)
    lags: dict[str, float] = field(default_factory=dict)
    wrongs: list[Mapping[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, home: Path) -> "Sum":
        total = cls()
        for path in sorted(home.glob("counts-*.json")):
            total.add(json.loads(path.read_text()))
        return total

    def add(self, content: Mapping[str, Any]) -> None:
        self.counts.update(content["counts"])
        self.spans.update(content["spans"])
        self.wrongs += content["wrongs"]
        for key, seconds in content["lags"].items():
            self.lags[key] = max(seconds, self.lags.get(key, 0))

    def number(self, *words: str) -> int:
        """The sum of all counts that begin with these words."""
        begin = "|".join(words)
        return sum(
            n for key, n in self.counts.items() if key == begin or key.startswith(f"{begin}|")
        )


def lines_of(home: Path) -> Iterator[dict[str, Any]]:
    """The lines of all journals, those of one process in their order; a torn end is left out."""
    for path in sorted(home.glob("journal-*.ndjson")):
        for line in path.read_text().splitlines():
            if line.endswith("}"):
                yield json.loads(line)
