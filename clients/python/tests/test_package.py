"""What the distribution promises: httpx and nothing else, the version that it says, types."""

import ast
import sys
from pathlib import Path

import tomllib

from odometer_client.version import VERSION

HOME = Path(__file__).parents[1]
PACKAGE = HOME / "src" / "odometer_client"
FOR_TYPES_ONLY = {"typing_extensions"}


def test_it_needs_httpx_and_nothing_else() -> None:
    imported = {
        name.split(".")[0]
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    foreign = imported - set(sys.stdlib_module_names) - {"odometer_client"}
    assert foreign - FOR_TYPES_ONLY == {"httpx"}


def test_its_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert [each.partition(">")[0] for each in project["dependencies"]] == ["httpx"]
    assert (PACKAGE / "py.typed").exists()
