"""What `make mutants` runs; the package says how."""

import argparse
import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

import tools.mutants
from tools.mutants import measured
from tools.mutants.cold import survives
from tools.mutants.faults import PACKAGE, Function, Module, Mutant
from tools.mutants.hunt import Hunt, Task
from tools.mutants.known import IMPORTS, Known, Reaching, Result, Test
from tools.mutants.measured import Counts, Measured
from tools.mutants.quietly import QUIETLY, scratch
from tools.mutants.reach import measure_reach

TARGETS = ["access", "web/cursors.py", "api/v1/embed_tokens.py", "domain", "reports", "engine"]
KNOWN = {"killed", "slow", "invalid"}
ALIVE = {"survived", "unreached"}
SUITE = [
    *("tests/unit/access", "tests/unit/api", "tests/unit/directory", "tests/unit/domain"),
    *("tests/unit/engine", "tests/unit/reports", "tests/unit/web"),
    "tests/property/test_utilization.py",
]
"""The tests that are asked: those that need no other process and do not claim anything of costs."""


def main() -> None:
    parser = argparse.ArgumentParser("mutants", usage=tools.mutants.__doc__)
    parser.add_argument("targets", nargs="*", default=TARGETS)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--sample", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=5)
    parser.add_argument("--tests", nargs="*", default=SUITE)
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    known, modules = Known(), list(modules_in(asked.targets))
    if asked.write:
        found = list(measure(known, modules_in(TARGETS)))
        measured.write(found)
        page = measured.page(found, measured.argued())
        measured.PAGE.write_text(page, encoding="utf-8")
    elif asked.survivors:
        show_survivors(known, modules)
    else:
        hunt(known, modules, asked)


def measure(known: Known, modules: Iterable[str]) -> Iterator[Measured]:
    """What is known of every function as it stands now, here or from what was measured before."""
    before = {(each.module, each.function, each.digest): each for each in measured.read()}
    for name in modules:
        found: dict[str, Measured] = {}
        for mutant in Module(name).mutants():
            function = mutant.function
            new = Measured(name, function.name, function.digest, Counts())
            here = found.setdefault(function.name, new)
            result = known.result(mutant)
            if result and result.end == "invalid":
                continue
            if result is None or result.end == "lost":
                here.counts += Counts(made=1)
            elif result.end in ALIVE:
                here.counts += Counts(made=1, tried=1)
                here.alive.append(mutant.name)
            else:
                here.counts += Counts(made=1, tried=1, noticed=1)
        for each in found.values():
            place = each.module, each.function, each.digest
            yield each if each.counts.tried else before.get(place, each)


def modules_in(targets: Iterable[str]) -> Iterator[str]:
    for target in targets:
        path = PACKAGE / target
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        yield from (each.relative_to(PACKAGE).as_posix() for each in files)


def hunt(known: Known, modules: Sequence[str], asked: argparse.Namespace) -> None:
    measure_reach(known, list(files_of(asked.tests)))
    files = known.digests()
    new = functions_not_as_measured(modules)
    tasks = [
        task
        for mutant in chosen(modules, asked)
        if (task := task_of(known, files, mutant, asked.patience, new))
    ]
    print(f"{len(tasks)} mutants are tried", flush=True)
    reached = [task for task in tasks if task.tests]
    for task in tasks:
        if not task.tests:
            known.learn(task.mutant, Result("unreached", "", task.digest, 0, 0))
    if reached:
        names = {test.name for task in reached for test in task.tests}
        using = sorted({name.partition("::")[0] for name in names})
        using = [file for file in using if Path(file).exists()]
        options = [*QUIETLY, f"--basetemp={scratch()}"]
        pytest.main([*options, *using], plugins=[Hunt(known, reached, asked.patience)])
    try_cold(known, reached, asked.patience)
    show_survivors(known, modules)


def files_of(tests: Sequence[str]) -> Iterator[str]:
    for each in map(Path, tests):
        found = sorted(each.rglob("test_*.py")) if each.is_dir() else [each]
        yield from map(str, found)


