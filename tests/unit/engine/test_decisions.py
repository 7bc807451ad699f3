"""The items that decide: how they are stored, and what is read from them."""

from dataclasses import replace
from datetime import date

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import KINDS
from odometer.engine.format.decisions import (
    ALL,
    FRESH_PRODUCTS,
    FRESH_SECONDS,
    PINNED_BYTES,
    Fold,
    Gap,
    NewerFormat,
    Plan,
    Rebuild,
    Touched,
    UsageHead,
    each_fold,
    fold_ranges,
    heaviest,
    includes,
    is_settled_in,
    is_shown,
    mark_of,
    read_folds,
    read_head,
    read_plan,
    scopes,
    without_covered,
)
from odometer.engine.format.inside import Running
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import KeyRange
from tests.support.memory_store import MemoryStore

NOW = 1_790_000_000
UTC_DAYS = MeteredProduct("own", next(k for k in KINDS.values() if not k.local_days))
LOCAL_DAYS = MeteredProduct("home", next(k for k in KINDS.values() if k.local_days))


def event(number: int) -> Event[int]:
    return Event(number, "own", "ci", NOW, 0, (1, 0, 0, 0), digest_of("ci", str(number)))


def store_of(*items: dict[str, object]) -> MemoryStore:
    store = MemoryStore(lambda: NOW)
    for item in items:
        store.put(item)
    return store


def test_a_fold_comes_back_as_it_was_stored() -> None:
    fold = Fold(3, [event(1), event(2)], 123_456, lane=2)
    item = fold.to_item("acme", NOW)
    assert (item["pk"], item["sk"]) == ("acme#F#2", "0000000003")
    assert (item["w"], item["ttl"]) == (123_456, NOW + 35 * 86_400)
    assert Fold.from_item(item) == fold


def test_a_fold_is_told_by_its_events_and_its_watermark() -> None:
    fold = Fold(3, [event(1), event(2)], 123_456)
    assert fold.mark == mark_of(fold.to_item("acme", NOW))
    assert replace(fold, through_ms=7).mark != fold.mark
    assert replace(fold, events=[event(2), event(1)]).mark != fold.mark
    assert fold.identities == {event(1).identity, event(2).identity}
    assert mark_of({"digests": b"ab", "w": 2**32 + 5}) == mark_of({"digests": b"ab", "w": 5})
    assert mark_of({"digests": b"ab", "w": 2**31 + 5}) != mark_of({"digests": b"ab", "w": 5})


def test_a_plan_comes_back_as_it_was_stored() -> None:
    plan = Plan(4, (1, 0), (3, 2), 100, 200)
    item = plan.to_item("acme")
    assert item == {
        "pk": "acme#P",
        "sk": "0000000004",
        "lo": "[1, 0]",
        "hi": "[3, 2]",
        "t0": 100,
        "t": 200,
    }
    assert Plan.from_item(item) == plan
    begun = replace(plan, done="7#step", late={"own#2026": 9})
    assert begun.to_item("acme") == {**item, "done": "7#step", "late": '{"own#2026": 9}'}
    assert Plan.from_item(begun.to_item("acme")) == begun
    one = replace(plan, after=(1,), upto=(3,))
    assert (one.to_item("acme")["lo"], one.to_item("acme")["hi"]) == (1, 3)
    assert Plan.from_item(one.to_item("acme")) == one


def test_a_rebuild_comes_back_as_it_was_stored() -> None:
    rebuild = Rebuild(5, "own#2026", 4, 200, "UTC", "step", 9)
    item = rebuild.to_item("acme")
    assert item == {
        "pk": "acme#B",
        "sk": "0000000005",
        "generation": 5,
        "scope": "own#2026",
        "plan": 4,
        "sealed": 200,
        "zone": "UTC",
        "done": "step",
        "shown": 9,
    }
    assert Rebuild.from_item(item) == rebuild
    late = replace(rebuild, late={"own#2026": 9})
    assert late.to_item("acme") == {**item, "late": '{"own#2026": 9}'}
    assert Rebuild.from_item(late.to_item("acme")) == late


def test_a_rebuild_is_the_same_however_far_it_is() -> None:
    rebuild = Rebuild(5, "own#2026", 4, 200, "UTC")
    assert rebuild.is_same(replace(rebuild, done="step", shown=9, late={"own#2026": 9}))
    assert replace(rebuild, done="step", shown=9, late={"own#2026": 9}).is_same(rebuild)
    assert not rebuild.is_same(replace(rebuild, zone="Asia/Kolkata"))
    assert not rebuild.is_same(None)


@pytest.mark.parametrize("scope", ["own#2026", "*#2026", "*"])
def test_a_rebuild_covers_the_products_and_years_of_its_scope(scope: str) -> None:
    rebuild = Rebuild(5, scope, 4, 200, "UTC")
    assert rebuild.covers(UTC_DAYS, 2026)
    assert rebuild.covers(LOCAL_DAYS, 2026) == (scope != "own#2026")
    assert rebuild.covers(UTC_DAYS, 2025) == (scope == "*")


