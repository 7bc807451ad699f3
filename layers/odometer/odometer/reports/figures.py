"""Figures as they are published: whole numbers, and changes in tenths of a percent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


def rounded(dividend: int, divisor: int) -> int:
    """The whole number nearest to a quotient; halves go away from zero."""
    nearest = (2 * abs(dividend) + divisor) // (2 * divisor)
    return nearest if dividend >= 0 else -nearest


def one_decimal(number: float) -> float:
    """The nearest number with one decimal; halves go away from zero."""
    return rounded(*(10 * number).as_integer_ratio()) / 10


def rounded_each(dividends: Iterable[int], divisors: Iterable[int]) -> Iterator[int]:
    """The same of a column of quotients, none of them negative: everyone's, at a call for all."""
    pairs = zip(dividends, divisors, strict=True)
    return ((2 * dividend + divisor) // (2 * divisor) for dividend, divisor in pairs)


def change_tenths(value: int, compare_value: int | None) -> int | None:
    """By how much a figure has changed, in tenths of a percent; from nothing there is no change."""
    if not compare_value:
        return None
    return rounded(1000 * (value - compare_value), compare_value)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure beside that of the comparison period, if there is one."""

    value: int
    compare_value: int | None = None

    @property
    def change_tenths(self) -> int | None:
        """The change from the comparison period, in tenths of a percent."""
        return change_tenths(self.value, self.compare_value)
