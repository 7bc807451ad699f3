"""Which characters a name may hold, held against what another library knows of Unicode."""

import sys
from unicodedata import category

import pytest
import regex  # type: ignore[import-untyped]

from odometer.domain.text import (
    CONTROL,
    LONGEST_ORIGIN,
    as_kept,
    fault_of_name,
    has_control,
    has_invisible,
    is_origin,
)

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


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example.com",
        "https://a",
        "https://localhost:8443",
        "https://[::1]",
        "http://localhost",
        "http://127.0.0.1:3000",
        "https://a.example:65535",
        "https://a.example:80",
        "http://localhost:443",
        f"https://{'x' * 59}.{'.'.join(['x' * 63] * 3)}:65535",
    ],
)
def test_a_page_may_come_from_anywhere_by_https_and_from_this_machine(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "app.example.com",
        "http://app.example.com",
        "https://app.example.com/",
        "https://app.example.com:443",
        "http://localhost:80",
        "https://a.example:65536",
        "https://a.example:080",
        "https://A.example",
        "https://é.example",
        "https://a..example",
        "https://-a.example",
        " https://a.example",
        f"https://{'.'.join(['x' * 63] * 4)}:65535",
    ],
)
def test_what_no_browser_writes_is_no_origin(text: str) -> None:
    assert not is_origin(text)


def test_the_longest_origin_is_one_and_what_is_longer_is_none() -> None:
    name = f"{'.'.join(['x' * 63] * 3)}.{'x' * 61}"
    assert is_origin(f"https://{name}:65535")
    assert len(f"https://{name}:65535") == LONGEST_ORIGIN
    assert not is_origin(f"https://{name}x:65535")


def test_an_id_that_is_a_uuid_is_kept_in_lower_case_and_any_other_as_it_is() -> None:
    uuid = "AA7CF840-9CA9-46A3-9778-9015D6580D50"
    assert as_kept(uuid) == uuid.lower()
    assert [as_kept(each) for each in (f"{uuid}A", "Core", "X" * 36)] == [
        f"{uuid}A",
        "Core",
        "X" * 36,
    ]
