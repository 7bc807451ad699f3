"""What items weigh, and that nothing is lost in them."""

import zlib
from array import array
from random import Random
from typing import Any
from unittest.mock import Mock, patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from odometer.domain.errors import Corrupt
from odometer.domain.events import DIGEST_BYTES, Event, digest_of
from odometer.domain.kinds import KINDS
from odometer.engine.format import frames, log_entries
from odometer.engine.format.codec import (
    NARROW,
    WIDE,
    pack,
    pack_lanes,
    planes_in,
    to_lanes,
    unpack,
)
from odometer.engine.format.frames import (
    PART_BYTES,
    SHARD,
    Frame,
    active,
    from_attributes,
    parts,
    to_attributes,
    total,
    with_days,
)
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment

TEST = MeteredProduct("automation", KINDS["test"])
USERS = 10_000


def weight(attributes: dict[str, bytes]) -> int:
    return sum(map(len, attributes.values()))


def a_day(random: Random) -> list[list[int]]:
    """Sixty percent of the users, four uses each."""
    users = [random.random() < 0.6 for _ in range(USERS)]
    tests = [sum(random.choices(range(1, 6), k=4)) if used else 0 for used in users]
    duration = [random.randrange(4_000, 2_400_000) if used else 0 for used in users]
    return [tests, duration]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 2**128 - 1)))
@example([1, 2**64])
def test_numbers_come_back_as_they_were(numbers: list[int]) -> None:
    assert list(unpack(pack(numbers))) == numbers


def test_only_planes_of_zeros_are_left_out_and_wide_lanes_have_more_than_narrow_ones() -> None:
    assert [list(unpack(pack([byte << 8]))) for byte in range(256)] == [
        [byte << 8] for byte in range(256)
    ]
    assert len(planes_in(pack_lanes(to_lanes([1], WIDE), WIDE))) == NARROW + 1
    assert pack([]) == b""


@given(st.lists(st.integers(0, 255) | st.integers(0, 2**64 - 1)))
@example([0])
@example([255])
@example([256])
@example([255, 256])
def test_a_column_of_bytes_is_packed_like_one_of_wider_numbers(numbers: list[int]) -> None:
    assert pack(numbers) == pack(iter(numbers)) == pack_lanes(array("Q", numbers).tobytes())


@pytest.mark.parametrize("letters", [1, 3, 60, 256])
def test_a_plane_is_deflated_the_same_with_as_little_memory_as_it_needs(letters: int) -> None:
    random = Random(letters)
    for size in (*range(1, 800), 1786, 1787, 3834, 3835, 16_122, 16_123, 40_000):
        plane = bytes(random.choices(range(letters), k=size))
        assert pack(plane) == zlib.compress(plane, 9, wbits=-15)


def test_a_batch_of_events_is_deflated_in_a_small_window() -> None:
    with patch.object(zlib, "compressobj", wraps=zlib.compressobj) as deflating:
        pack(range(1_000_000, 1_000_100))
    windows = [call.kwargs["wbits"] for call in deflating.call_args_list]
    assert set(windows) == {-9}


def test_a_plane_of_one_byte_is_deflated_once_in_the_life_of_a_process() -> None:
    column = [7] * 4_321
    first = pack(column)
    assert first == zlib.compress(bytes(column), 9, wbits=-15)
    with patch.object(zlib, "compressobj", wraps=zlib.compressobj) as deflating:
        assert pack(column) == first
        pack([*column, 8])
    assert deflating.call_count == 1


@given(st.lists(st.lists(st.integers(0, 2**59), max_size=9), min_size=3, max_size=3))
def test_a_frame_comes_back_as_it_was(columns: list[list[int]]) -> None:
    frame = Frame.of(columns)
    assert from_attributes(to_attributes(frame), 2) == frame


@given(st.lists(st.lists(st.integers(0, 2**70), max_size=9), min_size=1, max_size=3))
def test_whoever_has_any_measure_was_active_also_where_no_days_are_stored(
    columns: list[list[int]],
) -> None:
    frame = with_days(Frame.of(columns))
    stored = to_attributes(frame)
    assert "days" not in stored
    assert from_attributes(stored, len(columns)) == frame


def test_a_frame_alone_is_its_own_total() -> None:
    frame = with_days(Frame.of([[1, 0, 2]]))
    assert total([frame], 1) is frame
    assert total([], 1) == total([Frame((0, 0))], 1) == Frame((0, 0))


def test_a_delta_weighs_about_four_bytes_for_each_active_user() -> None:
    measures = Frame.of(a_day(Random(1)))
    delta = with_days(measures)
    assert weight(to_attributes(delta)) < 4.1 * active(measures).bit_count()


