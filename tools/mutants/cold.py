"""Tries a mutant in a new process: one whose code runs while modules are imported."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib import machinery
from pathlib import Path
from types import CodeType
from typing import Any, Final

import pytest

from tools.mutants.faults import Module, Mutant
from tools.mutants.known import Test
from tools.mutants.quietly import QUIETLY, settle_hypothesis

SLACK_SECONDS: Final = 60


def survives(mutant: Mutant, tests: Sequence[tuple[Test, str]]) -> bool:
    """Whether tests pass in a process that has imported a mutant."""
    module = Module(mutant.function.module)
    task = {
        "path": str(module.path),
        "text": mutant.applied(module.source),
        "tests": [test.name for test, _ in tests],
        "files": sorted({file for _, file in tests}),
        "seconds": int(3 * sum(test.seconds for test, _ in tests)) + SLACK_SECONDS,
    }
    command = [sys.executable, "-m", "tools.mutants.cold"]
    done = subprocess.run(
        command, input=json.dumps(task), text=True, capture_output=True, check=False
    )
    return done.returncode == 0


def main() -> None:
    task = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    import_instead(task["path"], task["text"])
    sys.exit(pytest.main([*QUIETLY, "-x", *task["files"]], plugins=[Some(task["tests"])]))


def import_instead(path: str, text: str) -> None:
    as_written = machinery.SourceFileLoader.get_code

    def get_code(self: Any, name: str) -> CodeType | None:
        if Path(self.get_filename(name)).resolve() == Path(path):
            return compile(text, path, "exec")
        return as_written(self, name)

    machinery.SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]


class Some:
    """A plugin that leaves some tests of files."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def pytest_configure(self) -> None:
        settle_hypothesis()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._names]
        settle_hypothesis(items)


if __name__ == "__main__":
    main()
