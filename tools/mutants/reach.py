"""Which lines of which functions each test reaches, and how long the test takes."""

import ast
import gc
import hashlib
import os
import pickle
import signal
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest
from coverage import Coverage

from tools.mutants.faults import PACKAGE
from tools.mutants.forks import silence, waited_for
from tools.mutants.known import IMPORTS, Known, Test
from tools.mutants.quietly import QUIETLY, forget_caches, settle_hypothesis

LONGEST_SECONDS: Final = 15
"""A test that takes more, while its lines are noted, is not asked about mutants."""
Reached = dict[tuple[str, str], int]


def digest_of(file: str) -> str:
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=6).hexdigest()


def measure_reach(known: Known, files: Sequence[str]) -> None:
    """Run the tests of files whose reach is not known, or was that of another text."""
    seen = known.digests()
    fresh = [file for file in files if seen.get(file) != digest_of(file)]
    if fresh:
        print(f"{len(fresh)} files of tests are run once, to learn what they reach", flush=True)
        pytest.main([*QUIETLY, *fresh], plugins=[Reach(known)])


def new_coverage() -> Coverage:
    made = Coverage(data_file=None, config_file=False, include=[f"{PACKAGE.resolve()}/*"])
    unheard = ["no-data-collected", "module-not-measured", "already-imported"]
    made.set_option("run:disable_warnings", unheard)
    return made


class Reach:
    """A plugin that runs every test in a fork of its own, in which nothing has been cached yet."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._functions: dict[str, Extents] = {}
        self._passed = True
        self._coverage = new_coverage()
        self._coverage.start()

    def pytest_configure(self) -> None:
        settle_hypothesis()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        session.config.pluginmanager.unregister(name="terminalreporter")
        settle_hypothesis(session.items)
        self._coverage.stop()
        reached = self._known.reached_by(IMPORTS)
        for place, lines in self._reached().items():
            reached[place] = reached.get(place, 0) | lines
        self._known.learn_reach(IMPORTS, "", [(Test(IMPORTS, 0), reached)])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._passed &= report.outcome == "passed"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        forget_caches()
        gc.collect()
        gc.freeze()
        for file, items in groupby(session.items, key=lambda item: item.location[0]):
            tests = [found for item in items if (found := self._forked(item))]
            self._known.learn_reach(file, digest_of(file), tests)
            seconds = sum(test.seconds for test, _ in tests)
            print(f"{file}: {len(tests)} tests, {seconds:.1f} s", flush=True)
        gc.unfreeze()
        return True

    def _forked(self, item: pytest.Item) -> tuple[Test, Reached] | None:
        """What a test reaches; None of one that fails, or takes too long."""
        with tempfile.TemporaryFile() as told:
            child = os.fork()
            if not child:
                self._in_fork(item, told.fileno())
            waited_for(child)
            told.seek(0)
            content = told.read()
        if not content:
            print(f"does not pass: {item.nodeid}", flush=True)
            return None
        seconds, reached = pickle.loads(content)  # noqa: S301  our own fork has written it
        return Test(item.nodeid, seconds), reached

    def _in_fork(self, item: pytest.Item, told: int) -> None:
        silence()
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        self._coverage = new_coverage()
        self._coverage.start()
        begin = time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        seconds = time.process_time() - begin
        self._coverage.stop()
        if self._passed:
            with os.fdopen(told, "wb", closefd=False) as file:
                pickle.dump((seconds, self._reached()), file)
        os._exit(0)

    def _reached(self) -> Reached:
        """By module and function, the lines as bits, counted from the function's first."""
        found: Reached = {}
        data = self._coverage.get_data()
        for file in data.measured_files():
            module = Path(file).relative_to(PACKAGE.resolve()).as_posix()
            for line in data.lines(file) or ():
                if place := self._extents(module).find(line):
                    function, bit = place
                    found[module, function] = found.get((module, function), 0) | 1 << bit
        return found

    def _extents(self, module: str) -> "Extents":
        if module not in self._functions:
            self._functions[module] = Extents((PACKAGE / module).read_text(encoding="utf-8"))
        return self._functions[module]


class Extents:
    """Where the functions of a module begin and end."""

    def __init__(self, source: str) -> None:
        self._found = sorted(extents_in(ast.parse(source).body))

    def find(self, line: int) -> tuple[str, int] | None:
        """The function of a line, and how far the line is from its first."""
        at = bisect_right(self._found, line, key=lambda found: found[0]) - 1
        first, last, name = self._found[at] if at >= 0 else (0, -1, "")
        return (name, line - first) if line <= last else None


def extents_in(body: Sequence[Any], within: str = "") -> Iterator[tuple[int, int, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield first, node.end_lineno or first, within + node.name
        elif isinstance(node, ast.ClassDef):
            yield from extents_in(node.body, f"{within}{node.name}.")
