"""Fractions are rounded one way everywhere: half away from zero, by integers."""

import pytest

from odometer.reports.figures import (
    Metric,
    change_tenths,
    changes_each,
    one_decimal,
    rounded,
    rounded_each,
    share,
)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (1034, 1600, 0.6463),  # 0.64625
        (1, 20_000, 0.0001),
        (3, 20_000, 0.0002),
        (1, 20_001, 0.0),
        (19_999, 20_000, 1.0),
        (2, 1, 1.0),
        (0, 3, 0.0),
        (0, 0, 0.0),
        (2**62 + 1, 2**63, 0.5),
    ],
)
def test_a_share_has_four_decimals(part: int, whole: int, expected: float) -> None:
    assert share(part, whole) == expected


@pytest.mark.parametrize(
    ("dividend", "divisor", "expected"),
    [
        (1, 2, 1),
        (3, 2, 2),
        (5, 2, 3),
        (-1, 2, -1),
        (-5, 2, -3),
        (1, 3, 0),
        (2**62 + 1, 2, 2**61 + 1),
    ],
)
def test_a_quotient_is_the_nearest_whole_number(dividend: int, divisor: int, expected: int) -> None:
    assert rounded(dividend, divisor) == expected
    if dividend >= 0:
        assert rounded_each([dividend, 0], [divisor, 0]) == [expected, 0]


@pytest.mark.parametrize(
    ("value", "compared", "expected"),
    [(2001, 2000, 1), (1999, 2000, -1), (2003, 2000, 2), (1997, 2000, -2), (5, 0, None)],
)
def test_a_change_is_in_tenths_of_a_percent(value: int, compared: int, expected: int) -> None:
    assert change_tenths(value, compared) == expected
    assert changes_each([value, compared], [compared, value]) == [
        expected,
        change_tenths(compared, value),
    ]


@pytest.mark.parametrize(
    ("number", "expected"), [(0.25, 0.3), (0.75, 0.8), (-0.25, -0.3), (2.5, 2.5), (7.0, 7.0)]
)
def test_a_number_has_one_decimal(number: float, expected: float) -> None:
    assert one_decimal(number) == expected


def test_a_large_change_is_exact_to_the_tenth() -> None:
    assert changes_each([30_000, 9_999, 7], [10_000, 10_000, 0]) == [2000, 0, None]
    assert Metric(30_000, 10_000).change_tenths == 2000
    assert [Metric(5).change_tenths, Metric(5, 0).change_tenths] == [None, None]
