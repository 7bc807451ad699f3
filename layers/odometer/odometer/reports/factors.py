"""Factors: which share of something was of use, from 0 to 1."""

from typing import Final

from odometer.reports.figures import rounded

TEN_THOUSAND: Final = 10_000  # four decimals


def share(part: int, whole: int) -> float:
    """A part of a whole with four decimals; of nothing, nothing, and never more than all."""
    return rounded(min(part, whole) * TEN_THOUSAND, whole) / TEN_THOUSAND if whole else 0.0