def test_a_keyframe_weighs_less_than_seven_bytes_a_user() -> None:
    random = Random(2)
    days = [random.randrange(20, 260) for _ in range(USERS)]
    tests = [day * 12 + random.randrange(90) for day in days]
    duration = [day * 1_200_000 + random.randrange(40_000_000) for day in days]
    assert weight(to_attributes(Frame.of([tests, duration, days]))) < 7 * USERS


def test_an_event_weighs_less_than_six_and_a_half_bytes() -> None:
    random = Random(3)
    events = [
        Event(
            random.randrange(USERS), TEST.id, "ci", random.randrange(86_400), 0, (1, ms, 0, 0), b""
        )
        for ms in random.choices(range(1_000, 600_000), k=24_000)
    ]
    assert weight(Segment.of(events, TEST).to_attributes(0)) < 6.5 * len(events)
    assert DIGEST_BYTES == len(digest_of("ci", "1")) == 12


def test_the_heaviest_frame_there_can_be_fits_items() -> None:
    random = Random(4)
    frame = Frame.of([[random.randrange(2**60) for _ in range(SHARD)] for _ in range(5)])
    pieces = parts(frame)
    assert total((from_attributes(piece, 4) for piece in pieces), 4) == frame
    assert all(weight(piece) <= PART_BYTES for piece in pieces)


def test_a_frame_that_fits_an_item_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the flags of its days are not, which follow from the measures."""
    packed = Mock(side_effect=pack_lanes)
    monkeypatch.setattr(frames, "pack_lanes", packed)
    parts(with_days(Frame.of([[1, 0, 3], [256, 0, 9]])))
    columns = (array("Q", column).tobytes() for column in ([1, 0, 3], [256, 0, 9]))
    assert [each.args[0] for each in packed.call_args_list] == list(columns)


EVENTS = st.builds(
    Event,
    who=st.integers(0, 2**20),
    product=st.text(min_size=1),
    source=st.text(),
    second=st.integers(0, 2**32),
    platform=st.integers(0, 2),
    measures=st.tuples(*[st.integers(0, 2**40)] * 4),
    digest=st.binary(min_size=12, max_size=12),
    values=st.just(()) | st.tuples(st.integers(0, 999), st.integers(1, 999)),
)


def an_event(wide: int, *values: str) -> Event[str]:
    """With so many measures, all of them used."""
    return Event("ann", "mine", "ci", 5, 0, tuple(range(1, wide + 1)), b"twelve bytes", values)


def stored(*events: Event[str]) -> dict[str, Any]:
    return log_entries.to_item("acme", events, 10**12, "random")


def test_an_entry_is_as_wide_as_the_widest_of_its_events() -> None:
    wide, narrow = an_event(6), an_event(2)._replace(measures=(1, 2, 0, 0))
    assert sorted(name for name in stored(narrow) if name[0] == "m") == ["m0", "m1", "m2", "m3"]
    item = stored(narrow, wide)
    assert "m5" in item
    assert "m6" not in item
    assert log_entries.events_of(item) == [narrow._replace(measures=(1, 2, 0, 0, 0, 0)), wide]


def test_what_nobody_sends_takes_no_column() -> None:
    unused = an_event(4)._replace(measures=(1, 0, 0, 0, 0, 0, 0, 0))
    assert stored(unused).keys() == stored(an_event(4)).keys()
    assert not [name for name in stored(unused) if name[0] in "vt" and name[1:].isdigit()]


def test_the_values_of_breakdowns_come_back_as_they_were_sent() -> None:
    sent = [
        an_event(1, "pdf"),
        an_event(1),
        an_event(1, "", "eu\N{SNOWMAN}"),
        an_event(1, "pdf", "us"),
    ]
    found = [event.values for event in log_entries.events_of(stored(*sent))]
    assert found == [("pdf", ""), (), ("", "eu\N{SNOWMAN}"), ("pdf", "us")]


def test_an_event_that_was_stored_before_a_breakdown_has_none_of_it() -> None:
    item = stored(an_event(1, "pdf"), an_event(1))
    assert "v1" not in item
    assert [event.values for event in log_entries.events_of(item)] == [("pdf", ""), ()]
    assert [event.values for event in log_entries.events_of(stored(an_event(1, "", "us")))] == [
        ("", "us")
    ]


@settings(max_examples=60)
@given(st.lists(EVENTS))
def test_events_come_back_in_order(events: list[Event[int]]) -> None:
    assert log_entries.from_attributes(log_entries.to_attributes(events)) == events


@pytest.mark.parametrize("broken", ["second", "sources", "digests", "m0"])
def test_columns_that_do_not_fit_each_other_are_undecodable(broken: str) -> None:
    event = Event(1, "automation", "ci", 5, 0, (1, 2, 0, 0), b"twelve bytes")
    with pytest.raises(Corrupt):
        log_entries.from_attributes({**log_entries.to_attributes([event]), broken: b"\0\1"})