def chosen(modules: Sequence[str], asked: argparse.Namespace) -> list[Mutant]:
    """The mutants that are wanted: all, those of changed functions, or some of a hundred."""
    made = [mutant for module in modules for mutant in Module(module).mutants()]
    if asked.changed:
        digests = measured.digests()
        made = [each for each in made if digests.get(place_of(each)) != each.function.digest]
    return [each for each in made if is_drawn(each, asked.sample, asked.seed)]


def is_drawn(mutant: Mutant, percent: float, seed: int) -> bool:
    """Whether a mutant is among so many of a hundred; a larger sample has all of a smaller one."""
    name = f"{seed}/{place_of(mutant)}/{mutant.name}"
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    return number < percent / 100 * 2**64


def place_of(mutant: Mutant) -> tuple[str, str]:
    return mutant.function.module, mutant.function.name


def functions_not_as_measured(modules: Iterable[str]) -> set[Function]:
    """Functions that have changed, whose lines may not be where tests were seen to reach them."""
    digests = measured.digests()
    every = (function for name in modules for function in Module(name).functions())
    return {each for each in every if digests.get((each.module, each.name)) != each.digest}


def near_tests(known: Known, mutant: Mutant, new: Collection[Function]) -> list[Reaching]:
    """Tests that reach a mutant's lines or, where lines are not known, its function or module."""
    reaching = known.reaching(mutant.function)
    bits = sum(1 << line for line in mutant.lines)
    near = [each for each in reaching if each[2] & bits]
    if near and mutant.function not in new:
        return near
    if any(test.name != IMPORTS for test, _, _ in reaching):
        return reaching
    return [*reaching, *known.reaching_module(mutant.function.module)]


def task_of(
    known: Known,
    files: dict[str, str],
    mutant: Mutant,
    patience: float,
    new: Collection[Function] = (),
) -> Task | None:
    """What is to be done about a mutant; nothing where that is known."""
    near = near_tests(known, mutant, new)
    tests = [test for test, _, _ in near if test.name != IMPORTS]
    used = sorted({f"{file} {files.get(file)}" for _, file, _ in near})
    digest = hashlib.blake2b("\n".join(used).encode(), digest_size=6).hexdigest()
    result = known.result(mutant)
    is_lost = result is not None and result.end == "lost"
    if result and not is_lost and (result.end in KNOWN or is_the_same(result, digest, patience)):
        return None
    cold = any(test.name == IMPORTS for test, _, _ in near)
    return Task(mutant, tests, digest, cold)


def is_the_same(result: Result, digest: str, patience: float) -> bool:
    enough = result.patience >= patience or result.end == "unreached"
    return result.tests == digest and enough


def try_cold(known: Known, tasks: Sequence[Task], patience: float) -> None:
    """Mutants of code that ran before they were put in its place, each in a new process."""
    for task in tasks:
        result = known.result(task.mutant)
        if task.cold and result and result.end == "survived":
            tests, spent = list[tuple[Test, str]](), 0.0
            for test in sorted(task.tests, key=lambda test: test.seconds):
                if spent + test.seconds < patience:
                    spent += test.seconds
                    tests.append((test, test.name.partition("::")[0]))
            if not survives(task.mutant, tests):
                known.learn(task.mutant, Result("killed", "", task.digest, spent, patience))


def show_survivors(known: Known, modules: Sequence[str]) -> None:
    for name in modules:
        counts: dict[str, int] = {}
        lines = []
        for mutant in Module(name).mutants():
            result = known.result(mutant)
            end = result.end if result else "untried"
            counts[end] = counts.get(end, 0) + 1
            if end in ALIVE:
                line = mutant.function.first + mutant.lines.start
                lines.append(f"    {line} {mutant.function.name}: `{mutant.name}` {end}")
        sys.stdout.write(f"{name} {counts}\n")
        sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
