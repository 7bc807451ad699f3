"""Tries mutants, each in a fork of a process that has collected the tests: no import, no start."""

import gc
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from types import CodeType, FunctionType
from typing import Final

import pytest

from tools.mutants.defaults import changed_defaults
from tools.mutants.faults import PACKAGE, Module, Mutant
from tools.mutants.forks import limit_memory, silence, waited_for
from tools.mutants.known import EVERY_TEST, Known, Result, Test
from tools.mutants.quietly import forget_caches, settle_hypothesis

SLACK_SECONDS: Final = 2
"""A test may take three times as long as it did, and so much more."""
NOTICED, NO_CODE, CANNOT_SWAP, LOST = 1, 3, 4, 5
ENDS: Final = {
    0: "survived",
    NOTICED: "killed",
    NO_CODE: "invalid",
    CANNOT_SWAP: "survived",
    LOST: "lost",
}
USED_BY_TESTS: Final = ("bootstrap", "storage/aws.py")
PREFIX: Final = str(PACKAGE.resolve())


class CannotSwap(Exception):
    """A function that is alive cannot be given this code: it uses other names around it."""


class Lost(Exception):
    """A function that was not found among what was imported."""


@dataclass(frozen=True)
class Task:
    """A mutant with the tests that may notice it, in the order in which they are run."""

    mutant: Mutant
    tests: Sequence[Test]
    digest: str
    cold: bool
    """Whether its code runs when modules are imported, too."""


