"""What lies just at an edge: the last place, the last user, the second lane, the last event."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from odometer.domain.errors import Corrupt
from odometer.domain.events import Event, digest_of
from odometer.engine.format import codec, frames, keys, last_used, strips
from odometer.engine.format.decisions import ALL, UsageHead, heaviest, read_head
from odometer.engine.format.frames import SHARD, Frame, with_days
from odometer.engine.format.groups import TEAM, USER, Groups, Week
from odometer.engine.format.lanes import lane_of
from odometer.engine.format.log_entries import to_items
from odometer.engine.format.products import PEOPLE, RESERVED, TOTALS, places
from odometer.engine.format.readings import Reading
from odometer.engine.format.segments import Segment
from odometer.engine.read import verify
from odometer.engine.read.last_used import LastUse, LastUses
from odometer.engine.read.measuring import Used
from odometer.engine.read.people import series_of_some
from odometer.engine.read.series import Series
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.verify_inside import Checked
from odometer.engine.write.counted import Counted
from tests.support.memory_store import MemoryStore
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS
from tests.unit.engine.test_asked import asked, deltas
from tests.unit.engine.test_engine import NOON, StepByStep

TESTS = PRODUCTS[0]
MONDAY = date(2026, 2, 16)
DAY = 86_400


def test_the_heaviest_late_entries_are_named_whatever_they_are_called() -> None:
    weights = {f"p{at:02d}": at for at in range(1, 67)}
    assert heaviest(weights) == {**{f"p{at:02d}": at for at in range(3, 67)}, ALL: 1}


def test_a_row_of_a_product_beyond_its_group_is_damage() -> None:
    item = {"pk": "acme#U", "sk": "0", **last_used.to_attributes({(0, 31): 9})}
    assert last_used.from_item(item, 0, 1) == {(0, 63): 9}
    with pytest.raises(Corrupt):
        last_used.from_item({**item, "product": codec.pack([32])}, 0, 1)


def test_the_second_lane_has_its_own_entries() -> None:
    events = [
        Event("ann", TESTS.id, "ci", at, 0, (1, 0, 0, 0), digest_of("ci", str(at)))
        for at in range(20)
    ]
    items = to_items("acme", events, 1_700_000_000_123, "ab", 2)
    assert {lane_of(event.digest, 2) for event in events} == {0, 1}
    assert sorted(item["pk"] for item in items) == ["acme#LOG", "acme#LOG#1"]


def test_own_products_have_places_after_those_that_all_organizations_have() -> None:
    own = [TESTS._replace(id="own"), TESTS._replace(id="other")]
    catalog = [*own[:1], TESTS, TOTALS, TESTS.by_value(0), *own[1:]]
    found = places(catalog, PEOPLE)
    fixed = {product: place for product, place in found.items() if place < RESERVED}
    assert TESTS.id in fixed
    assert {name: at for name, at in found.items() if at >= RESERVED} == {
        "own": RESERVED,
        "other": RESERVED + 1,
    }


def test_events_of_an_item_are_of_one_day_up_to_the_last() -> None:
    def item(last: int) -> dict[str, object]:
        columns = Segment([100, last], [1, 2], [[1, 1]] * TESTS.measures)
        return {"pk": "acme#E#test", "sk": f"{MONDAY}#1", **columns.to_attributes(0)}

    assert list(Segment.from_attributes(item(2 * DAY), TESTS, 0).seconds) == [100, 2 * DAY]
    with pytest.raises(Corrupt):
        Segment.from_attributes(item(2 * DAY + 1), TESTS, 0)


def test_a_strip_has_a_bit_for_the_last_user_of_a_shard() -> None:
    edge, users = MONDAY + timedelta(7), 1 << SHARD - 1
    item = {"sk": keys.strip(edge), **strips.to_attributes({MONDAY: strips.Count(users)}, edge)}
    assert strips.active_in(item) == {MONDAY: users}


def test_days_of_many_stretches_are_asked_for_from_the_first_day_of_the_first() -> None:
    days = [date(2026, 1, 20), date(2026, 1, 21), *(date(2026, at, 20) for at in range(2, 6))]
    assert asked(*days)[1] == [deltas("01-20", "05-21")]


def test_a_reading_may_be_of_a_copy_that_is_behind() -> None:
    reading = Reading.of("acme#R#test#2026#0#0", 2026, MONDAY)
    assert [reading.key_range(strong=strong).strong for strong in (True, False)] == [True, False]


def test_every_lane_has_a_tail() -> None:
    store = MemoryStore(lambda: 0)
    store.put(UsageHead("UTC", 200).with_lanes(4).to_item(ORGANIZATION))
    assert [tail.lane for tail in Counted(store).tails(ORGANIZATION)] == [0, 1, 2, 3]


def test_the_schedule_folds_every_lane() -> None:
    steps = StepByStep()
    simulated = steps.simulated
    steps.send(steps.use("ann", simulated.now, 1))
    simulated.lanes = 2
    while simulated.settle():
        pass
    events = [steps.use(f"user {at}", simulated.now, 1) for at in range(20)]
    assert len(simulated.accept_in_lanes(events, Random(3), 0)) == 2
    for _ in range(5):
        simulated.pass_time(130)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        while simulated.settle():
            pass
    folded = [fold.lane for fold in simulated.folds() for event in fold.events if event.who]
    assert sorted(folded) == sorted(lane_of(event.digest, 2) for event in events)


def test_a_tail_is_forgotten_only_where_tables_have_not_settled_what_it_knows() -> None:
    steps = StepByStep()
    simulated = steps.simulated
    for _ in range(2):
        steps.send(steps.use("ann", simulated.now, 1))
        steps.settle()
        simulated.pass_time(DAY)
    older, counted = UsageHead("UTC", 200), Counted(simulated.usage)
    known = counted.tail(ORGANIZATION, 0)
    assert known.head
    memory = counted.memory
    memory.keep(ORGANIZATION, "kept", "kept", 1)
    settled = replace(known.head, version=known.head.version + 1)
    assert simulated.usage.put_newer(settled.to_item(ORGANIZATION), "version")
    counted.tail(ORGANIZATION, 0)
    assert memory.get(ORGANIZATION, "kept") == "kept"
    simulated.usage.delete(keys.plans(ORGANIZATION), keys.number(known.head.plan))
    simulated.usage.delete(keys.head(ORGANIZATION), "H")
    simulated.usage.put(older.to_item(ORGANIZATION))
    counted.tail(ORGANIZATION, 0)
    assert memory.get(ORGANIZATION, "kept") is None


def test_frames_inside_days_are_counted_by_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        def __init__(self, *_: object) -> None: ...

        def compare(self) -> list[Checked]:
            return [Checked(0, MONDAY, "chunk", is_right) for is_right in (True, False, True)]

    steps = StepByStep()
    steps.send(steps.use("ann", steps.simulated.now, 1))
    steps.settle()
    monkeypatch.setattr(verify, "InsideCheck", Found)
    found = YearCheck(steps.view(), TESTS, 2026).compare()
    assert (found.frames, [(each.day, each.what) for each in found.drifts]) == (
        3,
        [(MONDAY, "chunk")],
    )


def test_users_are_those_of_some_and_numbers_beyond_a_column_are_0() -> None:
    used = Used(TESTS, [with_days(Frame.of([[0, 5, 0, 7], *[[]] * (TESTS.measures - 1)]))])
    assert (len(used.among(None)), list(used.among(None))) == (2, [1, 3])
    assert (used.among({0, 3}), used.among(None, {3})) == ([3], [1])
    assert list(used.values(used.columns[TESTS.kind.measures[0]], [1, 2, 9])) == [5, 0, 0]


def test_before_anything_is_settled_unsettled_events_say_who_used_what_last() -> None:
    steps = StepByStep()
    steps.send(steps.use("ann", NOON, 1))
    found = LastUses(steps.view(), PRODUCTS, PRODUCTS).found()
    assert found == ({0: LastUse(NOON, TESTS.id)}, {TESTS.id: NOON}, True)


def test_hours_of_a_few_people_are_read_of_everybody_s_frames_as_groups_of_one() -> None:
    steps = StepByStep()
    steps.send(steps.use("ann", NOON, 1))
    view = steps.view()
    many = replace(view, head=replace(UsageHead("UTC", NOON), users=1_000))
    chosen = series_of_some(many, PRODUCTS, PRODUCTS, [NOON, NOON + 3_600, NOON + 7_200], {9, 5})
    assert isinstance(chosen, Series)
    assert chosen.members == (USER, "", [5, 9])


def test_a_week_of_groups_is_added_up_at_once_and_of_days_that_take_several_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "PART_BYTES", 60)
    steps = StepByStep()
    simulated = steps.simulated
    steps.send(*(steps.use(f"user {at}", NOON, at + 1, 2**at) for at in range(40)))
    steps.settle()
    simulated.pass_time(14 * DAY)
    steps.send(steps.use("user 0", simulated.now, 1))
    steps.settle()
    first = f"F#{date(2026, 11, 20)}#1"
    pks = [each["pk"] for each in simulated.usage.everything() if each["sk"].startswith(first)]
    assert len(pks) > len(set(pks))
    head = read_head(ORGANIZATION, simulated.usage)
    assert head
    teams = Groups.of(TEAM, "a", [(user, 0) for user in range(40)])
    simulated.grouping.write(ORGANIZATION, head, [teams], "a", 1, simulated.now, 5_000)
    sk = keys.week_of_groups(TEAM, 0, date(2026, 11, 23))
    weeks = [
        Week.from_item(each, TESTS)
        for each in simulated.usage.everything()
        if each["sk"] == sk and TESTS.id in each["pk"]
    ]
    days = [sums for week in weeks for sums in week.sums[0]]
    assert [day[:2] for day in days if any(day)] == [(820, 2**40 - 1)]


def test_a_year_that_is_made_again_has_the_same_figures() -> None:
    steps = StepByStep()
    for week in range(3):
        steps.send(steps.use("ann", steps.simulated.now, week + 1))
        steps.settle()
        steps.simulated.pass_time(7 * DAY)
    before = steps.used("2026-11-01", "2026-12-31")
    assert before == {0: (6, 0, 3)}
    steps.rebuild(f"{TESTS.id}#2026")
    assert steps.used("2026-11-01", "2026-12-31") == before
