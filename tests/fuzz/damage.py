"""What is done to something real: bytes, texts, JSON and items of a table, a little or a lot."""

import json
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from odometer.domain.stored import inflated
from odometer.engine.format.codec import pack, unpack
from odometer.engine.format.log_entries import pack_names, unpack_names
from tests.fuzz.choices import Choices

LONG = 5_000
DEEP = 100_000
LARGEST_DOCUMENT = 100_000
BOMB_BYTES = 64_000_000
"""What a bomb of 64 kB becomes where nobody stops it."""
EMPTY_STREAMS = b"\x03\x00" * 10_000
TOKENS: tuple[str, ...] = (
    *("\0", "\r\n", "\n", "\t", " ", "\x7f", "\x85", "\u2028", "\u200b", "\u202e", "\ufeff"),
    *("\ud800", "\udfff", "\N{FULLWIDTH DIGIT ONE}", "\N{ARABIC-INDIC DIGIT THREE}", "\u2003"),
    *("\N{SUPERSCRIPT TWO}", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "\U0010ffff", "ß"),
    *(
        "-",
        "+",
        "_",
        "=",
        ",",
        ";",
        ":",
        "#",
        "%",
        "&",
        "?",
        "/",
        "\\",
        '"',
        "'",
        "{",
        "}",
        "[",
        "]",
    ),
    *("%00", "%ff", "%2f", "..", "../..", "{0}", "{x}", "${x}", "%s", "=1+1", "<script>", "null"),
    *("0", "-1", "1_0", "+5", "5.0", "1e309", "1e-400", "1e999999999", "NaN", "Infinity", "0x10"),
    *("9" * 19, "9" * 40, "9" * 4_301, "1" + "0" * 400, "2147483648", "9007199254740993"),
    *("9999-12-31", "0001-01-01", "2026-02-30", "24:00:00", "23:59:60", "+23:59", "-24:00", "Z"),
    *("a" * LONG, "Europe/" * 99, "Etc/GMT+12", "../../etc/passwd", "posixrules", "localtime"),
)
NUMBERS = (0, 1, 2, 7, 255, 2**31, 2**40, 2**53 + 1, 2**62, 2**63, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**53 + 1, -(2**63), 10**30, 1.5, -0.0, 1e300),
    *("", " ", "0", "x", "\0", "\ud800", "a" * LONG, [], {}, [[]], [None], {"": None}),
    *([1] * 1_001, {"a": {"b": []}}, b"", b"\0\1"),
)


WHOLE_VALUES = tuple(value for value in VALUES if not isinstance(value, float))
"""What a table can hold of them."""


def nested(opening: str, closing: str) -> str:
    return opening * DEEP + closing * DEEP


DEEP_TEXTS = (nested("[", "]"), nested('{"a":', "}"), "[" * DEEP, "-" * DEEP, '"' + "\\u0000" * 999)


# bytes


@cache
def bombs() -> tuple[bytes, ...]:
    streams = zlib.compressobj(9, wbits=-15), zlib.compressobj(9)
    return tuple(stream.compress(bytes(BOMB_BYTES)) + stream.flush() for stream in streams)


def damaged_bytes(content: bytes, choices: Choices) -> bytes:
    if choices.one_in(64):
        return choices.of((b"", EMPTY_STREAMS, *bombs()))
    for _ in range(1 + choices.below(3)):
        content = choices.of(BYTE_EDITS)(content, choices)
    return content


