"""No step of a check tells one bad key from another; what `make timing` finds is found."""

import hmac
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from tools import timing
from tools.timing import ALIKE, TOLD, Differences, Door, Pair, difference

Steps = Counter[tuple[str, str]]


@contextmanager
def counted_steps() -> Iterator[Steps]:
    """Every function that is called in this block, of Python and of C."""
    steps: Steps = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            steps["python", frame.f_code.co_qualname] += 1
        elif event == "c_call":
            steps["c", argument.__qualname__] += 1

    former = sys.getprofile()
    sys.setprofile(count)
    try:
        yield steps
    finally:
        sys.setprofile(former)


@pytest.fixture(scope="module")
def door() -> Door:
    """A door that was opened before: what is made once is made."""
    door = Door()
    assert door.opens(f"Bearer {door.live[0]}")
    assert door.opens(f"Bearer {door.token}")
    return door


def steps_of(door: Door, header: str) -> Steps:
    """What is done after the header was read: of that everybody knows by themselves."""
    key, found = door.key_of(lambda _: header)
    with counted_steps() as steps:
        opened = door.is_proved(key, found)
    assert not opened
    return steps


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_two_sorts_of_bad_keys_take_the_same_steps(door: Door, pair: Pair) -> None:
    one, other = (steps_of(door, sort(door)) for sort in (pair.one, pair.other))
    assert one == other
    assert one["c", "compare_digest"] == 2
    assert one["c", "hmac_digest"] == 2


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_what_is_compared_has_one_length(
    door: Door, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths, compare = set(), hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        lengths.add(len(one) - len(other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    for sort in (pair.one, pair.other):
        assert not door.opens(sort(door))
    assert lengths == {0}


def test_a_compare_that_leaks_takes_other_steps(door: Door) -> None:
    """So that a test which finds the same steps everywhere would be seen."""
    (pair,) = TOLD.values()
    with pair.compare():
        one, other = (steps_of(door, sort(door)) for sort in (pair.one, pair.other))
    assert one != other


def test_welchs_t_is_that_of_the_textbook() -> None:
    found = difference([1, 2, 3, 4], [2, 4, 6, 8])
    assert (found.one, found.other) == (2.5, 5.0)
    assert found.t == pytest.approx(-1.7321, abs=1e-4)
    assert found.effect == pytest.approx(-1.2247, abs=1e-4)


def test_a_small_difference_is_found_below_a_few_long_times_and_chance_is_none() -> None:
    luck = random.Random(7)

    def times(mean: float) -> list[float]:
        long_ones = [luck.uniform(1e5, 1e7) for _ in range(50)]
        return [luck.gauss(mean, 10) for _ in range(5_000)] + long_ones

    found = Differences.between(times(100), times(102))
    assert (found.of_all.found, found.of_most.found) == (False, True)
    assert not Differences.between(times(100), times(100)).found


def test_the_command_measures_every_pair_and_says_where_it_is_surprised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times as a leak makes them, whoever is measured: no clock is asked here."""
    monkeypatch.setattr(timing, "measured", lambda *_: ([1.0, 2.0] * 500, [3.0, 4.0] * 500))
    assert timing.main("--samples", "100") == 1
    printed = capsys.readouterr().out
    assert printed.count("**not alike**") == len(ALIKE)
    assert printed.count("| told apart |") == len(TOLD)
