"""Frames of numbers of any size: nothing that was accepted is ever too large to count."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from odometer.engine.format.codec import NARROW, WIDE, pack, planes_in, unpack
from odometer.engine.format.frames import (
    DAYS,
    PART_BYTES,
    SHARD,
    Frame,
    alike,
    from_attributes,
    minus,
    net,
    numbers_of,
    parts,
    plus,
    reaching,
    to_attributes,
    total,
    with_days,
)
from odometer.engine.format.strips import users_of
from odometer.engine.read.series import lanes_filled, sums

EDGES = [0, 1, 2**40, 2**55, 2**56, 2**59, 2**60, 2**61, 2**63, 2**64, 2**100]
NUMBERS = st.builds(
    lambda edge, near: max(0, edge + near), st.sampled_from(EDGES), st.integers(-2, 2)
)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 366)), max_size=6)
Row = Sequence[int]


def frame_of(rows: Sequence[Row]) -> Frame:
    return Frame.of(list(zip(*rows, strict=True)) or [(), (), ()])


def rows_of(frame: Frame, users: int) -> list[tuple[int, ...]]:
    return [tuple(frame.of_user(user)) for user in range(users)]


def added(several: Sequence[Sequence[Row]]) -> list[tuple[int, ...]]:
    """The rows of every user, added up one by one."""
    padded = [[*rows, *[(0, 0, 0)] * (6 - len(rows))] for rows in several]
    return [tuple(map(sum, zip(*of_user, strict=True))) for of_user in zip(*padded, strict=True)]


@given(st.lists(ROWS, min_size=1, max_size=40))
def test_frames_add_up_whatever_their_numbers_are(several: list[list[Row]]) -> None:
    frames = [frame_of(rows) for rows in several]
    assert rows_of(total(frames, 2), 6) == added(several)
    assert rows_of(plus(frames[0], frames[-1]), 6) == added([several[0], several[-1]])


@pytest.mark.parametrize("bits", [52, 56, 60])
def test_many_narrow_frames_add_up_to_a_wide_one(bits: int) -> None:
    frame, users = Frame.of([[2**bits - 1] * 3, [0, 1, 0]]), 3
    several = total([frame] * 5_000, 1)
    assert several == Frame.of([[5_000 * (2**bits - 1)] * 3, [0, 5_000, 0]])
    assert rows_of(net([(1, several), *[(-1, frame)] * 4_999], 1), users) == rows_of(frame, users)


@given(st.lists(ROWS, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_what_was_added_and_taken_away_leaves_the_rest(
    several: list[list[Row]], random: Random
) -> None:
    taken = random.sample(several, len(several) // 2)
    signed = [*((1, frame_of(rows)) for rows in several), *((-1, frame_of(r)) for r in taken)]
    random.shuffle(signed)
    kept = [list(rows) for rows in several]
    for rows in taken:
        kept.remove(rows)
    assert rows_of(net(signed, 2), 6) == added([[], *kept])


@given(ROWS)
def test_a_stored_frame_comes_back_as_it_was(rows: list[Row]) -> None:
    frame = frame_of(rows)
    assert from_attributes(to_attributes(frame), 2) == frame


@given(ROWS)
def test_columns_of_a_wide_frame_have_more_planes_than_narrow_lanes_can(rows: list[Row]) -> None:
    frame = frame_of(rows)
    planes = [len(planes_in(packed)) for packed in to_attributes(frame).values()]
    is_wide = max(map(max, rows), default=0) >= 2**56
    assert frame.lane_bytes == (WIDE if is_wide else NARROW)
    assert (max(planes) > NARROW) == is_wide


def test_a_number_that_narrow_lanes_once_held_is_read_into_a_wide_frame() -> None:
    packed = pack([1, 2**59])
    frame = from_attributes({"m0": packed}, 1)
    assert (len(planes_in(packed)), frame) == (NARROW, with_days(Frame.of([[1, 2**59]])))


@given(st.lists(ROWS, max_size=40))
def test_a_sum_is_as_wide_as_the_frame_of_its_numbers(several: list[list[Row]]) -> None:
    assert total(map(frame_of, several), 2) == frame_of(added([[], *several]))


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_columns_of_several_shards_are_numbers_by_user(several: list[list[Row]]) -> None:
    frames = [frame_of(rows) for rows in several]
    for place in range(3):
        column = list(numbers_of(frames, place))
        for shard, rows in enumerate(several):
            found = column[shard * SHARD :][: len(rows)]
            assert [*found, *[0] * (len(rows) - len(found))] == [row[place] for row in rows]
        assert sum(column) == sum(frame.sum(place) for frame in frames)


RATES = st.builds(lambda rate, near: max(0, rate + near), NUMBERS, st.integers(-1, 1))


@given(ROWS, RATES | st.integers(0, 50))
@example([(2**56 - 1, 0, 2**23 - 1), (0, 0, 2**23 - 1)], 2**40 - 1)
def test_lanes_tell_who_has_so_much_for_each_day(rows: list[Row], least: int) -> None:
    frame = frame_of(rows)
    for place in range(2):
        found = reaching(frame, place, least, frame.columns[DAYS])
        if frame.lane_bytes == WIDE or least >= 2**40:
            assert found is None
        else:
            assert found is not None
            ones = [Frame((found,)).of_user(user)[0] for user in range(frame.lanes)]
            named = rows[: frame.lanes]
            assert ones == [int(row[place] >= least * row[2]) for row in named]


@given(ROWS, st.sets(st.integers(0, 5)))
def test_sums_of_some_users_are_of_nobody_else(rows: list[Row], users: set[int]) -> None:
    mine = frame_of(rows).only(lanes_filled(users).get(0, 0))
    some = [row for user, row in enumerate(rows) if user in users]
    assert sums(mine) == [sum(column) for column in zip(*some, strict=True)] or not some


@given(ROWS)
def test_a_frame_of_any_width_says_whose_day_it_counts(rows: list[Row]) -> None:
    users = users_of(with_days(frame_of(rows).measures))
    assert [bool(users >> who & 1) for who in range(len(rows))] == [any(row[:2]) for row in rows]


@given(st.lists(NUMBERS))
def test_numbers_of_any_size_come_back_as_they_were(numbers: list[int]) -> None:
    assert list(unpack(pack(numbers))) == numbers


@pytest.mark.parametrize("bits", [60, 100, 127])
def test_the_heaviest_wide_frame_fits_items(bits: int) -> None:
    random = Random(4)
    frame = Frame.of([[random.getrandbits(bits) for _ in range(SHARD)] for _ in range(5)])
    stored = parts(frame)
    assert all(sum(map(len, each.values())) <= PART_BYTES for each in stored)
    assert total((from_attributes(each, 4) for each in stored), 4) == frame


def test_a_difference_of_wide_frames_is_exact_where_it_is_small() -> None:
    one, other = Frame.of([[2**70 + 5, 2**64]]), Frame.of([[2**70, 2**64 - 1]])
    assert list(numbers_of([minus(one, other)], 0)) == [5, 1]
    assert [each.lane_bytes for each in alike([one, Frame.of([[1]])])] == [WIDE, WIDE]
