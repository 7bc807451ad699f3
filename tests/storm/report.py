"""The report of a storm: its counts in a page of Markdown, and its course in a picture."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from tests.storm.faults import Fault
from tests.storm.plan import Setup
from tests.storm.records import BUCKET_SECONDS, Sum
from tools.charts import Chart, Series, picture

MOST_SHOWN: Final = 10
NAMES: Final = {
    "rotate_secret": "a new version of the secret",
    "raise_lanes": "more lanes",
    "rebuild": "a rebuild",
    "copy_tables": "copies of the tables",
    "restart": "an orderly restart",
    "restore": "a restore",
}
LAGS: Final = ("until shown", "data_through")
Rows = Sequence[Sequence[object]]
Acts = Sequence[tuple[float, str]]
"""What the operator did, and when."""


@dataclass(frozen=True)
class Report:
    """All that a storm has counted."""

    setup: Setup
    found: Sum
    calls: Sequence[tuple[int, str, str, int]]
    """Span, call, fault or `well`, and how many."""
    began: float
    settled_seconds: float
    acted: Acts = ()

    @classmethod
    def of(cls, home: Path, setup: Setup, began: float, settled: float, acted: Acts) -> Self:
        record = home / "calls.json"
        calls = [(*row,) for row in json.loads(record.read_text())] if record.exists() else []
        return cls(setup, Sum.of(home), calls, began, settled, acted)

    @property
    def wrongs(self) -> int:
        return self.found.number("wrong")

    def write(self, folder: Path) -> None:
        pictures = folder / "pictures" if folder.name == "docs" else folder
        pictures.mkdir(parents=True, exist_ok=True)
        (pictures / "storm.svg").write_text(self.picture)
        place = "pictures/storm.svg" if folder.name == "docs" else "storm.svg"
        (folder / "storm.md").write_text(self.text.replace("PICTURE", place))

    # the page

    @property
    def text(self) -> str:
        return "\n\n".join(
            [
                "# A storm",
                self.verdict,
                "![Requests, calls that met a fault, and lag over the time of the storm](PICTURE)",
                "## What went on\n\n" + self.summary,
                "## What was checked\n\n" + table(("check", "made", "wrong"), self.checks()),
                *self.findings(),
                "## Calls of services, and what they met\n\n" + self.table_of_calls(),
                "## Requests, and how they were answered\n\n" + self.table_of_requests(),
                EXPLANATION.strip(),
            ]
        )

    @property
    def verdict(self) -> str:
        made = self.found.number("check")
        wrong = (
            f"{self.wrongs:,} wrong" if self.wrongs else "nothing lost, doubled, leaked or wrong"
        )
        began = datetime.fromtimestamp(self.began, UTC)
        return (
            f"`make storm ARGS='--minutes {self.setup.seconds / 60:g} --seed {self.setup.seed}'`, "
            f"begun {began:%Y-%m-%d at %H:%M} UTC on the emulator of `make run`: **{wrong}**, "
            f"in {made:,} checks."
        )

    @property
    def summary(self) -> str:
        number, faults = self.found.number, self.faults()
        calls = sum(row[3] for row in self.calls)
        acted = Counter(NAMES[name] for _, name in self.acted)
        lags = sorted(self.lag("until shown").values.values()) or [0]
        rows = [
            ("organizations, processes of clients", self.sizes),
            ("requests; without an answer or to be sent again", self.requests),
            ("events that were answered", f"{number('events'):,}"),
            ("calls of services; that met a fault", f"{calls:,}; {sum(faults.values()):,}"),
            ("faults", listed(faults)),
            ("processes of functions that were killed", f"{number('kills'):,}"),
            ("what the operator did", listed(acted)),
            ("commands of the operator that were run again", f"{self.commands_again:,}"),
            ("restarts, restores", f"{number('restarts')}, {number('restores')}"),
            ("erasures", f"{number('erasures'):,}"),
            ("keys: new secrets, revocations", f"{number('rotations')}, {number('revocations')}"),
            ("changes of a time zone", f"{number('zone changes'):,}"),
            ("pages of chains; chains", f"{number('pages'):,}; {listed(self.under('chains'))}"),
            (
                "until an answered event shows, the worst of 10 s",
                f"{lags[len(lags) // 2]:.0f} s in the middle, {lags[-1]:.0f} s at most",
            ),
            (
                "reports that could not tell how far they count",
                f"{number('data_through unknown'):,}",
            ),
            ("until all was settled afterwards", f"{self.settled_seconds:.0f} s"),
            ("frames that `odometer verify` compared", f"{number('frames'):,}"),
        ]
        return table(("", ""), rows)

    @property
    def sizes(self) -> str:
        return f"{self.setup.organizations}, {self.setup.processes}"

    @property
    def requests(self) -> str:
        again = self.found.number("tried again")
        return f"{self.found.number('request'):,}; {again:,}"

    @property
    def commands_again(self) -> int:
        rows = self.under("command").items()
        return sum(number for name, number in rows if not name.endswith("|0"))

    def faults(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for _, _, fault, number in self.calls:
            found[fault] += number
        del found["well"]
        return found

    def under(self, word: str) -> Mapping[str, int]:
        begin = f"{word}|"
        counts = self.found.counts.items()
        return {key.removeprefix(begin): n for key, n in counts if key.startswith(begin)}

    def checks(self) -> Rows:
        wrong = self.under("wrong")
        made = sorted(self.under("check").items())
        return [(name, f"{number:,}", wrong.get(name, 0)) for name, number in made]

    def findings(self) -> Iterable[str]:
        if self.found.wrongs:
            shown = [f"    {json.dumps(each)}" for each in self.found.wrongs[:MOST_SHOWN]]
            yield "## What was wrong\n\n" + "\n".join(shown)

    def table_of_calls(self) -> str:
        found: Counter[tuple[str, str]] = Counter()
        for _, call, fault, number in self.calls:
            found[call, fault] += number
        columns = ["well", *Fault]
        names = sorted({call for call, _ in found})
        rows = [[name, *(f"{found[name, each]:,}" for each in columns)] for name in names]
        return table(["call", *columns], rows)

    def table_of_requests(self) -> str:
        found = {tuple(key.rsplit("|", 1)): n for key, n in self.under("request").items()}
        statuses = sorted({status for _, status in found})
        routes = sorted({route for route, _ in found})
        rows = [
            [f"`{route}`", *(f"{found.get((route, each), 0):,}" for each in statuses)]
            for route in routes
        ]
        return table(["route", *statuses], rows)

    # the picture

    @property
    def picture(self) -> str:
        return picture(
            [
                Chart(12, 6, "Requests a second", self.rates("answered", "failed")),
                Chart(12, 6, "Events a second", self.rates("events")),
                Chart(12, 6, "Calls that met a fault, a second", self.rates_of_faults()),
                Chart(12, 6, "Lag in seconds, the worst", [*map(self.lag, LAGS)]),
                Chart(12, 6, "Processes killed in 10 seconds", [self.kills()]),
                Chart(12, 6, "What the operator did", [*self.acts()]),
            ]
        )

    def rates(self, *names: str) -> list[Series]:
        return [Series(name, self.over_time(name, BUCKET_SECONDS)) for name in names]

    def over_time(self, name: str, per: float) -> dict[int, float]:
        return {at: self.found.spans[f"{at}|{name}"] / per for at in self.all_spans}

    @property
    def all_spans(self) -> range:
        """The beginnings of all spans, also of those in which nothing was counted."""
        spans = [int(key.partition("|")[0]) for key in self.found.spans]
        return range(min(spans, default=0), max(spans, default=-1) + 1, BUCKET_SECONDS)

    def rates_of_faults(self) -> list[Series]:
        found: Counter[tuple[str, int]] = Counter()
        for span, _, fault, number in self.calls:
            found[fault, span] += number
        spans = sorted({span for _, span in found})
        return [
            Series(each.value, {span: found[each, span] / BUCKET_SECONDS for span in spans})
            for each in Fault
        ]

    def lag(self, name: str) -> Series:
        """The longest that an answered event had not shown, or that `data_through` was behind."""
        lags = {key.split("|")[0]: s for key, s in self.found.lags.items() if key.endswith(name)}
        return Series(name, {int(at): seconds for at, seconds in lags.items()})

    def kills(self) -> Series:
        return Series("kills", self.over_time("kills", 1))

    def acts(self) -> Iterable[Series]:
        """A line for each sort of act, which rises when the act was begun."""
        names = list(dict.fromkeys(name for _, name in self.acted))
        for place, name in enumerate(names):
            begun = [int(at) for at, each in self.acted if each == name]
            rises = {at + 1: 1 - place / (2 * len(names)) for at in begun}
            flat = {at + beside: 0.0 for at in begun for beside in (0, 2)}
            yield Series(NAMES[name], {**flat, **rises})


EXPLANATION: Final = """
## What this says, and what it does not

* A seed repeats the plan: what each process asks, act by act; which fault the n-th call of a name
  meets; which kills and acts come when. It does not repeat how processes interleave, nor which
  request makes the n-th call.
* **throttle** and **500** are answers of the service to a call that it has not done.
  **time-out**: the call is done 4.3 seconds later, when the client has given up. **lost answer**:
  it is done, and the connection ends. Commands of the operator meet all of them, too.
* What clients had no answer for they sent again under the same ids until they had one. So all that
  was sent counts, once; the model adds it up event by event from what was written down before.
* Of two events under one id either may count, and exactly one does.
* The emulator keeps no past: the copy that is restored is taken in the middle of the storm. Nothing
  of this was run against AWS, whose throttling, clocks and failures differ.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    marks = ["---", *["---:"] * (len(head) - 1)]
    lines = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def listed(counts: Mapping[str, Any]) -> str:
    named = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{number:,} {name}" for name, number in named) or "none"
