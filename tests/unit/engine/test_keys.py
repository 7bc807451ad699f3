"""The keys of stored items: other keys would find nothing of what is stored."""

from datetime import date

import pytest

from odometer.engine.format import keys

DAY = date(2026, 2, 17)


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (keys.log("acme"), "acme#LOG"),
        (keys.log("acme", 3), "acme#LOG#3"),
        (keys.entry(1_700_000_000_123, "ab"), "1700000000123#ab"),
        (keys.entry(5), "0000000000005#"),
        (keys.repeats("acme"), "acme#KEY"),
        (keys.parked("acme"), "acme#X"),
        (keys.audit("acme"), "acme#V"),
        (keys.folds("acme"), "acme#F"),
        (keys.folds("acme", 2), "acme#F#2"),
        (keys.plans("acme"), "acme#P"),
        (keys.head("acme"), "acme#H"),
        (keys.rebuilds("acme"), "acme#B"),
        (keys.groups("acme"), "acme#G"),
        (keys.identities("acme", DAY), "acme#I#2026-02-17"),
        (keys.segments("acme", "chat"), "acme#E#chat"),
        (keys.segment(DAY, 4, 1), "2026-02-17#0000000004#1"),
        (keys.segments_through(DAY, 4), "2026-02-17#0000000004~"),
        (keys.frames("acme", "chat", 2026, 2, 1), "acme#R#chat#2026#2#1"),
        (keys.keyframe(DAY, 1), "F#2026-02-17#0#1"),
        (keys.delta(DAY, 4, 1), "F#2026-02-17#1#0000000004#1"),
        (keys.late(4, 1), "L2#0000000004#1"),
        (keys.strip(DAY), "S#2026-02-17#0#0"),
        (keys.week_of_groups("team", 1, DAY), "G#team#0000000001#2026-02-17"),
        (keys.frames_from(DAY), "F#2026-02-17#"),
        (keys.deltas_from(DAY), "F#2026-02-17#1"),
        (keys.late_from(DAY), "L#2026-02-17#"),
        (keys.running(DAY, 9, 4, 1), "O#2026-02-17#0000000009#0000000004#01"),
        (keys.running_through(DAY, 9), "O#2026-02-17#0000000009"),
        (keys.running_from(DAY), "O#2026-02-17#"),
        (keys.chunk(DAY, 9, 4, 1), "T#2026-02-17#0000000009#0000000004#01"),
        (keys.chunk_through(DAY, 9), "T#2026-02-17#0000000009~"),
        (keys.chunks_from(DAY), "T#2026-02-17#"),
        (keys.pile(DAY, 4, 1), "P#2026-02-17#0000000004#0000000001"),
        (keys.piles_from(DAY, 4), "P#2026-02-17#0000000004#"),
        (keys.sheet(DAY, 4, 9, 1, 7), "W#2026-02-17#0000000004#0000000009#0000000001#7"),
        (keys.sheets_from(DAY, 4, 9), "W#2026-02-17#0000000004#0000000009"),
        (keys.activity("acme"), "acme#A"),
        (keys.former_activity(3, 4), "0000000003#0000000004"),
        (keys.last_used("acme"), "acme#U"),
        (keys.last_used_of(3, 2), "0000000003#0002"),
        (keys.former_last_used(3, 2, 4), "0000000003#0002#0000000004"),
        (keys.months("acme"), "acme#M"),
        (keys.sources("acme", "chat"), "acme#S#chat"),
        (keys.coverage("acme", "chat"), "acme#C#chat"),
    ],
)
def test_a_key_is_written_as_ever(key: str, stored: str) -> None:
    assert key == stored


def test_a_key_says_what_it_was_made_of() -> None:
    frames = keys.frames("acme", "a#b", 2026, 2, 1)
    assert keys.year_of(frames) == 2026
    assert [keys.lane_of(pk) for pk in ("acme#F", "acme#F#2", "acme#LOG", "acme#LOG#3")] == [
        *(0, 2, 0, 3)
    ]
    assert keys.day_of(keys.keyframe(DAY, 0)) == DAY
    assert keys.edge_of_groups(keys.week_of_groups("team", 1, DAY)) == DAY
    assert keys.second_of(keys.running(DAY, 9, 4, 1)) == 9
    assert keys.second_of(keys.chunk(DAY, 8, 4, 1)) == 8
    assert keys.first_of_sheet(keys.sheet(DAY, 4, 9, 1, 7)) == 9
    assert keys.part_of(keys.delta(DAY, 4, 12)) == 12
    for written in (keys.delta(DAY, 4, 1), keys.late(4, 1), keys.segment(DAY, 4, 1)):
        assert keys.plan_of(written) == 4
    assert keys.without_part(keys.chunk(DAY, 8, 4, 1)) == "T#2026-02-17#0000000008#0000000004#"


def test_the_kind_of_an_item_is_seen_from_its_key() -> None:
    kinds = {
        keys.is_keyframe: keys.keyframe(DAY, 0),
        keys.is_delta: keys.delta(DAY, 4, 0),
        keys.is_late_of_day: "L#2026-02-17#0000000004#0",
        keys.is_late_of_year: keys.late(4, 0),
        keys.is_of_groups: keys.week_of_groups("team", 1, DAY),
        keys.is_strip: keys.strip(DAY),
    }
    for is_one in kinds:
        assert [other for other, key in kinds.items() if is_one(key)] == [is_one]
