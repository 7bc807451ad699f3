"""What a reviewer would have to remember about the shape of the code."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

APPS = sorted(Path("functions").glob("*/*/app.py"))
PACKAGES = ("layers/odometer/odometer", "cli", "clients/python/src", "local")
MODULES = sorted(path for package in PACKAGES for path in Path(package).rglob("*.py"))
SCRIPTS = sorted(
    path
    for folder in ("functions/edge/page/files", "clients/typescript")
    for path in Path(folder).rglob("*.js")
    if not {"vendor", "node_modules"} & set(path.parts)
)
LONGEST_LINE = 110
VAGUE = {"common", "data", "helper", "helpers", "info", "manager", "misc", "util", "utils"}


@pytest.mark.parametrize("app", APPS, ids=str)
def test_a_function_is_understood_in_ten_seconds(app: Path) -> None:
    assert len(app.read_text().splitlines()) <= 40
    beside = {path.name for path in app.parent.iterdir()} - {"__pycache__"}
    assert beside == ({"app.py", "files"} if app.parts[-2] == "page" else {"app.py"})


@pytest.mark.parametrize("app", APPS, ids=str)
def test_a_function_is_made_of_our_words_only(app: Path) -> None:
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(ast.parse(app.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported <= {"odometer", "datetime", "typing", "collections"}


def test_an_exception_from_a_rule_about_security_says_why() -> None:
    """Ruff's `S` rules are those of bandit, and all of them are on."""
    rules = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert rules["select"] == ["ALL"]
    assert [each for each in rules["ignore"] if re.match(r"S\d", each)] == []
    bare = re.compile(r"# noqa: (?:\w+, )*S\d+(?:, \w+)*$", re.MULTILINE)
    files = [path for path in Path().rglob("*.py") if not path.parts[0].startswith(".")]
    assert len(files) > 400
    assert [path for path in files if bare.search(path.read_text())] == []


def test_javascript_is_read_without_scrolling() -> None:
    lines = [
        f"{script}:{number}"
        for script in SCRIPTS
        for number, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert (bool(SCRIPTS), lines) == (True, [])


IMPORTS_ALL = """
import importlib.util, os, sys

def refuse(event, _):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"{event} while importing")

sys.addaudithook(refuse)
sys.path.insert(0, "layers/odometer")
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("app", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.handler), path
"""


def test_importing_any_function_needs_no_environment_and_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_ALL, *map(str, APPS)],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_imports_point_inwards() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_plain_python_is_kept_from_every_dependency() -> None:
    settings = tomllib.loads(Path("pyproject.toml").read_text())
    project, contracts = settings["project"], settings["tool"]["importlinter"]["contracts"]
    (plain,) = [each for each in contracts if each["name"] == "Rules about usage are plain Python"]
    named = [*project["dependencies"], *project["optional-dependencies"]["cli"]]
    packages = {re.split("[~=<>]", name)[0].replace("-", "_") for name in named}
    assert packages - {"tzdata"} <= set(plain["forbidden_modules"])


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_named_for_what_it_is_about(module: Path) -> None:
    assert module.stem not in VAGUE


def bodies() -> Iterator[tuple[str, int]]:
    """Every function with the lines of its body, its docstring left out."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                statements = node.body[1:] if ast.get_docstring(node) else node.body
                length = (node.end_lineno or 0) - statements[0].lineno + 1 if statements else 0
                yield f"{path}:{node.lineno} {node.name}", length


def test_functions_are_short() -> None:
    lengths = dict(bodies())
    p90 = statistics.quantiles(lengths.values(), n=10)[-1]
    assert statistics.median(lengths.values()) <= 5
    assert p90 <= 20
    assert {name: length for name, length in lengths.items() if length > 40} == {}
