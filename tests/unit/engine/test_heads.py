"""What readers see after each step: the head as a whole, and values that are overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from odometer.domain.events import utc_date
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, Touched, UsageHead, read_head, read_plan
from odometer.engine.format.latest import BLOCK, Coverage
from odometer.engine.read.latest import (
    MOST_BLOCKS,
    LastActive,
    Received,
    events_between,
    former_last_active,
    last_active,
    received,
    seconds_are_known,
    seconds_of,
    users_by_month,
)
from odometer.engine.read.measuring import distinct_users, measure
from odometer.engine.read.views import View
from odometer.engine.write.rebuild import LATE_BYTES
from odometer.engine.write.settle import GRACE_SECONDS
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, period
from tests.unit.engine.test_engine import DAY, NOON, StepByStep

TESTS, APP = PRODUCTS[0], PRODUCTS[-1]
TODAY = date(2026, 11, 20)


def head_of(steps: StepByStep) -> UsageHead:
    head = read_head(ORGANIZATION, steps.simulated.usage)
    assert head
    return head


@pytest.fixture
def steps() -> StepByStep:
    return StepByStep()


def test_the_first_plan_makes_a_head_and_each_plan_is_its_next_version(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON - 60, 1, 10), steps.use("bob", NOON - 90, 1, 10))
    steps.settle()
    first = UsageHead(
        zone="UTC",
        sealed=NOON - GRACE_SECONDS,
        version=2,
        plan=1,
        upto=(1,),
        last=NOON - 60,
        users=2,
        fresh={TESTS.id: [Touched(NOON, "2026-11-20")]},
    )
    assert head_of(steps) == first
    steps.settle()
    assert head_of(steps) == first
    steps.simulated.pass_time(DAY)
    steps.send(steps.use("ann", NOON - 10, 2, 0))
    steps.settle()
    later = head_of(steps)
    pk = keys.frames(ORGANIZATION, TESTS.id, 2026, 0, 0)
    assert [i["sk"] for i in steps.simulated.usage.everything() if i["pk"] == pk] == [
        keys.delta(TODAY, 2, 0)
    ]
    assert later == replace(
        first,
        version=3,
        plan=2,
        sealed=NOON + DAY - GRACE_SECONDS,
        upto=(2,),
        last=NOON - 10,
        fresh={
            TESTS.id: [Touched(NOON + DAY, "2026-11-20")],
            ALL: [Touched(NOON + DAY, str(utc_date(first.sealed)))],
        },
    )


def test_more_lanes_are_one_version_more(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 10))
    steps.settle()
    before = head_of(steps)
    steps.simulated.lanes = 4
    assert not steps.simulated.settle()
    assert head_of(steps) == replace(
        before, version=before.version + 1, upto=(1, 0, 0, 0), through_ms=(0, 0, 0, 0)
    )


def test_a_rebuild_that_is_done_is_one_version_and_shows_its_generation(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 10))
    steps.settle()
    before, rebuilding = head_of(steps), steps.simulated.rebuilding
    assert rebuilding.progress(ORGANIZATION) == (0, 0)
    assert not rebuilding.rebuild(ORGANIZATION, NOON)
    rebuilding.request(ORGANIZATION, f"{TESTS.id}#2026", "Asia/Kolkata")
    done, of = rebuilding.progress(ORGANIZATION)
    assert (done, of > 0) == (0, True)
    while rebuilding.rebuild(ORGANIZATION, NOON, 1) and head_of(steps) == before:
        further = rebuilding.progress(ORGANIZATION)
        assert (further.done > done or further.done == of, further.of) == (True, of)
        done = further.done
    after = head_of(steps)
    assert (after.version, after.rebuilt, after.zone) == (before.version + 1, 1, "UTC")
    assert after.generations == {f"{TESTS.id}#2026": 1}
    assert (after.plan, after.upto, after.sealed) == (before.plan, before.upto, before.sealed)


def test_what_came_late_is_weighed_in_the_head_plan_after_plan(steps: StepByStep) -> None:
    for day in range(10):
        steps.simulated.now = NOON + day * DAY
        steps.send(steps.use("ann", NOON + day * DAY, 1, 10))
        steps.settle()
    weights = []
    for at in range(2):
        steps.send(steps.use("ann", NOON + at, 1, 10, name=f"late {at}"))
        steps.settle()
        weights.append(head_of(steps).late_bytes[f"{TESTS.id}#2026"])
    assert 0 < weights[0] < weights[1] < LATE_BYTES


def test_last_activity_is_told_by_platform_now_and_as_of_any_view(steps: StepByStep) -> None:
    for who, ago, platform in [("ann", 60, 1), ("ann", 30, 2), ("bob", 20, 2), ("cid", 10, 1)]:
        steps.send(steps.use(who, NOON - ago, 5, product=APP, platform=platform))
    steps.settle()
    before = steps.view()
    wanted = {0: LastActive(NOON - 60, NOON - 30), 1: LastActive(0, NOON - 20), 9: LastActive()}
    assert last_active(before, [0, 1, 9]) == wanted
    assert [wanted[0].last, wanted[9].last] == [NOON - 30, 0]
    known = seconds_of(before, None)
    assert list(known) == [0]
    assert seconds_of(before, [5, BLOCK, 2 * BLOCK + 1]).keys() == {0, 1, 2}
    assert last_active(before, [0, 1, 9], known) == wanted
    steps.send(steps.use("ann", NOON - 5, 5, product=APP, platform=1))
    new = {**wanted, 0: LastActive(NOON - 5, NOON - 30)}
    assert last_active(steps.view(), [0, 1, 9]) == new
    steps.settle()
    assert last_active(steps.view(), [0, 1, 9]) == new
    pinned = View.pinned(ORGANIZATION, steps.simulated.usage, before.pin, NOON)
    assert former_last_active(pinned, [0, 1, 9]) == wanted
    assert former_last_active(steps.view(), [0, 1]) == {user: new[user] for user in (0, 1)}


def test_seconds_are_known_once_they_were_read_and_until_something_is_settled(
    steps: StepByStep,
) -> None:
    for ago in (60, 30):
        steps.send(steps.use("ann", NOON - ago, 5, product=APP, platform=1))
        steps.settle()
        for users in (None, [0, 5]):
            assert not seconds_are_known(steps.view(), users)
        assert not seconds_are_known(steps.simulated.warm_view(), None)
        seconds_of(steps.simulated.warm_view(), None)
        known = steps.simulated.warm_view()
        assert seconds_are_known(known, None)
        assert seconds_are_known(known, [0, BLOCK - 1])
        assert not seconds_are_known(known, [0, BLOCK])


def test_so_many_blocks_of_seconds_are_read_ahead_and_no_more(steps: StepByStep) -> None:
    view = steps.view()
    most = [block * BLOCK for block in range(MOST_BLOCKS)]
    assert len(seconds_of(view, most)) == MOST_BLOCKS
    assert not seconds_are_known(view, most)
    assert seconds_of(view, [*most, MOST_BLOCKS * BLOCK]) == {}
    assert seconds_are_known(view, [*most, MOST_BLOCKS * BLOCK])


def test_users_of_a_month_are_counted_once_settled_or_not(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 0), steps.use("bob", NOON - 25 * DAY, 1, 0))
    steps.settle()
    steps.send(steps.use("cid", NOON, 1, 0), steps.use("ann", NOON - 5, 1, 0))
    november, october = date(2026, 11, 1), date(2026, 10, 1)
    found = users_by_month(steps.view(), october, november)
    assert found == {november: 0b101, october: 0b010}
    assert users_by_month(steps.view(), november, november)[november] == 0b101


def test_what_was_received_is_told_by_source_settled_or_not(steps: StepByStep) -> None:
    other = steps.use("bob", NOON - DAY, 1, 0)._replace(source="laptop")
    steps.send(steps.use("ann", NOON, 1, 0), other)
    steps.settle()
    steps.send(steps.use("ann", NOON - 2 * DAY, 1, 0))
    found, nothing = received(steps.view(), [TESTS.id, APP.id])
    assert found == Received(
        TESTS.id,
        {
            "ci": Coverage.of([NOON, NOON - 2 * DAY]),
            "laptop": Coverage.of([NOON - DAY]),
        },
    )
    assert found.whole == Coverage.of([NOON, NOON - DAY, NOON - 2 * DAY])
    assert (nothing.by_source, nothing.whole) == ({}, None)
    first = date(2026, 11, 18)
    assert found.days_without(None, date(2026, 11, 22)) == 2
    assert found.days_without(date(2026, 11, 10), TODAY) == 8
    assert found.days_without(first, date(2026, 11, 1)) == 0
    assert (nothing.days_without(None, TODAY), nothing.days_without(first, TODAY)) == (0, 3)
    whole = Coverage.of([NOON, NOON, NOON - DAY, NOON - 2 * DAY])
    assert [
        events_between(whole, first, last) for first, last in [(None, None), (TODAY, None)]
    ] == [4, 2]
    assert events_between(whole, first, date(2026, 11, 19)) == 2


def test_what_the_first_format_has_of_a_source_counts_once(steps: StepByStep) -> None:
    steps.send(steps.use("ann", NOON, 1, 0))
    steps.settle()
    usage = steps.simulated.usage
    old = Coverage.of([NOON - 9 * DAY])
    pk = keys.coverage(ORGANIZATION, TESTS.id)
    steps.send(steps.use("ann", NOON - DAY, 1, 0))
    usage.put({"pk": pk, "sk": "ci", "k": 1, **old.to_attributes()})
    (found,) = received(steps.view(), [TESTS.id])
    assert found.by_source == {"ci": Coverage.of([NOON, NOON - DAY, NOON - 9 * DAY])}
    usage.delete(pk, "ci")
    usage.put({"pk": pk, "sk": "ci", "k": 2, **old.to_attributes()})
    plan = read_plan(ORGANIZATION, usage, 1)
    assert plan
    usage.put_new(replace(plan, number=2, upto=(2,)).to_item(ORGANIZATION))
    (found,) = received(steps.view(), [TESTS.id])
    assert found.by_source == {"ci": Coverage.of([NOON, NOON - 9 * DAY])}


def test_some_users_are_chosen_and_read_from_columns(steps: StepByStep) -> None:
    steps.send(*(steps.use(who, NOON, n, 0) for n, who in enumerate(["ann", "bob", "cid"], 1)))
    steps.send(steps.use("dot", NOON, 1, product=APP, platform=1))
    used = measure(steps.view(), TESTS, period(range(NOON, NOON + 1)))
    apps = measure(steps.view(), APP, period(range(NOON, NOON + 1)))
    assert (len(used.users), list(used.users)) == (3, [0, 1, 2])
    assert used.among(None) is used.users
    assert (used.among({2, 0, 9}), used.among(None, {1}), used.among({1, 2}, {2})) == (
        *([0, 2], [0, 2], [1]),
    )
    column = used.columns[TESTS.kind.measures[0]]
    assert list(used.values(column, used.users)) == [1, 2, 3]
    assert list(used.values(column, [1, 2, 7, 9])) == [2, 3, 0, 0]
    assert distinct_users([used, apps]) == [0, 1, 2, 3]
    assert used.totals == {TESTS.kind.measures[0]: 6, **dict.fromkeys(TESTS.kind.measures[1:], 0)}
    assert list(used.days_active) == [1, 1, 1]
