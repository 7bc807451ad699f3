"""Factors: which share of something was of use, from 0 to 1."""

from typing import Final

DECIMALS: Final = 4


def share(part: int, whole: int) -> float:
    """A part of a whole, rounded; of nothing, nothing, and never more than all."""
    return round(min(part / whole, 1.0), DECIMALS) if whole else 0.0
