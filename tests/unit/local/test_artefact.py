"""One build for all environments: the same files are one file, and nothing else is deployed."""

import os
import subprocess
from pathlib import Path

import pytest

from local import artefact

FILES = {
    ".aws-sam/build/template.yaml": "CodeUri: ../../functions/edge/page",
    ".aws-sam/build/Layer/python/odometer/__init__.py": "",
    ".aws-sam/build/Layer/python/odometer/__pycache__/__init__.cpython-313.pyc": "bytecode",
    "functions/edge/page/app.py": "handler",
    "infrastructure/monitoring.yaml": "Resources: {}",
}


def checkout(root: Path, **changed: str) -> Path:
    """A checkout in which the build has been made."""
    for name, text in (FILES | changed).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def unpacked(root: Path) -> dict[str, str]:
    folder = root / artefact.UNPACKED
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_the_same_files_have_one_digest_wherever_and_whenever_they_are_built(
    tmp_path: Path,
) -> None:
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    os.utime(other / "functions/edge/page/app.py", (1, 1))
    (other / "functions/edge/page/app.py").chmod(0o600)
    left = other / "functions/edge/page/__pycache__/app.cpython-313.pyc"
    left.parent.mkdir()
    left.write_text("of a test run")
    assert artefact.pack(one) == artefact.pack(other)


@pytest.mark.parametrize("changed", FILES)
def test_another_byte_is_another_digest(tmp_path: Path, changed: str) -> None:
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other", **{changed: "another"})
    assert artefact.pack(one) != artefact.pack(other)


def test_what_is_deployed_is_every_file_that_was_built(tmp_path: Path) -> None:
    digest = artefact.pack(checkout(tmp_path))
    checkout(tmp_path, **{"functions/edge/page/app.py": "edited since"})
    artefact.unpack(digest, tmp_path)
    assert unpacked(tmp_path) == FILES


def test_what_was_unpacked_before_is_gone(tmp_path: Path) -> None:
    digest = artefact.pack(checkout(tmp_path))
    checkout(tmp_path, **{f"{artefact.UNPACKED}/functions/old/app.py": "of the release before"})
    artefact.unpack(digest, tmp_path)
    assert unpacked(tmp_path) == FILES


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_any_other_file_is_refused(tmp_path: Path, digest: str) -> None:
    artefact.pack(checkout(tmp_path))
    with pytest.raises(SystemExit, match="Not deployed"):
        artefact.unpack(digest, tmp_path)
    assert unpacked(tmp_path) == {}


def test_without_a_build_nothing_is_packed_and_without_a_file_nothing_unpacked(
    tmp_path: Path,
) -> None:
    with pytest.raises(SystemExit, match="make build"):
        artefact.pack(tmp_path)
    with pytest.raises(SystemExit, match="make artefact"):
        artefact.unpack("0" * 64, tmp_path)


@pytest.mark.parametrize(("target", "builds"), [("deploy", True), ("promote", False)])
def test_only_a_deployment_of_the_checkout_builds(target: str, *, builds: bool) -> None:
    command = ["make", "--dry-run", "--no-print-directory", target, "ENV=staging", "DIGEST=0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    deploying = [line for line in done.stdout.splitlines() if "sam deploy" in line]
    assert len(deploying) == 1
    assert "--config-env staging" in done.stdout
    assert ("sam build" in done.stdout) is builds
    assert (".aws-sam/artefact/" in deploying[0]) is not builds
