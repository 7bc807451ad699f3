"""What an organization has to do: what is due, how long failures pause, and what a step leaves."""

from dataclasses import replace

from odometer.engine.format.marks import (
    AUDIT,
    FIRST_PAUSE,
    FOLD,
    FOLD_AGAIN,
    GROUP,
    HOUR,
    LANDED_SECONDS,
    LONGEST_PAUSE,
    PATIENCE,
    REBUILD,
    RETIRE,
    SETTLE,
    Mark,
)

NOW = 1_790_000_000


def mark_of(**due: int) -> Mark:
    return Mark("acme", NOW - 500, due, NOW - 300, 7, {"settle": 2})


def test_a_mark_comes_back_as_it_was_stored() -> None:
    mark = mark_of(fold=NOW, audit=NOW + 9)
    item = {
        "pk": "MARKS",
        "sk": "acme",
        "since": NOW - 500,
        "fold": NOW,
        "audit": NOW + 9,
        "accepted": NOW - 300,
        "steps": 7,
        "failures": {"settle": 2},
    }
    assert mark.to_item() == item
    assert Mark.from_item(item) == mark


def test_a_mark_with_nothing_to_say_is_short() -> None:
    item = {"pk": "MARKS", "sk": "acme", "since": NOW}
    assert Mark("acme", NOW).to_item() == item
    assert Mark.from_item(item) == Mark("acme", NOW)


def test_a_message_is_named_after_the_step_and_what_is_due_first() -> None:
    assert mark_of(fold=NOW + 1, audit=NOW).message_id == f"acme-{NOW - 500}-7-{NOW}"
    assert mark_of().message_id == f"acme-{NOW - 500}-7-0"


def test_the_task_that_has_waited_longest_for_its_patience_is_next() -> None:
    mark = mark_of(fold=NOW - 10, settle=NOW - 100, audit=NOW - HOUR)
    assert mark.most_urgent(NOW) == SETTLE
    assert mark.most_urgent(NOW - 100) == AUDIT
    assert mark_of(settle=NOW, audit=NOW).most_urgent(NOW) == SETTLE
    assert mark.most_urgent(NOW - HOUR - 1) is None
    assert mark_of().most_urgent(NOW) is None


def test_a_task_is_overdue_once_its_patience_is_over() -> None:
    mark = mark_of(fold=NOW - 125, settle=NOW - 15 * 60 - 3)
    assert mark.overdue_seconds(NOW) == 5
    assert mark_of(fold=NOW).overdue_seconds(NOW) == -PATIENCE[FOLD]
    assert mark_of().overdue_seconds(NOW) == 0


def test_each_failure_pauses_twice_as_long_up_to_an_hour() -> None:
    mark = Mark("acme", NOW, {FOLD: NOW, AUDIT: NOW})
    pauses = []
    for _ in range(8):
        mark = mark.postponed(FOLD, NOW)
        pauses.append(mark.due[FOLD] - NOW)
    assert pauses == [60, 120, 240, 480, 960, 1920, LONGEST_PAUSE, LONGEST_PAUSE]
    assert mark == Mark("acme", NOW, {FOLD: NOW + HOUR, AUDIT: NOW}, 0, 8, {FOLD: 8})


def test_what_has_failed_is_tried_again_at_once_when_it_is_asked_for() -> None:
    mark = mark_of(settle=NOW + HOUR, fold=NOW + 5)
    again = mark.again(NOW)
    assert again == Mark("acme", NOW - 500, {SETTLE: NOW, FOLD: NOW + 5}, NOW - 300, 8)
    assert mark_of(settle=NOW - 5).again(NOW).due == {SETTLE: NOW - 5}


def test_a_step_takes_its_task_away_and_leaves_what_it_says() -> None:
    mark = mark_of(settle=NOW - 9, audit=NOW + 99)
    done = mark.done(SETTLE, NOW - 9, NOW - 2, {GROUP: NOW + 60, RETIRE: NOW - 60})
    left = {AUDIT: NOW + 99, GROUP: NOW + 60, RETIRE: NOW - 60}
    assert done == Mark("acme", NOW - 500, left, 0, 8)
    others = replace(mark, failures={REBUILD: 1}).done(SETTLE, NOW - 9, NOW, {})
    assert others.failures == {REBUILD: 1}


def test_what_was_asked_for_meanwhile_stays() -> None:
    mark = mark_of(settle=NOW - 1, group=NOW + 30)
    done = mark.done(SETTLE, NOW - 9, NOW - 2, {GROUP: NOW + 60, SETTLE: NOW + 60})
    assert done.due == {SETTLE: NOW - 1, GROUP: NOW + 30}
    sooner = mark.done(SETTLE, NOW - 9, NOW - 2, {GROUP: NOW - 60})
    assert sooner.due == {SETTLE: NOW - 1, GROUP: NOW - 2}


def test_who_folds_before_all_entries_have_landed_folds_again() -> None:
    mark = Mark("acme", NOW - 500, {FOLD: NOW - 5}, accepted=NOW - LANDED_SECONDS)
    assert mark.done(FOLD, NOW - 5, NOW, {}) == Mark("acme", NOW - 500, steps=1)
    newer = replace(mark, accepted=mark.accepted + 1)
    assert newer.done(FOLD, NOW - 5, NOW, {}).due == {FOLD: NOW + FOLD_AGAIN}
    assert newer.done(FOLD, NOW - 5, NOW, {}).accepted == newer.accepted
    assert newer.done(SETTLE, NOW, NOW, {}).due == {FOLD: NOW - 5}


def test_a_task_that_failed_stays_postponed_whatever_another_one_says_is_left() -> None:
    failing = Mark("us", 900, {FOLD: 900, SETTLE: 900}).postponed(SETTLE, 1000)
    again = 1000 + FIRST_PAUSE
    folded = failing.done(FOLD, 900, 1001, {SETTLE: 5})
    assert folded.due == {SETTLE: again}
    assert folded.done(SETTLE, again, 1090, {SETTLE: 5}).due == {SETTLE: 5}