def test_a_new_zone_concerns_products_with_local_days() -> None:
    assert scopes(UTC_DAYS, 2026) == ("own#2026", "*#2026", "*")
    assert scopes(LOCAL_DAYS, 2026) == ("home#2026", "*#2026", "*", "local")


def test_a_scope_includes_itself_and_what_lies_in_it() -> None:
    assert includes(ALL, "local")
    assert includes("local", "local")
    assert not includes("local", ALL)
    assert includes("*#2026", "own#2026")
    assert not includes("*#2026", "own#2025")
    assert not includes("own#2026", "home#2026")


HEAD = UsageHead(
    zone="Europe/Berlin",
    sealed=200,
    version=8,
    plan=4,
    upto=(3, 2),
    through_ms=(1_000, 2_000),
    last=190,
    users=17,
    rebuilt=2,
    generations={"*#2026": 2, "own#2026": 1, "local": 3},
    fresh={"own": [Touched(NOW, "2026-02-03")]},
    late_bytes={"own#2026": 70},
    running={"own": [Running("2026-02-03", 9, 4, 100)]},
)


def test_a_head_comes_back_as_it_was_stored() -> None:
    item = HEAD.to_item("acme")
    assert item == {
        "pk": "acme#H",
        "sk": "H",
        "format": 3,
        "zone": "Europe/Berlin",
        "sealed": 200,
        "version": 8,
        "plan": 4,
        "upto": "[3, 2]",
        "through_ms": "[1000, 2000]",
        "last": 190,
        "users": 17,
        "rebuilt": 2,
        "generations": '{"*#2026": 2, "own#2026": 1, "local": 3}',
        "fresh": f'{{"own": [[{NOW}, "2026-02-03"]]}}',
        "late_bytes": '{"own#2026": 70}',
        "running": '{"own": [["2026-02-03", 9, 4, 100]]}',
    }
    found = UsageHead.from_item(item)
    assert found == HEAD
    assert isinstance(found.fresh["own"][0], Touched)
    assert isinstance(found.running["own"][0], Running)


def test_a_head_of_one_lane_is_read_by_former_releases() -> None:
    first = UsageHead("UTC", 200)
    item = first.to_item("acme")
    assert (item["format"], item["upto"], item["through_ms"], item["version"]) == (2, 0, 0, 1)
    assert UsageHead.from_item(item) == first
    former = {name: value for name, value in item.items() if name not in {"format", "running"}}
    assert UsageHead.from_item(former) == first


def test_a_head_of_a_later_release_is_not_read() -> None:
    with pytest.raises(NewerFormat):
        UsageHead.from_item({**HEAD.to_item("acme"), "format": 4})


def test_a_head_with_more_lanes_has_settled_nothing_of_them() -> None:
    wider = replace(HEAD, version=9, upto=(3, 2, 0, 0), through_ms=(1_000, 2_000, 0, 0))
    assert (HEAD.with_lanes(4), HEAD.lanes, wider.lanes) == (wider, 2, 4)


def test_the_newest_generation_that_covers_a_product_counts() -> None:
    years = [
        HEAD.generation(product, year)
        for product in (UTC_DAYS, LOCAL_DAYS)
        for year in (2026, 2025)
    ]
    assert years == [2, 0, 3, 3]


def test_a_head_knows_which_products_came_late() -> None:
    assert HEAD.has_late("own", 2026)
    assert not HEAD.has_late("own", 2025)
    assert replace(HEAD, late_bytes={ALL: 1}).has_late("own", 2025)


def test_a_day_is_fresh_while_a_product_was_written_a_moment_ago() -> None:
    for product in ("own", ALL):
        head = replace(HEAD, fresh={product: [Touched(NOW, "2026-02-03")]})
        last = NOW + FRESH_SECONDS - 1
        assert head.is_fresh("own", date(2026, 2, 3), last)
        assert head.is_fresh("own", date(2026, 2, 4), last)
        assert not head.is_fresh("own", date(2026, 2, 2), last)
        assert not head.is_fresh("own", date(2026, 2, 3), last + 1)
        assert head.is_fresh("home", date(2026, 2, 3), last) == (product == ALL)


def test_what_is_written_is_fresh_and_what_was_long_ago_is_not() -> None:
    later = NOW + FRESH_SECONDS
    head = replace(
        HEAD, fresh={"own": [Touched(NOW, "2026-02-03")], "home": [Touched(NOW + 1, "2026-02-05")]}
    )
    assert head.freshened({"app": "2026-02-06", "home": "2026-02-06"}, later) == {
        "app": [Touched(later, "2026-02-06")],
        "home": [Touched(NOW + 1, "2026-02-05"), Touched(later, "2026-02-06")],
    }


