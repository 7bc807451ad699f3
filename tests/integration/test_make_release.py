"""`make release`, rehearsed on a clone: what it refuses, writes, packs and tags."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.template import read
from odometer import __version__
from tests.support.releases import running
from tests.support.stack import ROOT, proxy_event
from tools.release import CHANGELOG, PACKAGE, PACKED, TEMPLATE, by_number

MAJOR, MINOR, _ = by_number(__version__)
NEXT = f"{MAJOR}.{MINOR + 1}.0"
NEWS = "- Reports say what nobody used.\n  They are short.\n"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
MADE_OF = (
    "layers/odometer/odometer",
    "functions",
    "tests/support",
    "tools",
    "template.yaml",
    "Makefile",
)


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=home, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def git(home: Path, *words: str) -> str:
    done = run(home, "git", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(home: Path, path: Path | str, text: str) -> None:
    (home / path).write_text(text)
    git(home, "add", str(path))
    git(home, "commit", "--message", "Change a file")


def make_release(home: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Run the command without the checks and tests of all that is cloned."""
    done_before = [word for each in (".venv/.ready", "check", "test") for word in ("-o", each)]
    variables = (f"VERSION={version}", f"BIN={Path(sys.executable).parent}")
    return run(home, "make", "release", *done_before, *variables)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of which a release was made."""
    home = clone_in(tmp_path_factory.mktemp("released"))
    done = make_release(home, NEXT)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"git push origin main v{NEXT}" in done.stdout
    return home


def clone_in(folder: Path) -> Path:
    """Clone the files of this tree, committed or not, with news on main."""
    home = folder / "clone"
    git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(home))
    git(home, "switch", "--quiet", "--force-create", "main")
    for each in MADE_OF:
        copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
        shutil.rmtree(home / each, ignore_errors=True)
        copy(ROOT / each, home / each)
    git(home, "add", "--all")
    commit(
        home, CHANGELOG, f"# Changelog\n\n## Unreleased\n\n{NEWS}\n## {__version__} – 2026-01-01\n"
    )
    return home


def test_a_release_has_its_version_everywhere_its_notes_and_a_tag(released: Path) -> None:
    assert git(released, "status", "--porcelain") == ""
    assert git(released, "log", "-1", "--format=%s") == f"Release {NEXT}"
    changed = git(released, "diff", "--name-only", "HEAD^").splitlines()
    assert changed == sorted(map(str, [CHANGELOG, PACKAGE, PACKED, TEMPLATE]))
    assert f'__version__ = "{NEXT}"' in (released / PACKAGE).read_text()
    assert read(str(released / TEMPLATE))["Mappings"]["Release"]["This"]["Version"] == NEXT
    assert git(released, "rev-parse", f"v{NEXT}^{{commit}}") == git(released, "rev-parse", "HEAD")
    message = git(released, "tag", "--list", "--format=%(contents)", f"v{NEXT}")
    assert message == f"Odometer {NEXT}\n\n{NEWS}".strip()
    assert (released / CHANGELOG).read_text() == (
        f"# Changelog\n\n## Unreleased\n\n## {NEXT} – {datetime.now(UTC).date()}\n\n{NEWS}\n"
        f"## {__version__} – 2026-01-01\n"
    )


@pytest.mark.engine
def test_what_a_release_has_packed_runs(released: Path, tmp_path: Path) -> None:
    assert (released / PACKED).stat().st_size < 400_000
    with tarfile.open(released / PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    assert NEXT in (tmp_path / PACKAGE).read_text()
    with running(tmp_path.resolve(), "http://127.0.0.1:9") as release:
        event = {**proxy_event("GET", "/nowhere", {}), "pathParameters": {"proxy": "nowhere"}}
        assert release.call("edge/not_found", event, datetime.now(UTC))["statusCode"] == 404


def test_it_is_refused_with_every_reason_and_nothing_is_changed(tmp_path: Path) -> None:
    clone = clone_in(tmp_path)
    which = f"Say which version: make release VERSION=… (this is {__version__})."
    assert refused(clone, "") == refused(clone, "v1") == [which]
    earlier = f"0.0.9 comes before {__version__}, the version of this."
    assert refused(clone, "0.0.9") == [earlier]
    commit(clone, CHANGELOG, "# Changelog\n\n## Unreleased\n")
    git(clone, "tag", f"v{NEXT}")
    git(clone, "switch", "--quiet", "--create", "other")
    (clone / "left.txt").write_text("")
    before = git(clone, "rev-parse", "HEAD")
    assert refused(clone, NEXT) == [
        f"The tag v{NEXT} exists: take the next version.",
        "Releases are made on main, and this is other.",
        "Commit first, or remove: left.txt.",
        "CHANGELOG.md says nothing under Unreleased: say there what changes for users.",
    ]
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "status", "--porcelain") == "?? left.txt"


def refused(clone: Path, version: str) -> list[str]:
    """Why a release is not made."""
    done = make_release(clone, version)
    first, *reasons, _ = done.stderr.splitlines()
    assert (done.returncode, first) == (2, "Not released.")
    return reasons


def test_the_version_of_the_package_is_that_of_the_stack() -> None:
    template = read("template.yaml")
    assert template["Mappings"]["Release"]["This"]["Version"] == __version__
    shown = {"Fn::FindInMap": ["Release", "This", "Version"]}
    assert template["Outputs"]["Release"]["Value"] == shown
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
