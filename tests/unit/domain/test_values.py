"""Values of breakdowns have numbers for good, and there are not too many."""

from odometer.domain.values import FIRST, MOST_VALUES, NONE, OTHER, Values


def test_nothing_and_other_have_numbers_before_any_value_is_registered() -> None:
    values = Values(["pdf", "svg"])
    numbers = [values.number(text) for text in ("", "other", "pdf", "svg", "png")]
    assert numbers == [NONE, OTHER, FIRST, FIRST + 1, None]


def test_what_comes_after_the_last_value_is_other() -> None:
    full = Values([f"v{number}" for number in range(MOST_VALUES)])
    assert (full.number("new"), full.number(""), full.number("v7")) == (OTHER, NONE, FIRST + 7)
    assert Values(full.texts[:-1]).number("new") is None
    assert full.with_new(["new"]).texts == full.texts
    more = Values(full.texts[:-1]).with_new(["v7", "new", "newer"])
    assert more.texts == [*full.texts[:-1], "new"]
    assert more.end == FIRST + MOST_VALUES


def test_values_are_chosen_by_their_texts_or_all_of_them() -> None:
    values = Values(["pdf", "svg"])
    assert values.chosen() == [(OTHER, "other"), (FIRST, "pdf"), (FIRST + 1, "svg")]
    assert values.chosen(["svg", "other", "none"]) == [(OTHER, "other"), (FIRST + 1, "svg")]