class Hunt:
    """A plugin that runs no test for itself: a fork for each mutant runs those that reach it."""

    def __init__(self, known: Known, tasks: Sequence[Task], patience: float) -> None:
        self._known = known
        self._tasks = tasks
        self._patience = patience
        self._failed = False
        self._sound: dict[str, bool] = {}
        self._items: Mapping[str, pytest.Item] = {}
        self._killers: defaultdict[tuple[str, str], int] = defaultdict(int)

    def pytest_configure(self) -> None:
        settle_hypothesis()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        settle_hypothesis(session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        self._items = {item.nodeid: item for item in session.items}
        by_module = groupby(self._tasks, key=lambda task: task.mutant.function.module)
        tasks = {name: list(some) for name, some in by_module}
        for name in (*tasks, *USED_BY_TESTS):
            import_module(f"odometer.{name}".removesuffix(".py").replace("/", "."))
        functions = live_functions()
        forget_caches()
        gc.collect()
        gc.freeze()
        for name, some in tasks.items():
            self._try_module(Code(Module(name), functions), some)
        return True

    def _try_module(self, code: "Code", tasks: Sequence[Task]) -> None:
        self._killers.clear()
        for function, test, count in self._known.killers(code.module.name):
            self._killers[function, test] += count
            self._killers["", test] += 1
        begin, ends = time.monotonic(), defaultdict[str, int](int)
        for task in tasks:
            result = self._try(code, task)
            self._known.learn(task.mutant, result)
            ends[result.end] += 1
            if result.test:
                self._killers[task.mutant.function.name, result.test] += 1
                self._killers["", result.test] += 1
        counts = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
        print(f"{code.module.name}: {counts}, {time.monotonic() - begin:.0f} s", flush=True)

    def _try(self, code: "Code", task: Task) -> Result:
        chosen = [test for test in self._in_order(task) if test.name in self._items]
        items = [self._items[test.name] for test in chosen]
        patience = self._patience if len(chosen) < len(task.tests) else EVERY_TEST
        seconds = {test.name: test.seconds for test in task.tests}
        while True:
            end, test, spent = self._fork(items, seconds, code, task.mutant)
            if end == "killed" and not self._is_sound(test, seconds):
                items = [item for item in items if item.nodeid != test]
                continue
            return Result(end, test, task.digest, spent, patience)

    def _in_order(self, task: Task) -> Iterator[Test]:
        """Those that noticed most in the function, then in the module, then the quickest."""
        function, spent = task.mutant.function.name, 0.0

        def rank(test: Test) -> tuple[float, float, float]:
            near = self._killers[function, test.name] / (test.seconds + 0.01)
            far = self._killers["", test.name] / (test.seconds + 0.01)
            return -near, -far if test.seconds < 1 else 0, test.seconds

        for test in sorted(task.tests, key=rank):
            if not spent or spent + test.seconds <= self._patience:
                spent += test.seconds
                yield test

    def _is_sound(self, test: str, seconds: Mapping[str, float]) -> bool:
        """Whether a test passes without any mutant, asked once."""
        if test not in self._sound:
            end, _, _ = self._fork([self._items[test]], seconds, None, None)
            self._sound[test] = end == "survived"
            if not self._sound[test]:
                print(f"fails by itself: {test}", flush=True)
        return self._sound[test]

    def _fork(
        self,
        items: Sequence[pytest.Item],
        seconds: Mapping[str, float],
        code: "Code | None",
        mutant: Mutant | None,
    ) -> tuple[str, str, float]:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            self._in_fork(items, seconds, code, mutant, writing)
        os.close(writing)
        status, usage = waited_for(child)
        told = os.read(reading, 100).decode()
        os.close(reading)
        spent = usage.ru_utime + usage.ru_stime
        at = items[int(told)].nodeid if told else ""
        if os.WIFSIGNALED(status):
            return "slow", at, spent
        return ENDS[os.WEXITSTATUS(status)], at, spent

    def _in_fork(
        self,
        items: Sequence[pytest.Item],
        seconds: Mapping[str, float],
        code: "Code | None",
        mutant: Mutant | None,
        writing: int,
    ) -> None:
        place = 0
        try:
            limit_memory()
            silence()
            if code and mutant:
                swap(code, mutant)
            for place, item in enumerate(items):
                limit = 3 * seconds[item.nodeid] + SLACK_SECONDS
                signal.setitimer(signal.ITIMER_PROF, limit)
                following = items[place + 1] if place + 1 < len(items) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._failed:
                    os.write(writing, str(place).encode())
                    os._exit(NOTICED)
            os._exit(0)
        except BaseException:  # noqa: BLE001  whatever gets out was noticed by the last test
            os.write(writing, str(place).encode())
            os._exit(NOTICED)


def live_functions() -> list[FunctionType]:
    every = (each for each in gc.get_objects() if isinstance(each, FunctionType))
    return [each for each in every if each.__code__.co_filename.startswith(PREFIX)]


class Code:
    """The live functions of a module, whose code a fork replaces."""

    def __init__(self, module: Module, functions: Sequence[FunctionType]) -> None:
        self.module = module
        self._name = str(module.path)
        self._live: defaultdict[CodeType, list[FunctionType]] = defaultdict(list)
        for each in functions:
            if each.__code__.co_filename == self._name:
                self._live[each.__code__].append(each)
        self._written = codes_in(compile(module.source, self._name, "exec"))

    def swap(self, mutant: Mutant) -> None:
        changed = mutant.applied(self.module.source)
        name = mutant.function.name
        if not self._functions(name):
            raise Lost(name)
        for path, codes in codes_in(compile(changed, self._name, "exec")).items():
            if path == name or path.startswith(f"{name}."):
                for old, new in zip(self._written.get(path, ()), codes, strict=False):
                    for function in self._live[old]:
                        put(function, new)
        for function, defaults in changed_defaults(changed, name, self._functions(name)):
            function.__defaults__, function.__kwdefaults__ = defaults

    def _functions(self, name: str) -> list[FunctionType]:
        return [each for code in self._written.get(name, ()) for each in self._live[code]]


def swap(code: Code, mutant: Mutant) -> None:
    """Put a mutant in its place, or end the fork where that cannot be done."""
    try:
        code.swap(mutant)
    except SyntaxError:
        os._exit(NO_CODE)
    except CannotSwap:
        os._exit(CANNOT_SWAP)
    except Lost:
        os._exit(LOST)


def put(function: FunctionType, code: CodeType) -> None:
    try:
        function.__code__ = code
    except ValueError as error:
        raise CannotSwap from error


def codes_in(code: CodeType) -> dict[str, list[CodeType]]:
    """All code within a code, by qualified names."""
    found: defaultdict[str, list[CodeType]] = defaultdict(list)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found[each.co_qualname].append(each)
            for name, codes in codes_in(each).items():
                found[name] += codes
    return found
