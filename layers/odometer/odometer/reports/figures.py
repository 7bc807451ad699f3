"""Figures as they are published: whole numbers, shares, changes in tenths of a percent."""

from collections.abc import Iterable
from typing import Final

from odometer.domain.frozen import frozen

TEN_THOUSAND: Final = 10_000  # four decimals


def rounded(dividend: int, divisor: int) -> int:
    """The whole number nearest to a quotient; halves go away from zero."""
    nearest = (2 * abs(dividend) + divisor) // (2 * divisor)
    return nearest if dividend >= 0 else -nearest


def one_decimal(number: float) -> float:
    """The nearest number with one decimal; halves go away from zero."""
    return rounded(*(10 * number).as_integer_ratio()) / 10


def rounded_each(dividends: Iterable[int], divisors: Iterable[int]) -> list[int]:
    """The whole numbers nearest to many quotients, none of them negative; 0 of nothing by 0."""
    pairs = zip(dividends, divisors, strict=True)
    return [(part + whole // 2) // whole if whole else 0 for part, whole in pairs]


def share(part: int, whole: int) -> float:
    """A part of a whole with four decimals, never more than 1; a part of nothing is 0."""
    return rounded(min(part, whole) * TEN_THOUSAND, whole) / TEN_THOUSAND if whole else 0.0


def change_tenths(value: int, compare_value: int | None) -> int | None:
    """The change in tenths of a percent; a change from nothing is None."""
    if not compare_value:
        return None
    return rounded(1000 * (value - compare_value), compare_value)


def changes_each(values: Iterable[int], compare_values: Iterable[int]) -> list[int | None]:
    """The changes of many figures."""
    return [
        None
        if not before
        else (2000 * (now - before) + before) // (2 * before)
        if now >= before
        else -((2000 * (before - now) + before) // (2 * before))
        for now, before in zip(values, compare_values, strict=True)
    ]


@frozen
class Metric:
    """A figure beside that of the comparison period, if there is one."""

    value: int
    compare_value: int | None = None

    @property
    def change_tenths(self) -> int | None:
        return change_tenths(self.value, self.compare_value)
