"""What text, names and ids may hold.

Two names that look alike by their letters are two names. Two that differ by what nobody sees are
one mistake, or one trick: such characters are refused, by what Unicode says of each.
"""

import re
from typing import Final
from unicodedata import category

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""8-4-4-4-12 hexadecimal digits, whatever they say about a version."""
UUID_LENGTH: Final = 36
CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
CONTROL: Final = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, formats (zero width, direction), halves of characters, ends of lines and paragraphs."""
IGNORABLE: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    r"\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point where the category does not tell; Python does not know the property.

From Unicode's DerivedCoreProperties.txt; it grows only where a block is reserved for it already.
"""
LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
ORIGIN: Final = re.compile(
    rf"(?:https://(?:{LABEL}(?:\.{LABEL})*|\[::1\])|http://(?:localhost|127\.0\.0\.1|\[::1\]))"
    r"(?::([1-9][0-9]{0,4}))?"
)
"""Where a page comes from, as browsers write it: no path, and names beyond ASCII as `xn--…`."""
LONGEST_ORIGIN: Final = 267
"""`https://`, the 253 bytes of the longest name, and a port."""
DEFAULT_PORTS: Final = frozenset({("https", "443"), ("http", "80")})
"""Browsers leave these out."""
LAST_PORT: Final = 65_535


def is_origin(text: str) -> bool:
    """Whether a page may come from there: by https, or from the browser's own machine."""
    found = ORIGIN.fullmatch(text) if len(text) <= LONGEST_ORIGIN else None
    if found is None:
        return False
    port = found[1] or "0"
    return int(port) <= LAST_PORT and (text.partition(":")[0], port) not in DEFAULT_PORTS


def has_control(text: str) -> bool:
    return not text.isprintable() and bool(CONTROL.search(text))


def has_invisible(text: str) -> bool:
    """Whether a part of the text is not seen by its reader, or turns the direction of others."""
    if text.isascii():
        return not text.isprintable()
    return bool(IGNORABLE.search(text)) or (
        not text.isprintable() and any(category(letter) in INVISIBLE for letter in text)
    )


def fault_of_name(text: str) -> str | None:
    """Why this is no name, if it is none: it looks like another one, or like nothing."""
    if text != text.strip():
        return "expected text without blanks around it"
    if has_invisible(text):
        return "expected text without invisible characters"
    return None


def as_kept(name: str) -> str:
    """An id of anything but a person: as a UUID in lower case, for either case means the same.

    The names of people are compared as they are sent.
    """
    return name.lower() if len(name) == UUID_LENGTH and UUID.fullmatch(name) else name
