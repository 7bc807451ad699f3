"""Figures for people: numbers with their units, changes, and a line of blocks for a series."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

Number = int | Decimal | None

LEVELS: Final = "▁▂▃▄▅▆▇█"
NOTHING: Final = "–"
BYTES: Final = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND: Final = 1_000


def shown(value: Number, unit: str | None) -> str:
    if value is None:
        return NOTHING
    match unit:
        case "ms":
            return duration(Decimal(value))
        case "seconds":
            return duration(Decimal(value) * THOUSAND)
        case "bytes":
            return size(Decimal(value))
    return f"{value:,}"


def duration(ms: Decimal) -> str:
    """A time in its two largest units; hours are the largest of all."""
    if ms < THOUSAND:
        return f"{ms:,f} ms"
    seconds = int(ms / THOUSAND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{ms / THOUSAND:.1f} s"


def size(amount: Decimal) -> str:
    for unit in BYTES[:-1]:
        if amount < THOUSAND:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= THOUSAND
    return f"{amount:,.1f} {BYTES[-1]}"


def change(percent: Number) -> str:
    """A change in percent, which has no figure from nothing."""
    return "" if percent is None else f"{percent:+,.1f} %"


def sparkline(values: Sequence[Number], width: int = 40) -> str:
    """A block for each value, as high as it is beside the largest; blank where there is none."""
    shorter = averaged(values, width)
    largest = max((value for value in shorter if value is not None), default=Decimal(0))
    return "".join(" " if value is None else level(value, largest) for value in shorter)


def level(value: Decimal, largest: Decimal) -> str:
    if largest <= 0:
        return LEVELS[0]
    return LEVELS[min(int(max(value, Decimal(0)) / largest * len(LEVELS)), len(LEVELS) - 1)]


def averaged(values: Sequence[Number], width: int) -> list[Decimal | None]:
    """The values, or so many means of neighbours where there are too many."""
    parts = min(len(values), width)
    ends = [len(values) * part // parts for part in range(parts + 1)] if parts else []
    return [mean(values[a:b]) for a, b in pairwise(ends)]


def mean(values: Sequence[Number]) -> Decimal | None:
    known = [Decimal(value) for value in values if value is not None]
    return sum(known, Decimal(0)) / len(known) if known else None
