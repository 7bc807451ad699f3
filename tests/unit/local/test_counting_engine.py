"""The engine that counts capacity units comes by npm; a test that cannot have it says why."""

from pathlib import Path

import pytest

from tests.support import counting_engine


def test_without_npm_the_tests_of_capacity_units_are_skipped_and_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_engine, "BINARY", tmp_path / "dynoxide")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="npm, which brings dynoxide, is not installed"):
        counting_engine.binary()


def test_where_npm_cannot_bring_it_its_words_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no such platform >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(counting_engine, "BINARY", tmp_path / "dynoxide")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(pytest.skip.Exception, match=r"npm could not bring .*: no such platform"):
        counting_engine.binary()


def test_the_readme_says_what_make_test_needs_beyond_python() -> None:
    readme = " ".join(Path("README.md").read_text().split())
    assert "which `npm` installs the first time; without npm they are skipped and say so" in readme
