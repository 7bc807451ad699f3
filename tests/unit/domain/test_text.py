"""Which characters a name may hold, held against what another library knows of Unicode."""

import sys
from unicodedata import category

import pytest
import regex  # type: ignore[import-untyped]

from odometer.domain.text import CONTROL, fault_of_name, has_control, has_invisible

REFUSED = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]")
ASSIGNED_SINCE = "Cn"
"""The category of a character that this Python does not know yet, and a newer library may."""


@pytest.mark.parametrize(
    "letter",
    [
        "\u200b",  # zero width space
        "\u202e",  # right-to-left override
        "\ufeff",  # byte order mark
        "\u00ad",  # soft hyphen
        "\u2066",  # left-to-right isolate
        "\u2028",
        "\x00",
        "\ud800",
        "\u3164",  # Hangul filler, a letter by its category
        "\ufe0f",  # variation selector, a mark by its category
        "\U000e0041",  # tag
    ],
    ids=ascii,
)
def test_a_name_with_a_character_that_nobody_sees_is_none(letter: str) -> None:
    for name in (letter, f"{letter}jo", f"j{letter}o", f"jo{letter}"):
        assert has_invisible(name)
        assert fault_of_name(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "jo",
        "née",
        "Łódź 1/2",
        "名前\u3000様",
        "محمد",
        "p\u0430ul",
        "PAUL",
        "p\u00a0q",
        "e\u0301",
        "🙂",
    ],
    ids=ascii,
)
def test_a_name_that_is_seen_is_one_whatever_it_looks_like(name: str) -> None:
    assert fault_of_name(name) is None


@pytest.mark.parametrize("name", [" ", " jo", "jo\u3000"], ids=ascii)
def test_a_name_has_no_blanks_around_it(name: str) -> None:
    assert fault_of_name(name) == "expected text without blanks around it"


def test_of_all_characters_those_are_refused_that_unicode_calls_so() -> None:
    different = [
        ascii(letter)
        for letter in map(chr, range(sys.maxunicode + 1))
        if bool(REFUSED.match(letter)) != has_invisible(letter)
        and category(letter) != ASSIGNED_SINCE
    ]
    assert different == []


def test_of_all_characters_only_those_that_control_do() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert list(filter(has_control, every)) == list(filter(CONTROL.match, every))
