"""Whatever is stored or sent, readers refuse by an error of the domain: some cases of each target.

`make fuzz` runs a million. What it has found stands beside the tests of what was mended.
"""

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from tests.fuzz import requests, stored_directory, stored_items, texts
from tests.fuzz.choices import CASE_BYTES
from tests.fuzz.driver import run
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
PACKAGES = ("layers/odometer/odometer", "cli", "clients/python/src", "functions")
PARSERS = {
    *("loads", "decompress", "decompressobj", "b64decode", "urlsafe_b64decode", "a2b_base64"),
    *("fromisoformat", "fromtimestamp", "parsedate_to_datetime", "reader", "unpack", "urlsplit"),
    *("iter_unpack", "unpack_names", "unpack_measures", "planes_in", "model_validate_json"),
}
"""What reads text or bytes that may be something else."""
ARGUED = {
    "access/limits.py::from_json": "a parameter of the template",
    "api/routes.py::routes": "a file of the package",
    "engine/format/inside.py::key_range": "the day of `Running`, which is checked where it is read",
    "engine/format/inside.py::newest_running": "the same",
    "engine/read/inside.py::_running": "the same",
    "engine/read/verify_inside.py::compare": "the same",
    "engine/write/inside.py::advance": "the same",
    "engine/write/groups.py::_steps": "the step of `State`, which its own writer has named",
    "storage/aws.py::host": "the address of AWS, which the environment says",
    "storage/connections.py::connected": "the same",
    "storage/directory.py::ordinals": "the clock of this process",
    "storage/directory.py::values": "the same",
}
"""Functions that call one of those and need no target, and why."""
FROM_STORED = {"from_item", "from_attributes", "from_attribute"}
"""What readers of what is stored are called, whether they are marked or not."""
CODE = tuple[str, str]
"""The file of a function, and its name."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_reader_refuses_by_errors_of_the_domain(target: Target) -> None:
    result = run(target, target.quick, seed=1)
    assert (result.cases, result.findings) == (target.quick, {})


def functions(of: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function below a folder, with its file."""
    for path in sorted((ROOT / of).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield str(path), node


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def decoders() -> set[CODE]:
    """Every reader of what is stored."""
    return {
        (path, node.name)
        for path, node in functions("layers/odometer/odometer")
        if "stored" in map(name_of, node.decorator_list) or node.name in FROM_STORED
    }


def parsers() -> set[CODE]:
    return {
        (path, node.name)
        for package in PACKAGES
        for path, node in functions(package)
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and name_of(each.func) in PARSERS
    }


def called_by(targets: list[Target], cases: int) -> set[CODE]:
    """Every function of ours that some cases have called, in whatever thread."""
    seen: set[CODE] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        seen.add((frame.f_code.co_filename, frame.f_code.co_name))

    luck = Random(1)
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        for target in targets:
            for case in (b"", *(luck.randbytes(CASE_BYTES) for _ in range(cases))):
                with suppress(Exception):
                    target.outcome(case)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


def names(several: set[CODE]) -> list[str]:
    return sorted(f"{Path(path).relative_to(ROOT)}::{name}" for path, name in several)


def test_every_decoder_and_every_parser_has_a_target() -> None:
    damaging = [*stored_items.TARGETS, *stored_directory.TARGETS, *texts.TARGETS]
    stored = called_by(damaging, 10)
    others = [target for target in TARGETS if target not in requests.TARGETS]
    every = stored | called_by(others, 5) | called_by(requests.TARGETS, 1)
    assert names(decoders() - stored) == []
    assert [each for each in names(parsers() - every) if not each.endswith(tuple(ARGUED))] == []