@pytest.mark.parametrize("more", [0, 1])
def test_more_fresh_products_than_a_head_names_are_all_products(more: int) -> None:
    since = {f"p{name}": f"2026-02-{1 + name % 28:02d}" for name in range(FRESH_PRODUCTS + more)}
    fresh = replace(HEAD, fresh={}).freshened(since, NOW)
    assert len(fresh) == (1 if more else FRESH_PRODUCTS)
    if more:
        assert fresh == {ALL: [Touched(NOW, "2026-02-01")]}


def test_a_touch_is_covered_by_a_later_one_of_as_early_a_date() -> None:
    touches = [Touched(1, "b"), Touched(2, "a"), Touched(3, "b"), Touched(3, "c"), Touched(4, "d")]
    assert without_covered(touches) == [Touched(2, "a"), Touched(3, "b"), Touched(4, "d")]


def test_the_oldest_of_many_touches_are_one() -> None:
    many = [Touched(at, chr(ord("a") + at)) for at in range(12)]
    assert without_covered(many[:8]) == many[:8]
    assert without_covered(many) == [Touched(4, "a"), *many[5:]]


def test_a_head_names_the_heaviest_late_entries_and_says_that_there_are_more() -> None:
    weights = {f"p{at:02d}": 100 - at // 2 for at in range(65)}
    kept = heaviest(weights)
    assert kept == {**{f"p{at:02d}": 100 - at // 2 for at in range(64)}, ALL: 1}
    del weights["p64"]
    assert list(heaviest(weights)) == list(weights)


def test_a_cursor_keeps_as_many_names_as_fit() -> None:
    names = [f"{at}".rjust(PINNED_BYTES // 4, "x") for at in range(6)]
    running = {name: [Running("2026-02-03", 9, 4, 100)] for name in names}
    fresh = {name: [Touched(NOW, "2026-02-03")] for name in names}
    some = {name: fresh[name] for name in names[:2]}
    pinned = replace(HEAD, running=running, fresh=some).pinned
    assert list(pinned.running) == names[:4]
    assert (pinned.fresh, pinned.late_bytes) == (some, {ALL: 1})
    many = replace(HEAD, running={}, fresh={name: fresh[name] for name in names[:3]}).pinned
    assert (many.running, many.fresh) == ({}, {ALL: [Touched(NOW, "2026-02-03")]})
    first = {"é" * (PINNED_BYTES // 2 - 1): running[names[0]], **running}
    assert len(replace(HEAD, running=first).pinned.running) == 2


def test_folds_are_asked_for_only_in_lanes_that_have_more() -> None:
    assert fold_ranges("acme", (1, 2), (3, 2)) == {
        0: KeyRange("acme#F", "0000000002", "0000000003")
    }
    assert fold_ranges("acme", (1, 2)) == {
        0: KeyRange("acme#F", "0000000002", "~"),
        1: KeyRange("acme#F#1", "0000000003", "~"),
    }


def test_folds_of_all_lanes_are_read_in_order() -> None:
    folds = [Fold(number, [event(number)], number, lane) for lane in (0, 1) for number in (1, 2, 3)]
    store = store_of(*(fold.to_item("acme", NOW) for fold in folds))
    assert read_folds("acme", store, (1, 2)) == [folds[1], folds[2], folds[5]]
    assert read_folds("acme", store, (1, 0), (2, 2)) == [folds[1], folds[3], folds[4]]
    assert list(each_fold("acme", store, 1, lane=1)) == folds[4:]
    assert list(each_fold("acme", store, 0, 2)) == folds[:2]


def test_a_fold_that_is_missing_is_an_error_and_never_nothing() -> None:
    store = store_of(*(Fold(number, [], 0).to_item("acme", NOW) for number in (1, 3)))
    for upto in (None, (3,)):
        with pytest.raises(Gap, match="acme"):
            read_folds("acme", store, (0,), upto)
    with pytest.raises(Gap, match="acme"):
        read_folds("acme", store, (2,), (4,))


def test_what_is_not_stored_is_not_there() -> None:
    plan = Plan(4, (0, 0), (3, 2), 100, 200)
    store = store_of(HEAD.to_item("acme"), plan.to_item("acme"))
    assert (read_head("acme", store), read_head("other", store)) == (HEAD, None)
    assert (read_plan("acme", store, 4), read_plan("acme", store, 5)) == (plan, None)


def test_a_head_is_settled_in_tables_that_have_its_very_plan() -> None:
    plan = Plan(4, (0,), (3,), 100, 200)
    head = replace(HEAD, upto=(3, 0))
    store = store_of(plan.to_item("acme"))
    assert is_settled_in("acme", store, head)
    assert is_settled_in("other", store, replace(head, plan=0))
    assert not is_settled_in("other", store, head)
    assert not is_shown(None, head)
    assert not is_shown(replace(plan, sealed=201), head)
    assert not is_shown(replace(plan, upto=(4,)), head)
