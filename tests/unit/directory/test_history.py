"""How much of a user's history is kept: what a report of any month asks for, and no more."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from odometer.directory.columns import Block
from odometer.directory.history import KEPT_MONTHS, shortened
from odometer.domain.people import State
from odometer.domain.time import epoch_ms
from odometer.reports.utilization import end_of, months, state_at, utilization
from odometer.storage.directory import LARGEST_SLICE, packed_slices
from tests.support.memory_directory import NOON, MemoryDirectory

NOON_MS = epoch_ms(NOON)
LONG_AGO = NOON - timedelta(days=366 * 14)
every_state = st.sampled_from(list(State))


@given(st.lists(st.tuples(every_state, st.integers(epoch_ms(LONG_AGO), NOON_MS)), min_size=1))
def test_every_month_that_a_report_shows_is_told_as_by_the_whole_history(
    changes: list[tuple[State, int]],
) -> None:
    whole = sorted(changes, key=lambda each: each[1])
    former = shortened([list(each) for each in whole[:-1]], NOON_MS)
    kept = [*((state, since) for state, since in former), whole[-1]]
    lived = months(date(2005, 1, 1), NOON)
    assert len(lived) == KEPT_MONTHS
    assert [state_at(kept, end_of(each, NOON)) for each in lived] == [
        state_at(whole, end_of(each, NOON)) for each in lived
    ]
    assert list(utilization([kept], {}, lived, NOON)) == list(utilization([whole], {}, lived, NOON))


def test_what_is_kept_of_a_history_is_bounded() -> None:
    hourly = [[State.INVITED, NOON_MS - hour * 3_600_000] for hour in range(24 * 366 * 14)]
    kept = shortened(hourly[::-1], NOON_MS)
    assert len(kept) == 1 + KEPT_MONTHS + 8
    assert kept[-1] == hourly[0]
    assert shortened(kept, NOON_MS) == kept


def test_the_longest_histories_of_a_block_fit_into_an_item() -> None:
    random = Random(1)
    longest = [shortened(any_changes(random), NOON_MS) for _ in range(256)]
    assert {len(each) for each in longest} == {1 + KEPT_MONTHS + 8}
    (only,) = packed_slices({"former": longest})
    assert LARGEST_SLICE // 3 < len(only) <= LARGEST_SLICE


def any_changes(random: Random) -> list[list[Any]]:
    """Three changes in every month for 14 years, and more in this one."""
    past = [
        epoch_ms(LONG_AGO) + n * 864_000_000 + random.randrange(864_000_000) for n in range(511)
    ]
    recent = [epoch_ms(datetime(2026, 2, 20, tzinfo=UTC)) + n * 9_999_999 for n in range(20)]
    return [[random.choice(list(State)), at] for at in sorted([*past, *recent])]


def test_a_thousand_changes_of_every_user_leave_room_for_new_ones() -> None:
    memory = MemoryDirectory()
    memory.put(*(("user", {"id": f"u{n}", "username": f"user {n}"}) for n in range(50)))
    for hour in range(1, 200):
        state = State.DEACTIVATED if hour % 2 else State.REGISTERED
        now = NOON + timedelta(days=hour)
        memory.put(*(("user", {"id": f"u{n}", "state": state}) for n in range(50)), now=now)
    stored = memory.kept[Block("users", "history", 0), memory.head.blocks[history_block()]]
    assert len(stored) < 50 * 30 * 20
    assert memory.user(username="somebody new").status == "created"
    assert all(len(each) < 30 for each in memory.directory.histories())


def history_block() -> Block:
    return Block("users", "history", 0)


def test_users_who_change_nothing_have_no_history_to_store() -> None:
    memory = MemoryDirectory()
    memory.put(*(("user", {"id": f"u{n}", "username": f"user {n}"}) for n in range(600)))
    assert not [block for block in memory.head.blocks if block.family == "history"]
    memory.user(id="u300", state=State.DEACTIVATED)
    assert [b.number for b in memory.head.blocks if b.family == "history"] == [1]
    memory.user(username="one more")
    assert [b.number for b in memory.head.blocks if b.family == "history"] == [1]
    histories = list(memory.directory.histories())
    assert [len(each) for each in histories] == [1] * 300 + [2] + [1] * 300


def test_when_a_user_was_created_is_kept_and_corrected_while_there_is_one_state() -> None:
    memory = MemoryDirectory()
    memory.user(id="u1", username="ann", state_since=NOON_MS - 5)
    memory.user(id="u1", state_since=NOON_MS - 4)
    assert memory.directory.user(0).created_at == NOON_MS - 4
    memory.user(id="u1", state=State.DEACTIVATED)
    memory.user(id="u1", state_since=NOON_MS - 1)
    (ann,) = memory.directory.users
    assert (ann.created_at, ann.state_since) == (NOON_MS - 4, NOON_MS - 1)
