"""Numbers with decimals, exactly: as they are sent, and kept as whole numbers."""

import math
import re
from typing import Final, NamedTuple

LONGEST_NUMBER: Final = 32
_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


class Number(NamedTuple):
    """A number with a fraction or an exponent, as it was sent: no float ever has been one of it."""

    sent: str


class TooManyDecimals(ValueError):
    """It would have to be rounded."""


def exact(sent: str) -> Number | float:
    """The number that a text says; one that is far beyond every measure need not be exact."""
    return Number(sent) if len(sent) <= LONGEST_NUMBER else math.inf


def kept(number: object, decimals: int) -> int | None:
    """A number as a whole one of 10**-decimals; None if it is none, or far beyond every measure."""
    if isinstance(number, Number):
        return _kept(number.sent, decimals)
    if isinstance(number, int) and not isinstance(number, bool):
        return number * ten_to(decimals)
    return None


def _kept(sent: str, decimals: int) -> int | None:
    parts = _NUMBER.fullmatch(sent)
    if parts is None:
        return None
    sign, whole, fraction, exponent = parts.groups(default="")
    digits, places = int(f"{sign}{whole}{fraction}"), int(exponent or 0) - len(fraction) + decimals
    if not digits:
        return 0
    if places > LONGEST_NUMBER:
        return None
    if -places > LONGEST_NUMBER or digits % ten_to(-places):
        raise TooManyDecimals
    return digits * ten_to(places) // ten_to(-places)


def ten_to(power: int) -> int:
    """1 with so many zeros, if any."""
    return int("1" + "0" * power)


def shown(kept: int, decimals: int) -> str:
    """The digits of a kept number, without zeros after its last decimal."""
    whole, rest = divmod(abs(kept), ten_to(decimals))
    fraction = f".{rest:0{decimals}}".rstrip("0").rstrip(".")
    return f"{'-' if kept < 0 else ''}{whole}{fraction}"
