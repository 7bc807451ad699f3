"""What is stored and damaged is refused as such, and takes no more memory than what is whole."""

import zlib
from contextlib import suppress
from typing import Any

import pytest

from odometer.domain.errors import Corrupt
from odometer.domain.kinds import KINDS
from odometer.domain.stored import inflated, require, stored
from odometer.engine.format.codec import MOST_LANES, pack, planes_in, unpack
from odometer.engine.format.frames import SHARD, Frame, from_attributes, to_attributes
from odometer.engine.format.late import DayRows
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.storage.marks import Marks
from odometer.storage.queue import organization_of

CHAT = MeteredProduct("chat", KINDS["chat"])
DIGITS = b"0123456789" * 9


@stored
def first_name(item: dict[str, Any]) -> str:
    return str(item["names"][0])


@pytest.mark.parametrize("names", [None, [], 5, {}])
def test_whatever_a_reader_raises_says_which_item_is_damaged(names: object) -> None:
    with pytest.raises(Corrupt, match=r"first_name: \w+Error org#E#chat 2026"):
        first_name({"pk": "org#E#chat", "sk": "2026", "names": names})


def test_an_error_of_damage_never_says_what_is_in_the_item() -> None:
    with pytest.raises(Corrupt) as raised:
        stored(lambda item: int(item["who"]))({"pk": "org", "who": "ada@acme.example"})
    assert "ada" not in str(raised.value)


def test_a_reader_is_given_all_that_it_is_called_with() -> None:
    @stored
    def of(first: int, *, second: int) -> tuple[int, int]:
        return first, second

    assert of(1, second=2) == (1, 2)


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_stream_that_ends_early_is_damaged(cut: int) -> None:
    with pytest.raises((ValueError, zlib.error)):
        inflated(zlib.compress(DIGITS)[:-cut], 1_000)


def test_a_stream_has_nothing_behind_it_and_no_more_than_it_may() -> None:
    packed = zlib.compress(DIGITS)
    assert inflated(packed, len(DIGITS)) == DIGITS
    for damaged, most in ((packed + b"x", 1_000), (packed, len(DIGITS) - 1)):
        with pytest.raises(ValueError, match="damaged"):
            inflated(damaged, most)


def test_a_column_that_is_cut_off_is_damaged_unless_a_whole_plane_is_left() -> None:
    whole, left = pack(range(500, 900)), []
    for end in range(1, len(whole)):
        with suppress(Corrupt):
            left.append(planes_in(whole[:end]))
    assert left == [planes_in(whole)[:1]]


@pytest.mark.parametrize("packed", [pack([0] * (MOST_LANES + 1)), b"\x03\x00" * 9_000])
def test_a_bomb_is_not_blown_up(packed: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(packed)


def test_a_frame_has_no_more_lanes_than_a_shard() -> None:
    frame = Frame.of([[1] * (SHARD + 1)] * 4 + [[1] * (SHARD + 1)])
    with pytest.raises(Corrupt):
        from_attributes(to_attributes(frame), 4)


SEGMENT = Segment([1, 2, 3], [1, 2, 3], [[5, 5, 5]] * 4)
OTHERS = {
    "one more gap": {"gaps": pack([1, 1, 1, 1])},
    "one user less": {"who": pack([1, 2])},
    "one number less": {"m0": pack([5, 5])},
    "another day": {"gaps": pack([1, 1, 200_000])},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_columns_of_a_segment_fit_each_other(other: dict[str, bytes]) -> None:
    whole = SEGMENT.to_attributes(0)
    assert Segment.from_attributes(whole, CHAT, 0).measures[0][0] == 5
    with pytest.raises(Corrupt):
        Segment.from_attributes({**whole, **other}, CHAT, 0)


LATE = {"pk": "org#R#chat#2026#0#0", "sk": "L2#1#0"}
LATE_OTHERS = {
    "a user beyond the shard": {"who": pack([1, SHARD])},
    "a day beyond the year": {"day": pack([30, 400])},
    "counted twice": {"counted": pack([1, 2])},
    "a row less": {"counted": pack([1])},
}


@pytest.mark.parametrize("other", LATE_OTHERS.values(), ids=LATE_OTHERS)
def test_late_rows_are_of_a_shard_and_a_year(other: dict[str, bytes]) -> None:
    whole = {
        **LATE,
        **DayRows.of(2026, [(30, 1, 5, 0, 0, 0, 1), (31, 2, 5, 0, 0, 0, 1)]).to_attributes(),
    }
    assert list(DayRows.from_item(whole, CHAT).days) == [30, 31]
    with pytest.raises(Corrupt):
        DayRows.from_item({**whole, **other}, CHAT)


class OneDamaged:
    """A table of marks of which one is damaged."""

    def query(self, *_: object) -> list[dict[str, Any]]:
        return [{"sk": "damaged", "since": "?"}, {"sk": "whole", "since": 5, "fold": 6}]


def test_a_damaged_mark_keeps_no_other_organization_from_being_found() -> None:
    damaged, whole = Marks(OneDamaged(), {}).all()  # type: ignore[arg-type]
    assert (damaged.organization, damaged.due, max(damaged.failures.values()) > 3) == (
        *("damaged", {}, True),
    )
    assert (whole.organization, whole.due) == ("whole", {"fold": 6})


@pytest.mark.parametrize("body", ["", "{}", "[]", "5", "{" * 100_000])
def test_a_message_that_names_nobody_is_damaged(body: str) -> None:
    with pytest.raises(Corrupt):
        organization_of(body)


def test_what_holds_is_passed_over() -> None:
    require([1])
