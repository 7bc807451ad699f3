"""Node and its tools, as `make test` installs them."""

import os
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from tests.support.stack import ROOT

TOOLS = ROOT / ".local" / "tools"


def node(*words: object, env: Mapping[str, str] | None = None) -> str:
    """What Node prints, which must succeed; without Node the test is skipped, but not in CI."""
    own = TOOLS / "node" / "bin" / "node"
    program = str(own) if own.exists() else shutil.which("node")
    if program is None:
        missing("no Node: `make test` installs it")
    command = [str(program), *map(str, words)]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def generator(script: str) -> str:
    """The path of a tool that makes types."""
    path = TOOLS / "generators" / "node_modules" / script
    if not path.exists():
        missing("no openapi-typescript: `make test` installs it")
    return str(path)


def missing(what: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
