"""Tests notice nine of ten small faults, and each one that lives has an argument."""

import pytest

from tools.mutants import measured

MEASURED, ARGUED = measured.read(), measured.argued()
PACKAGES = sorted({measured.package_of(each.module) for each in MEASURED})


@pytest.mark.parametrize("package", PACKAGES)
def test_nine_of_ten_mutants_are_noticed(package: str) -> None:
    mine = [each for each in MEASURED if measured.package_of(each.module) == package]
    assert any(each.tried for each in measured.by_module(mine))
    score, _ = measured.score_of(mine)
    assert score >= 0.9


def test_every_survivor_is_argued_in_a_sentence_and_nothing_else_is() -> None:
    alive = {survivor for each in MEASURED for survivor in each.survivors}
    assert sorted(alive - ARGUED.keys()) == []
    assert sorted(ARGUED.keys() - alive) == []
    assert [each for each, why in ARGUED.items() if len(why.split()) < 4] == []


def test_the_page_shows_what_was_measured() -> None:
    assert measured.PAGE.read_text(encoding="utf-8") == measured.page(MEASURED, ARGUED)
