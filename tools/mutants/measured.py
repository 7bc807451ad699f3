"""What was measured, as git has it; the arguments for survivors; and the page that shows both."""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
MEASURED: Final = HERE / "measured.json"
ARGUED: Final = HERE / "argued.toml"
PAGE: Final = HERE.parents[1] / "docs/mutants.md"
SURE: Final = 1.96
"""Standard deviations on either side of what a sample shows, of which one in twenty is outside."""
BEGIN: Final = "<!-- written by make mutants ARGS=--write -->\n"


@dataclass
class Counts:
    """How many mutants were made, tried and noticed."""

    made: int = 0
    tried: int = 0
    noticed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Counts(*(one + another for one, another in pairs))


def by_module(measured: Iterable["Measured"]) -> list[Counts]:
    groups = groupby(measured, key=lambda each: each.module)
    return [sum((each.counts for each in some), Counts()) for _, some in groups]


def score_of(measured: Iterable["Measured"]) -> tuple[float, float]:
    """The share of all mutants that is noticed, and by how much it may be wrong: modules by size.

    A module may have a larger sample than another, and counts no more for it.
    """
    modules = [each for each in by_module(measured) if each.tried]
    made = sum(each.made for each in modules)
    if not made:
        return 1.0, 0.0
    score = sum(each.made * each.noticed / each.tried for each in modules) / made
    variances = (
        (each.made / made) ** 2 * score * (1 - score) / each.tried * (1 - each.tried / each.made)
        for each in modules
    )
    return score, SURE * math.sqrt(sum(variances))


@dataclass
class Measured:
    """A function as it was measured."""

    module: str
    function: str
    digest: str
    counts: Counts
    alive: list[str] = field(default_factory=list)

    @property
    def survivors(self) -> Iterator[tuple[str, str, str]]:
        return ((self.module, self.function, each) for each in self.alive)


def read() -> list[Measured]:
    if not MEASURED.exists():
        return []
    found: dict[str, dict[str, Any]] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return [
        Measured(module, function, digest, Counts(*counts), alive)
        for module, functions in found.items()
        for function, (digest, counts, *alive) in functions.items()
    ]


def write(measured: Iterable[Measured]) -> None:
    """A line for each function, so that a change of one changes a line."""
    modules = []
    for module, functions in groupby(measured, key=lambda each: each.module):
        lines = []
        for each in functions:
            content = [each.digest, list(vars(each.counts).values()), *each.alive]
            lines.append(f"  {quoted(each.function)}: {quoted(content)}")
        modules.append(f"{quoted(module)}: {{\n" + ",\n".join(lines) + "\n}")
    MEASURED.write_text("{\n" + ",\n".join(modules) + "\n}\n", encoding="utf-8")


def quoted(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


def digests() -> dict[tuple[str, str], str]:
    """The functions that were measured, and what they were."""
    return {(each.module, each.function): each.digest for each in read()}


def argued() -> dict[tuple[str, str, str], str]:
    """Why a mutant may live, by its module, its function and what it changes."""
    found = tomllib.loads(ARGUED.read_text(encoding="utf-8")) if ARGUED.exists() else {}
    return {
        (each["module"], each["function"], mutant): each["why"]
        for each in found.get("survivors", ())
        for mutant in each["mutants"]
    }


def page(measured: Iterable[Measured], arguments: Mapping[tuple[str, str, str], str]) -> str:
    """The page with its table as it has to be; what stands above the mark is written by hand."""
    above = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    return above + BEGIN + "\n".join(table(list(measured), arguments)) + "\n"


def table(measured: list[Measured], arguments: Mapping[tuple[str, str, str], str]) -> Iterator[str]:
    yield "| module | functions | mutants | tried | noticed | survived | score | argued |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    yield row("**all**", measured, arguments)
    packages = groupby(measured, key=lambda each: package_of(each.module))
    for package, functions in packages:
        mine = list(functions)
        yield row(f"**`{package}`**", mine, arguments)
        modules = {each.module for each in mine}
        for module, some in groupby(mine, key=lambda each: each.module):
            if len(modules) > 1:
                yield row(f"`{module}`", list(some), arguments)


def package_of(module: str) -> str:
    head = module.partition("/")[0]
    return f"{head}/" if head in {"access", "domain", "engine", "reports"} else "cursors and tokens"


def row(name: str, measured: list[Measured], arguments: Mapping[tuple[str, str, str], str]) -> str:
    counts = sum((each.counts for each in measured), Counts())
    score, uncertain = score_of(measured)
    alive = [survivor for each in measured for survivor in each.survivors]
    why = sum(each in arguments for each in alive)
    sure = f" ± {uncertain:.1%}" if uncertain else ""
    numbers = (len(measured), counts.made, counts.tried, counts.noticed, len(alive))
    cells = [name, *(f"{each:,}" for each in numbers), f"{score:.1%}{sure}", str(why)]
    return f"| {' | '.join(cells)} |"
