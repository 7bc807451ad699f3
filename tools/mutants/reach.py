"""Which lines of which functions each test reaches, and how long the test takes."""

import ast
import hashlib
import signal
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from coverage import Coverage

from tools.mutants.faults import PACKAGE
from tools.mutants.known import IMPORTS, Known, Test
from tools.mutants.quietly import QUIETLY, settle_hypothesis

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


class TooLong(Exception):
    """A test takes longer than it may here."""


def end_test(*_: object) -> None:
    raise TooLong


class Reach:
    """A plugin that runs every test in a context of its own."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._functions: dict[str, Extents] = {}
        self._file = ""
        self._seconds: dict[str, float] = {}
        self._useless: set[str] = set()
        self._coverage = Coverage(
            data_file=None, config_file=False, include=[f"{PACKAGE.resolve()}/*"]
        )
        unheard = ["no-data-collected", "module-not-measured", "already-imported"]
        self._coverage.set_option("run:disable_warnings", unheard)
        self._coverage.start()

    def pytest_configure(self) -> None:
        settle_hypothesis()
        signal.signal(signal.SIGPROF, end_test)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        session.config.pluginmanager.unregister(name="terminalreporter")
        settle_hypothesis(session.items)
        self._seconds = {IMPORTS: 0}
        self._learn(IMPORTS, "")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        file = item.location[0]
        if file != self._file:
            self._end_of_file()
            self._file = file
        self._coverage.switch_context(item.nodeid)
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        done = yield
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._seconds[item.nodeid] = time.process_time() - begin
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self._useless.add(report.nodeid)
            print(f"{report.outcome}: {report.nodeid}", flush=True)

    def pytest_sessionfinish(self) -> None:
        self._end_of_file()
        self._coverage.stop()

    def _end_of_file(self) -> None:
        if self._file:
            self._learn(self._file, digest_of(self._file))

    def _learn(self, file: str, digest: str) -> None:
        self._coverage.stop()
        reached = self._reached()
        tests = [
            (Test(name, seconds), reached.get("" if name == IMPORTS else name, {}))
            for name, seconds in self._seconds.items()
            if name not in self._useless
        ]
        if file != IMPORTS or any(each for _, each in tests):
            self._known.learn_reach(file, digest, tests)
        print(f"{file}: {len(tests)} tests, {sum(self._seconds.values()):.1f} s", flush=True)
        self._seconds, self._useless = {}, set()
        self._coverage.erase()
        self._coverage.start()

    def _reached(self) -> dict[str, Reached]:
        """By test, by module and function, the lines as bits, counted from the function's first."""
        found: defaultdict[str, Reached] = defaultdict(dict)
        data = self._coverage.get_data()
        for file in data.measured_files():
            module = Path(file).relative_to(PACKAGE.resolve()).as_posix()
            for line, contexts in data.contexts_by_lineno(file).items():
                place = self._extents(module).find(line)
                for context in contexts if place else ():
                    function, bit = place or ("", 0)
                    reached = found[context]
                    reached[module, function] = reached.get((module, function), 0) | 1 << bit
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
