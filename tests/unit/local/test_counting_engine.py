"""The engine that counts capacity units comes by npm; a test that cannot have it says why."""

from pathlib import Path

import pytest

from tests.support import counting_engine


def test_where_it_is_missing_a_test_is_skipped_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_engine, "BINARY", tmp_path / "dynoxide")
    with pytest.raises(pytest.skip.Exception, match=r"make \.local/tools/counting/\.ready"):
        counting_engine.binary()


def test_make_test_brings_it() -> None:
    (needs,) = [
        line for line in Path("Makefile").read_text().splitlines() if line.startswith("test: ")
    ]
    assert ".local/tools/counting/.ready" in needs.split()


def test_the_readme_says_where_it_does_not_run() -> None:
    readme = " ".join(Path("README.md").read_text().split())
    assert "elsewhere than on Linux and x64 they are skipped and say so" in readme