def flip_bit(content: bytes, choices: Choices) -> bytes:
    at, bit = choices.below(8 * len(content) + 1), bytearray(content)
    if at < 8 * len(content):
        bit[at // 8] ^= 1 << at % 8
    return bytes(bit)


def overwrite(content: bytes, choices: Choices) -> bytes:
    at, some = choices.below(len(content) + 1), choices.some(1 + choices.below(4))
    return content[:at] + some + content[at + len(some) :]


def insert(content: bytes, choices: Choices) -> bytes:
    at = choices.below(len(content) + 1)
    return content[:at] + choices.some(1 + choices.below(8)) + content[at:]


def cut_out(content: bytes, choices: Choices) -> bytes:
    at = choices.below(len(content) + 1)
    return content[:at] + content[at + 1 + choices.below(16) :]


def cut_off(content: bytes, choices: Choices) -> bytes:
    return content[: choices.below(len(content) + 1)]


def repeat(content: bytes, choices: Choices) -> bytes:
    at = choices.below(len(content) + 1)
    return content[:at] + content[at : at + 1 + choices.below(64)] + content[at:]


def append_itself(content: bytes, choices: Choices) -> bytes:
    return content + content[choices.below(len(content) + 1) :]


BYTE_EDITS: tuple[Callable[[bytes, Choices], bytes], ...] = (
    *(flip_bit, overwrite, insert, cut_out, cut_off, repeat, append_itself),
)


# texts


def damaged_text(text: str, choices: Choices) -> str:
    if choices.one_in(64):
        return choices.of(("", *DEEP_TEXTS, *TOKENS))
    for _ in range(1 + choices.below(3)):
        text = choices.of(TEXT_EDITS)(text, choices)
    return text


def insert_token(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + choices.of(TOKENS) + text[at:]


def replace_letter(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + choices.of(TOKENS) + text[at + 1 :]


def drop_letters(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + text[at + 1 + choices.below(8) :]


def any_letter(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + chr(choices.below(0x250)) + text[at + 1 :]


def double(text: str, choices: Choices) -> str:
    at = choices.below(len(text) + 1)
    return text[:at] + text[at : at + 1 + choices.below(16)] * 2 + text[at:]


def change_case(text: str, choices: Choices) -> str:
    return text.swapcase()


def change_digit(text: str, choices: Choices) -> str:
    places = [at for at, letter in enumerate(text) if letter.isdigit()]
    if not places:
        return text
    at = choices.of(places)
    return text[:at] + str(choices.below(10)) + text[at + 1 :]


TEXT_EDITS: tuple[Callable[[str, Choices], str], ...] = (
    *(change_digit, any_letter, insert_token, replace_letter, drop_letters, double, change_case),
)


# JSON


def damaged_value(value: Any, choices: Choices) -> Any:
    """A value of JSON in which something is changed: it itself, or something inside of it."""
    if isinstance(value, dict) and value and not choices.one_in(8):
        return damaged_object(value, choices)
    if isinstance(value, list) and value and not choices.one_in(8):
        at = choices.below(len(value))
        return [*value[:at], damaged_value(value[at], choices), *value[at + 1 :]]
    if isinstance(value, str) and choices.below(2):
        return damaged_text(value, choices)
    if type(value) is int and choices.below(2):
        return choices.of(NUMBERS)
    return choices.of([each for each in VALUES if not isinstance(each, bytes)])


def damaged_object(value: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    name = choices.of(list(value))
    match choices.below(6):
        case 0:
            return {each: value[each] for each in value if each != name}
        case 1:
            return {**value, damaged_text(name, choices): value[name]}
        case 2:
            return {**value, name: value[choices.of(list(value))]}
    return {**value, name: damaged_value(value[name], choices)}


def damaged_json(text: str, choices: Choices) -> str:
    """A document with other content, or one that is none any more."""
    for _ in range(1 + choices.below(3)):
        if choices.below(3):
            try:
                text = json.dumps(damaged_value(json.loads(text), choices))
            except (ValueError, RecursionError):
                text = damaged_text(text, choices)
        else:
            text = damaged_text(text, choices)
    return text


# items of a table


TEXTS = frozenset({"pk", "sk", "body", "text", "hash"})
"""They are always there, and text: the keys of an item, and what is no item but a text."""


def damaged_item(item: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    """An item of which some attributes are not what was written."""
    changed = dict(item)
    for _ in range(1 + choices.below(2)):
        names = sorted(changed)
        name = choices.of(names)
        if name in TEXTS:
            changed[name] = damaged_text(changed[name], choices)
            continue
        match choices.below(12):
            case 10:
                del changed[name]
            case 11:
                changed[name] = changed[choices.of(names)]
            case _:
                changed[name] = damaged_attribute(changed[name], choices)
    return changed


def damaged_attribute(value: Any, choices: Choices) -> Any:
    if choices.one_in(16):
        return choices.of(WHOLE_VALUES)
    if isinstance(value, bytes):
        return damaged_column(value, choices)
    if isinstance(value, str):
        is_json = value[:1] in ("{", "[")
        return damaged_json(value, choices) if is_json else damaged_text(value, choices)
    other = json.dumps(damaged_value(value, choices))
    return json.loads(other, parse_float=lambda _: 7)  # no fraction is ever read from a table


def damaged_column(packed: bytes, choices: Choices) -> bytes:
    """Other bytes; or a column, a list of names or a document that says something else."""
    match choices.below(6):
        case 0:
            return other_numbers(packed, choices)
        case 1:
            return other_names(packed, choices)
        case 2:
            return other_document(packed, choices)
    return damaged_bytes(packed, choices)


def other_numbers(packed: bytes, choices: Choices) -> bytes:
    try:
        column = list(unpack(packed))
    except Exception:  # noqa: BLE001  it is no column
        return damaged_bytes(packed, choices)
    return pack(changed_list(column, choices.of(NUMBERS), choices))


def other_names(packed: bytes, choices: Choices) -> bytes:
    try:
        names = unpack_names(packed)
    except Exception:  # noqa: BLE001  it is no list of names
        return damaged_bytes(packed, choices)
    return pack_names(changed_list(names, choices.of(TOKENS), choices))


def changed_list(several: list[Any], new: Any, choices: Choices) -> list[Any]:
    at = choices.below(len(several) + 1)
    match choices.below(4):
        case 0:
            return several[:at]
        case 1:
            return [*several[:at], new, *several[at:]]
        case 2:
            return several + several
    return [*several[:at], new, *several[at + 1 :]]


def other_document(packed: bytes, choices: Choices) -> bytes:
    try:
        text = inflated(packed, LARGEST_DOCUMENT).decode()
    except (zlib.error, ValueError):
        return damaged_bytes(packed, choices)
    return zlib.compress(damaged_json(text, choices).encode(errors="surrogatepass"))
