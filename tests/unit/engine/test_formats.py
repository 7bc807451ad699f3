"""What items hold, and how it is cut, added up and found again."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from odometer.domain.events import Event, Who, digest_of
from odometer.domain.values import SentValue
from odometer.engine.format import codec, inside, keys, late, segments
from odometer.engine.format import frames as whole_frames
from odometer.engine.format.frames import DAYS, SHARD, Frame, active, flags, plus, total, with_days
from odometer.engine.format.groups import EachUser, Groups, Members, Week
from odometer.engine.format.inside import (
    Chunk,
    DaySums,
    ProductDay,
    Running,
    newest_chunk,
    newest_running,
    other_parts,
)
from odometer.engine.format.lanes import elders, from_attribute, lane_of, to_attribute, widened
from odometer.engine.format.late import DayRows, Late
from odometer.engine.format.latest import OTHERS, Coverage, sources_of, sources_to_attributes
from odometer.engine.format.log_entries import events_in, events_of, numbered, to_items, values_of
from odometer.engine.format.piles import Pile, Sheets
from odometer.engine.format.segments import Segment
from odometer.engine.format.strips import Count, counts_by_day, from_item, to_attributes
from odometer.engine.store import KeyRange
from tests.support.simulated_engine import PRODUCTS

TESTS, APP = PRODUCTS[0], PRODUCTS[-1]
WIDE = TESTS.measures
MONDAY = date(2026, 2, 16)
NOON = 1_771_243_200
"""Of that Monday, in UTC."""


def rows_of_year() -> DayRows:
    rows = [(46, 3, 5), (46, 4, 6), (47, 3, 7), (52, 9, 8)]
    return DayRows.of(
        2026, [(d, who, n, *[0] * (WIDE - 1), at % 2) for at, (d, who, n) in enumerate(rows)]
    )


def test_rows_of_a_year_are_cut_by_user_and_by_day() -> None:
    rows = rows_of_year()
    assert list(rows.different_days) == [MONDAY, MONDAY + timedelta(1), MONDAY + timedelta(6)]
    mine = rows.among(1 << 3 | 1 << 9)
    assert (mine.year, list(mine.days), list(mine.who)) == (2026, [46, 47, 52], [3, 3, 9])
    assert [list(column) for column in mine.measures] == [[5, 7, 8], *[[0, 0, 0]] * (WIDE - 1)]
    assert list(mine.counted) == [0, 0, 1]
    nobody = rows.among(1 << 7)
    assert (list(nobody.days), len(nobody.measures), list(nobody.counted)) == ([], WIDE, [])
    of_days = [(day, list(some.who), list(some.counted)) for day, some in rows.by_day()]
    assert of_days == [
        (MONDAY, [3, 4], [0, 1]),
        (MONDAY + timedelta(1), [3], [0]),
        (MONDAY + timedelta(6), [9], [1]),
    ]
    assert list(nobody.by_day()) == []
    first = DayRows.of(2026, [(0, 1, *[1] * WIDE, 1)])
    assert [day for day, _ in first.by_day()] == [date(2026, 1, 1)]
    tuesday = rows.cut(MONDAY + timedelta(1), MONDAY + timedelta(6))
    assert (list(tuesday.days), list(tuesday.who)) == ([47], [3])
    assert list(rows.counting) == [(46, 4), (52, 9)]


def test_rows_of_a_year_come_back_from_as_many_items_as_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late, "PART_BYTES", 4_000)
    random = Random(1)
    rows = DayRows.of(
        2026,
        (
            (at % 300, at % SHARD, *(random.getrandbits(40) for _ in range(WIDE)), 1)
            for at in range(600)
        ),
    )
    parts = list(rows.parts())
    assert len(parts) > 1
    assert all(sum(map(len, part.values())) <= 4_000 for part in parts)
    pk = keys.frames("acme", TESTS.id, 2026, 0, 0)
    items = [{"pk": pk, "sk": keys.late(4, at), **part} for at, part in enumerate(parts)]
    found = [DayRows.from_item(item, TESTS) for item in items]
    assert [day for some in found for day in some.days] == list(rows.days)
    assert [who for some in found for who in some.who] == list(rows.who)
    assert total((some.frame() for some in found), WIDE) == rows.frame()
    assert Late.of(items, 3, TESTS).of_year == []
    seen = Late.of(items, 4, TESTS)
    whole = date(2026, 1, 1), date(2027, 1, 1)
    assert seen.frame(*whole) == rows.frame()
    assert total((frame for _, frame in seen.by_day(*whole)), WIDE) == rows.frame()


def test_late_items_are_read_as_they_are_now_unless_said_otherwise() -> None:
    end = keys.LATE_END
    assert late.key_range("pk", MONDAY) == KeyRange("pk", "L#2026-02-16#", end, strong=True)
    assert not late.key_range("pk", MONDAY, strong=False).strong


USED = [[1, 2, 3, 4, 5], [10, 20, 30, 40, 50]]


def test_groups_have_the_sums_of_their_users_and_the_rest_has_all_others() -> None:
    pairs = [(0, 1), (1, 1), (3, 0), (3, 2), (9, 0), (SHARD, 2)]
    teams = Groups.of("team", "d", pairs)
    assert teams.sums(0, USED) == {1: (3, 30), 0: (4, 40), 2: (4, 40)}
    assert teams.sums(1, [[7], [0]]) == {2: (7, 0)}
    assert teams.sums(2, USED) == {}
    assert (teams.count, teams.chunks(0), teams.rest) == (3, [0], None)
    with_rest = Groups.of("team", "d", pairs, rest=200)
    assert with_rest.sums(0, USED) == {**teams.sums(0, USED), 200: (8, 80)}
    assert with_rest.sums(5, USED) == {200: (15, 150)}
    assert with_rest.chunks(0) == [0, 3]
    assert Groups.of("team", "d", [(4, 2)]).sums(0, [[0] * 5]) == {}


def test_each_user_is_a_group_of_one() -> None:
    each = EachUser(SHARD + 130)
    assert each.sums(1, [[0, 4], [0, 0]]) == {SHARD + 1: (4, 0)}
    assert list(each.chunks(1)) == [256, 257, 258]
    assert (len(each.chunks(0)), list(each.chunks(2))) == (256, [])
    some = Members("user", "", [1, SHARD, SHARD + 64])
    assert some.within(1).groups == [SHARD, SHARD + 64]
    assert some.chunks == [0, 256, 257]
    assert Members("team", "", [1, SHARD]).within(1).groups == [1, SHARD]


def test_a_week_of_groups_comes_back_with_every_day() -> None:
    edge = MONDAY + timedelta(7)
    frames = {
        MONDAY: with_days(Frame.of([[1, 2, 3], *[[0, 0, 1]] * (WIDE - 1)])),
        MONDAY + timedelta(6): with_days(Frame.of([[0, 5], *[[]] * (WIDE - 1)])),
    }
    teams = Groups.of("team", "digest", [(0, 0), (1, 70), (2, 0)])
    week = Week.of(edge, teams, 0, frames, TESTS)
    nothing = (0,) * WIDE
    both = [(4, *[1] * (WIDE - 1)), *[nothing] * 6]
    alone = [(2, *[0] * (WIDE - 1)), *[nothing] * 5, (5, *[0] * (WIDE - 1))]
    assert week.sums == {0: both, 70: alone}
    assert (week.chunk(0).sums, week.chunk(1).sums) == ({0: both}, {70: alone})
    item = {"sk": keys.week_of_groups("team", 0, edge), **week.to_attributes(teams)}
    assert item["of"] == "digest"
    found = Week.from_item(item, TESTS)
    assert found.edge == edge
    assert {group: list(map(tuple, days)) for group, days in found.sums.items()} == week.sums
    together = dict(week.of_groups([0, 70, 99]))
    assert list(together) == [MONDAY + timedelta(ahead) for ahead in range(7)]
    assert together[MONDAY] == (6, *[1] * (WIDE - 1))
    assert together[MONDAY + timedelta(6)] == alone[-1]
    empty = Week(edge, {})
    stored = {"sk": keys.week_of_groups("team", 0, edge), **empty.to_attributes(teams)}
    assert Week.from_item(stored, TESTS) == empty


def test_a_strip_comes_back_with_users_and_sums() -> None:
    edge = MONDAY + timedelta(7)
    days = {MONDAY: Count(0b1001, (4,) * WIDE), MONDAY + timedelta(6): Count(1 << 900, (9,) * WIDE)}
    item = {"sk": keys.strip(edge), **to_attributes(days, edge)}
    assert from_item(item, TESTS) == days
    alone = {name: item[name] for name in item if name[0] != "m"}
    assert from_item(alone, TESTS) == {day: Count(each.users) for day, each in days.items()}
    assert Count(1, (2,)).plus(Count(2, (3, 4))) == Count(3, (5, 4))
    assert Count(1, (2,)).plus(Count(2)) == Count(2).plus(Count(1, (2,))) == Count(3, (2,))


def an_event(number: int, who: Who) -> Event[Who]:
    digest = digest_of("ci", str(number))
    return Event(who, TESTS.id, "ci", NOON + number, 0, (number, 0, 0, 0), digest)


def test_a_batch_is_an_entry_for_each_lane_that_has_events_of_it() -> None:
    events = [an_event(number, "ann") for number in range(40)]
    items = to_items("acme", events, 1_700_000_000_123, "ab", 4)
    assert {item["pk"] for item in items} == {"acme#LOG", *(f"acme#LOG#{at}" for at in (1, 2, 3))}
    assert {item["sk"] for item in items} == {"1700000000123#ab"}
    for item in items:
        found = events_of(item)
        assert {lane_of(event.digest, 4) for event in found} == {keys.lane_of(item["pk"])}
        assert events_in(item) == len(found)
        assert item["ttl"] == 1_700_000_000 + 35 * 86_400
    assert sorted(event for item in items for event in events_of(item)) == sorted(events)
    (whole,) = to_items("acme", events, 1_700_000_000_123, "ab", 1)
    assert (whole["pk"], events_of(whole)) == ("acme#LOG", events)
    assert to_items("acme", [], 1, "ab", 1) == to_items("acme", [], 1, "ab", 4) == []
    assert events_in({"digests": "?"}) == events_in({}) == 0


def test_values_get_numbers_and_nothing_else_changes() -> None:
    event = an_event(1, "ann")._replace(values=("pdf", ""))
    value = SentValue(TESTS.id, 0, "pdf")
    assert values_of(event) == [value]
    assert numbered(event, 7, {value: 3}) == an_event(1, 7)._replace(values=(3, 0))
    assert numbered(an_event(1, "ann"), 7) == an_event(1, 7)
    assert numbered(event._replace(values=("", "")), 7).values == ()


def test_lanes_are_told_by_the_digest_and_new_ones_have_nothing() -> None:
    assert [lane_of(bytes([first, 9]), 4) for first in (0, 5, 6, 255)] == [0, 1, 2, 3]
    assert [elders(lane) for lane in (0, 1, 2, 3, 6, 13)] == [
        *([], [0], [0], [0, 1], [0, 2], [0, 1, 5])
    ]
    assert widened((3, 4), 4) == (3, 4, 0, 0)
    for numbers in ((5,), (5, 6)):
        assert from_attribute(to_attribute(numbers)) == numbers
    assert to_attribute((5,)) == 5


def test_coverage_of_a_source_comes_back_as_it_was_stored() -> None:
    seen = Coverage.of([NOON, NOON + 5, NOON - 86_400])
    assert (seen.first, seen.last) == (NOON - 86_400, NOON + 5)
    assert seen.by_date == {MONDAY: 2, MONDAY - timedelta(1): 1}
    assert Coverage.from_item({**seen.to_attributes(), "sk": "ci"}) == seen
    both = seen + Coverage.of([NOON + 9])
    assert both == Coverage(NOON - 86_400, NOON + 9, {MONDAY: 3, MONDAY - timedelta(1): 1})
    sources = {"a": seen, "b": Coverage.of([NOON + 9]), OTHERS: Coverage.of([NOON - 9])}
    assert sources_of(sources_to_attributes(sources, 10**6)) == sources
    least = sources_of(sources_to_attributes(sources, 1))
    assert least == {"b": sources["b"], OTHERS: seen + sources[OTHERS]}
    assert sources_of(sources_to_attributes({"a": seen}, 1)) == {"a": seen}


def test_a_local_day_is_cut_from_the_dates_that_it_lies_on() -> None:
    of_day = ProductDay("acme", APP, ZoneInfo("Europe/Berlin"), MONDAY)
    begin = NOON - 13 * 3_600
    assert of_day.seconds == range(begin, begin + 86_400)
    assert of_day.pk == f"acme#E#{APP.id}"
    first, second = of_day.segments(0)
    assert (first.first, first.last, first.strong) == ("2026-02-15", "2026-02-15~", True)
    assert (second.first, second.last) == ("2026-02-16", "2026-02-16~")
    first, _ = of_day.segments(3, 5, strong=False)
    assert (first.first, first.last) == ("2026-02-15#0000000003~", "2026-02-15#0000000005~")
    assert not first.strong
    assert of_day.segments(0, 5)[0].first == "2026-02-15"


def test_the_newest_frame_inside_a_day_is_looked_for_from_behind() -> None:
    running = Running("2026-02-16", NOON, 4, 100)
    assert running.key_range("pk") == KeyRange(
        "pk", f"O#2026-02-16#{NOON}#0000000004#00", f"O#2026-02-16#{NOON}#0000000004#~"
    )
    known = newest_running(running, "pk", NOON + 9)
    assert known == KeyRange(
        "pk", "O#2026-02-16#", f"O#2026-02-16#{NOON}#0000000004#~", limit=1, newest_first=True
    )
    assert newest_running(running, "pk", NOON - 9).last == f"O#2026-02-16#{NOON - 9}"
    assert newest_chunk(MONDAY, "pk", NOON) == KeyRange(
        "pk", "T#2026-02-16#", f"T#2026-02-16#{NOON}~", limit=1, newest_first=True
    )
    found = {"pk": "pk", "sk": keys.chunk(MONDAY, NOON, 4, 2)}
    assert other_parts([found]) == [
        KeyRange("pk", keys.without_part(found["sk"]), keys.chunk(MONDAY, NOON, 4, 1))
    ]
    assert other_parts([]) == other_parts([{**found, "sk": keys.chunk(MONDAY, NOON, 4, 0)}]) == []


def test_a_chunk_comes_back_from_its_items_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "PART_BYTES", 4_000)
    random = Random(2)
    count = 600
    seconds = sorted(NOON + random.randrange(3_600) for _ in range(count))
    who = [random.randrange(SHARD) for _ in range(count)]
    measures = [[random.getrandbits(30) for _ in range(count)] for _ in range(WIDE)]
    before = with_days(Frame.of([[3, 0, 4], *[[]] * (WIDE - 1)]))
    chunk = Chunk(NOON, before, Segment(seconds, who, measures))
    items = list(chunk.items("pk", MONDAY, 4))
    assert len(items) > 2
    assert [keys.part_of(item["sk"]) for item in items] == list(range(len(items)))
    found = Chunk.from_items(items[::-1], TESTS)
    assert (found.first, found.before.measures) == (NOON, before.measures)
    assert list(found.events.seconds) == seconds
    assert list(found.events.who) == who
    sums = DaySums(TESTS)
    sums.add_frame(0, before)
    sums.add(chunk.events)
    assert found.until(NOON + 3_600, TESTS) == sums.frames()[0]
    assert found.until(NOON, TESTS) == before


def test_events_are_cut_by_second_and_shard() -> None:
    events = [an_event(number, number * SHARD // 2) for number in (3, 1, 2, 0)]
    segment = Segment.of(events, TESTS)
    assert list(segment.seconds) == [NOON, NOON + 1, NOON + 2, NOON + 3]
    assert list(segment.cut(NOON + 1, NOON + 3).who) == [SHARD // 2, SHARD]
    by_shard = {shard: list(some.who) for shard, some in segment.by_shard()}
    assert by_shard == {0: [0, SHARD // 2], 1: [0, SHARD // 2]}
    assert list(segment.of_shards(range(1, 2)).who) == [SHARD, 3 * SHARD // 2]
    assert segment.of_shards(range(2)) is segment
    assert [list(half.who) for half in segment.halves()] == [
        list(segment.who[:2]),
        list(segment.who[2:]),
    ]
    item = {"sk": "2026-02-16#0000000004#0", **segment.to_attributes(NOON - 43_200)}
    back = Segment.from_item(item, TESTS)
    assert [list(back.seconds), list(back.who)] == [list(segment.seconds), list(segment.who)]
    assert segments.midnight_of(item) == NOON - 43_200
    assert segments.from_items([item], 3, TESTS) == []
    assert len(segments.from_items([item], 4, TESTS)) == 1


def test_segments_of_a_range_are_those_of_its_dates() -> None:
    found = segments.key_range("acme", "chat", range(NOON, NOON + 86_400), strong=False)
    assert found == KeyRange("acme#E#chat", "2026-02-16", "2026-02-17~", strong=False)
    assert segments.key_range("acme", "chat", range(NOON, NOON + 43_200)).last == "2026-02-16~"
    assert segments.key_range("acme", "chat", range(NOON, NOON + 1)).strong
    assert list(segments.years_with_frames(date(2026, 1, 1), 2027)) == [2025, 2026]


def test_a_crowded_second_is_one_row_for_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CROWDED", 4)
    seconds, who = [NOON + 1] * 6 + [NOON], [5, 4, 5, 4, SHARD, 5, 4]
    found = segments.in_order(Segment(seconds, who, [[1, 2, 4, 8, 16, 32, 64], [0] * 7]))
    assert list(found.seconds) == [NOON, NOON + 1, NOON + 1, NOON + 1]
    assert list(found.who) == [4, 4, 5, SHARD]
    assert [list(column) for column in found.measures] == [[64, 10, 37, 16], [0] * 4]
    monkeypatch.setattr(segments, "CROWDED", 8)
    apart = segments.in_order(Segment(seconds, who, [[1, 2, 4, 8, 16, 32, 64]]))
    assert list(apart.who) == [4, 4, 4, 5, 5, 5, SHARD]
    assert list(apart.measures[0]) == [64, 2, 8, 1, 4, 32, 16]


def test_deltas_of_later_plans_are_not_counted_yet() -> None:
    frame = with_days(Frame.of([[0, 7], *[[]] * (WIDE - 1)]))
    items = [
        {"sk": keys.delta(MONDAY, plan, 0), **whole_frames.to_attributes(frame)} for plan in (3, 4)
    ] + [{"sk": keys.keyframe(MONDAY, 0), **whole_frames.to_attributes(frame)}]
    counts = counts_by_day(items, 3, TESTS)
    assert counts == {MONDAY: Count(0b10, (7, *[0] * (WIDE - 1)))}
    assert counts_by_day(items, 4, TESTS)[MONDAY].sums[0] == 14


def test_a_sum_that_narrow_lanes_cannot_hold_is_wide() -> None:
    most = Frame.of([[2**56 - 1, 0, 7], [1, 0, 0]])
    assert most.lane_bytes == codec.NARROW
    assert plus(most, most) == Frame.of([[2**57 - 2, 0, 14], [2]])
    assert plus(most, most).lane_bytes == codec.WIDE
    assert plus(plus(most, most), most) == Frame.of([[3 * (2**56 - 1), 0, 21], [3]])
    small = Frame.of([[2**55, 0, 7], [1]])
    assert plus(small, Frame.of([[1], [1]])) == Frame.of([[2**55 + 1, 0, 7], [2]])
    assert plus(small, Frame.of([[1], [1]])).lane_bytes == codec.NARROW
    assert total([most] * 40, 1).sum(0) == 40 * (2**56 - 1 + 7)
    assert total([], 2) == Frame((0, 0, 0))


@pytest.mark.parametrize("most", [1, 2**70], ids=["narrow", "wide"])
def test_whoever_used_anything_was_active(most: int) -> None:
    frame = with_days(Frame.of([[0, most, 0, 0], [0, 0, 5, 0, 0]]))
    assert flags(frame, active(frame.measures))[:5] == bytes([0, 1, 1])
    assert frame.of_user(1) == [most, 0, 1]
    assert frame.sum(DAYS) == 2
    last = with_days(Frame.of([[0] * (SHARD - 1) + [most], []]))
    assert (last.lanes, last.sum(DAYS), last.of_user(SHARD - 1)) == (SHARD, 1, [most, 0, 1])


def test_a_pile_comes_back_with_its_sheets() -> None:
    sheets = {0: Sheets([5, 9], [8, 20]), 3: Sheets([7], [7])}
    pile = Pile(2, "2026-02-16#0000000004#1", True, 60, 900, sheets)  # noqa: FBT003  as it is stored
    found = Pile.from_item({"sk": keys.pile(MONDAY, 4, 2), **pile.to_attributes()})
    assert found[:5] == pile[:5]
    shown = {at: (list(some.firsts), list(some.lasts)) for at, some in found.by_shard.items()}
    assert shown == {0: ([5, 9], [8, 20]), 3: ([7], [7])}
    assert found.sheets(1) == Sheets((), ())
    assert (sheets[0].within(range(5, 9)), sheets[0].within(range(6, 10))) == (
        range(1),
        range(1, 2),
    )
    assert [sheets[0].begun(second) for second in (5, 8, 9, 20, 21)] == [
        *(range(0), range(1), range(0), range(1, 2), range(0))
    ]
