"""The bill of materials holds what is locked and shipped, and no licence that nobody allowed."""

import json
import re
from importlib import metadata
from pathlib import Path
from unittest.mock import patch

import pytest
from jsonschema_rs import Registry, validator_for

from tools import sbom

LOCK = sbom.LAYER.read_text()


def shipped(part: str) -> set[tuple[str, str]]:
    return {(it.name, it.version) for it in sbom.shipped() if it.part == part}


def test_every_package_of_the_layer_is_in_the_bill_with_its_locked_version() -> None:
    locked = set(re.findall(r"^(\S+?)==(\S+)", LOCK, re.MULTILINE))
    assert shipped("layer") == locked
    assert ("boto3", metadata.version("boto3")) in locked


def test_every_library_of_the_page_is_in_the_bill_with_its_locked_version() -> None:
    pinned = json.loads(Path("requirements/js/package.json").read_text())["devDependencies"]
    names = {name for name, _ in shipped("page")}
    assert names == {"htm", "preact", "uplot"}
    assert shipped("page") == {(name, pinned[name]) for name in names}


def test_both_clients_are_in_the_bill_with_what_comes_with_them() -> None:
    assert {name for name, _ in shipped("clients")} == {
        "@odometer/client",
        "httpx",
        "odometer-client",
    }


def test_the_bill_is_of_the_published_form() -> None:
    """Checkov, a tool of `make check`, carries the schemas."""
    (folder,) = Path(".local/tools/policy/lib").glob("python3*/site-packages/cyclonedx/schema/_res")
    schemas = {
        name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    named = "http://cyclonedx.org/schema/{}.SNAPSHOT.schema.json"
    registry = Registry([(named.format(name), each) for name, each in schemas.items()])
    validator = validator_for(schemas["bom-1.6"], registry=registry)
    bill = sbom.bill_of(sorted(sbom.shipped()))
    assert [str(error) for error in validator.iter_errors(bill)] == []
    assert not validator.is_valid(bill | {"components": [{"name": "without a type"}]})


def test_the_same_locks_make_the_same_files(tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        with patch("tools.sbom.HOME", folder):
            sbom.main()
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"licences.md", "odometer.cdx.json"}


def test_every_licence_is_allowed() -> None:
    assert [it for it in sbom.shipped() if not it.is_allowed] == []


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "unknown", ""])
def test_another_licence_ends_it(licence: str, tmp_path: Path) -> None:
    with (
        patch("tools.sbom.HOME", tmp_path),
        patch("tools.sbom.licence_of", return_value=licence),
        pytest.raises(SystemExit, match="does not allow") as refused,
    ):
        sbom.main()
    assert f"boto3: {licence}" in str(refused.value)


def test_a_version_that_is_not_installed_tells_no_licence(tmp_path: Path) -> None:
    other = LOCK.replace(f"boto3=={metadata.version('boto3')}", "boto3==0.0.1")
    (tmp_path / "lock.txt").write_text(other)
    with (
        patch("tools.sbom.LAYER", tmp_path / "lock.txt"),
        pytest.raises(SystemExit, match=r"boto3 0\.0\.1 is locked"),
    ):
        list(sbom.packages_of_the_layer())
