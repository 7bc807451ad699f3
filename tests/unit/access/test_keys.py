"""Access keys: made, written down, read back, proved."""

import string
from collections.abc import Callable
from uuid import UUID

import pytest

from odometer.access.keys import CHECKSUM, DIGITS, AccessKey, base62, checksum_of
from odometer.access.secret import Secret
from tests.support.memory_directory import ACME

SECRET = Secret(("a secret",))
OTHER = "bb7cf840-9ca9-46a3-9778-9015d6580d51"


def forged(text: str) -> str:
    """A key text whose checksum is right whatever its body says."""
    body = text[:-CHECKSUM]
    return body + checksum_of(body)


@pytest.mark.parametrize(
    "organization",
    [ACME, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
)
def test_a_key_reads_back_as_it_was_made(organization: str) -> None:
    for _ in range(100):
        key = AccessKey.make(organization)
        assert AccessKey.parse(str(key)) == key


def test_a_key_is_one_word_that_names_itself_without_its_secret() -> None:
    key = AccessKey.make(ACME)
    assert str(key).isascii()
    assert set(str(key)) <= {*string.ascii_letters, *string.digits, "_"}
    assert str(key).startswith(AccessKey.prefix(ACME, key.key_id))
    assert key.secret not in AccessKey.prefix(ACME, key.key_id)


def test_small_numbers_fill_up_with_zeros_in_front() -> None:
    assert [base62(number, 3) for number in (0, 1, 61, 62, 62**3 - 1)] == [
        "000",
        "001",
        "00z",
        "010",
        "zzz",
    ]
    assert AccessKey.prefix(str(UUID(int=62)), "k" * 12) == "odo_" + "10".rjust(22, "0") + "k" * 12


def test_no_two_keys_are_alike() -> None:
    keys = [AccessKey.make(ACME) for _ in range(1000)]
    assert len({key.key_id for key in keys}) == len({key.secret for key in keys}) == 1000


def test_a_slip_of_the_hand_in_any_place_is_seen() -> None:
    text = str(AccessKey.make(ACME))
    for place, letter in enumerate(text):
        for other in DIGITS:
            if other != letter:
                assert AccessKey.parse(text[:place] + other + text[place + 1 :]) is None


def test_two_letters_in_the_wrong_order_are_seen() -> None:
    text = str(AccessKey.make(ACME))
    for place in range(len(text) - 1):
        first, second = text[place], text[place + 1]
        if first != second:
            assert AccessKey.parse(text[:place] + second + first + text[place + 2 :]) is None


SPOILED: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:-1],
    "longer": lambda text: text + "0",
    "indented": lambda text: " " + text,
    "shouted": lambda text: text.upper(),
    "of another mark": lambda text: forged("odp_" + text[4:]),
    "of an organization that is too large": lambda text: forged("odo_" + "z" * 22 + text[26:]),
    "of an organization in other letters": lambda text: forged("odo_" + "-" + text[5:]),
    "with another separator": lambda text: forged(text[:38] + "-" + text[39:]),
    "with a letter for a separator": lambda text: forged(text[:38] + "a" + text[39:]),
    "of a key id in other letters": lambda text: forged(text[:26] + "-" + text[27:]),
    "of a secret in other letters": lambda text: forged(text[:39] + "~" + text[40:]),
    "with a line end": lambda text: text + "\n",
    "accented": lambda text: text[:-1] + "é",
    "half a character": lambda text: text[:-1] + "\ud800",
    "with a NUL": lambda text: text[:-1] + "\x00",
    "endless": lambda text: text * 100,
    "nothing": lambda text: text[:0],
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_not_a_key_reads_as_none(how: str) -> None:
    assert AccessKey.parse(SPOILED[how](str(AccessKey.make(ACME)))) is None


def test_a_forged_organization_changes_what_the_key_proves() -> None:
    key = AccessKey.make(ACME)
    forgery = AccessKey.parse(forged(str(AccessKey(OTHER, key.key_id, key.secret))))
    assert forgery is not None
    assert forgery.organization == OTHER
    assert forgery.digest(SECRET) != key.digest(SECRET)


def test_what_is_stored_depends_on_the_pepper_and_tells_no_secret() -> None:
    key = AccessKey.make(ACME)
    assert key.digest(SECRET) != key.digest(Secret(("another",)))
    assert key.secret not in key.digest(SECRET)


def test_a_key_shows_no_secret_in_a_log() -> None:
    key = AccessKey.make(ACME)
    shown = f"{key!r} {[key]}"
    assert key.secret not in shown
    assert key.key_id in shown


@pytest.mark.parametrize(
    "text",
    ["", "x", "a" * 11, "a" * 13, "a" * 11 + "-", "a" * 11 + "\ud800", "\u0661" * 12, "a" * 8192],
)
def test_a_text_of_another_shape_is_no_key_id(text: str) -> None:
    assert not AccessKey.is_id(text)
    assert AccessKey.is_id(AccessKey.make(ACME).key_id)
