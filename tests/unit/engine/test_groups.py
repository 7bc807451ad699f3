"""Sums of teams by week: what is written, when it is due, and what it spares a reader."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, pairwise
from random import Random

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.time import Period, epoch_second
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, UsageHead, read_head
from odometer.engine.format.groups import TEAM, USER, Division, EachUser, Groups, Members
from odometer.engine.read.series import Series
from odometer.engine.store import Item, KeyRange
from odometer.engine.write.groups import PAUSE_SECONDS
from odometer.reports.blocks import Granularity, Tally, blocks, edges, tally_blocks
from tests.property.test_series import PRODUCTS, expected
from tests.support.memory_store import Killed
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

DAY = 86_400
AN_HOUR = 3_600
"""After it a read that may be behind is not."""
PRODUCT = PRODUCTS[0]
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERIOD = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))
PEOPLE = 130
WEEKS = 8


def teams(digest: str = "a", size: int = 2) -> Groups:
    """Two in each team."""
    return Groups.of(TEAM, digest, [(user, user // size) for user in range(PEOPLE)])


def a_day(simulated: SimulatedEngine, random: Random) -> None:
    """Everybody uses the product, and the day is settled."""
    for who in range(PEOPLE):
        measures = (random.randrange(9), 1, random.randrange(2**40), 3)
        digest = digest_of("test", f"{simulated.now} {who}")
        event = Event(f"u{who}", PRODUCT.id, "test", simulated.now, 0, measures, digest)
        simulated.accept([event], random, 0)
    simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
    simulated.pass_time(DAY)
    while simulated.settle():
        pass


@pytest.fixture
def simulated() -> SimulatedEngine:
    """Every third day of two months."""
    simulated, random = SimulatedEngine(epoch_second(BEGIN), "UTC", PRODUCTS[:1]), Random(1)
    for _ in range(WEEKS * 7 // 3):
        a_day(simulated, random)
        simulated.pass_time(2 * DAY)
    return simulated


def head_of(simulated: SimulatedEngine) -> UsageHead:
    head = read_head(ORGANIZATION, simulated.usage)
    assert head
    return head


def write(simulated: SimulatedEngine, groups: Groups, version: int, budget: int = 5_000) -> None:
    """Take one step of writing the sums of these teams."""
    head, divided = head_of(simulated), divided_as(groups)
    simulated.grouping.write(
        ORGANIZATION, head, divided, groups.digest, version, simulated.now, budget
    )
    simulated.pass_time(AN_HOUR)


def divided_as(groups: Groups) -> list[Division]:
    return [groups, EachUser(PEOPLE)]


def stored(simulated: SimulatedEngine) -> Iterator[Item]:
    return (item for item in simulated.usage.everything() if keys.is_of_groups(item["sk"]))


def asked(simulated: SimulatedEngine, members: Members | None, users: set[int]) -> list[Tally]:
    """What some users did by day, which must be what brute force finds."""
    ends = edges(blocks(PERIOD, Granularity.DAILY))
    series = Series(simulated.view(), PRODUCTS[:1], ends, members=members)
    found = tally_blocks(series, users)
    folds = simulated.folds()
    assert found == [expected(folds, pair, users, PRODUCTS[:1]) for pair in pairwise(ends)]
    return found


@pytest.fixture
def deltas(simulated: SimulatedEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The deltas that are read, by their keys."""
    read, keys_read = simulated.usage.items_in, list[str]()

    def noting(key_range: KeyRange) -> list[Item]:
        found = read(key_range)
        keys_read.extend(item["sk"] for item in found if keys.is_delta(item["sk"]))
        return found

    monkeypatch.setattr(simulated.usage, "items_in", noting)
    return keys_read


def contents(simulated: SimulatedEngine) -> dict[str, tuple[bytes, bytes]]:
    return {item["sk"]: (item["group"], item["m0"]) for item in stored(simulated)}


ITEMS_OF_A_WEEK = 2 + 3
"""65 teams and 130 users, 64 to an item."""
TEAM_3, ITS_MEMBERS = Members(TEAM, "a", [3]), {6, 7}


def test_sums_of_a_team_are_not_read_from_everybody(
    simulated: SimulatedEngine, deltas: list[str]
) -> None:
    asked(simulated, None, ITS_MEMBERS)
    before = len(deltas)
    write(simulated, teams(), 1)
    deltas.clear()
    asked(simulated, TEAM_3, ITS_MEMBERS)
    assert before > 15
    assert len(deltas) <= 3, "those of the week that is not over"


def test_one_user_is_a_team_of_one(simulated: SimulatedEngine, deltas: list[str]) -> None:
    write(simulated, teams(), 1)
    deltas.clear()
    asked(simulated, Members(USER, "", [77]), {77})
    assert len(deltas) <= 3


def test_a_user_who_came_later_has_no_weeks_to_read(
    simulated: SimulatedEngine, deltas: list[str]
) -> None:
    write(simulated, teams(), 1)
    deltas.clear()
    asked(simulated, Members(USER, "", [PEOPLE + 900]), {PEOPLE + 900})
    assert len(deltas) <= 3


def test_whoever_moved_counts_in_the_new_team_at_once_and_cheaply_later(
    simulated: SimulatedEngine, deltas: list[str]
) -> None:
    write(simulated, teams(), 1)
    moved, members = teams("b", size=5), {15, 16, 17, 18, 19}
    deltas.clear()
    asked(simulated, Members(TEAM, "b", [3]), members)
    assert len(deltas) > 15
    write(simulated, moved, 2)
    deltas.clear()
    asked(simulated, Members(TEAM, "b", [3]), members)
    assert len(deltas) <= 3
    asked(simulated, TEAM_3, ITS_MEMBERS)  # a page of a report that began before


def test_an_older_directory_replaces_no_newer_sums(simulated: SimulatedEngine) -> None:
    write(simulated, teams("b"), 2)
    write(simulated, teams("a"), 1)
    assert {item["of"] for item in stored(simulated) if "#team#" in item["sk"]} == {"b"}


def test_steps_go_on_where_they_stopped(simulated: SimulatedEngine) -> None:
    while simulated.grouping.due(ORGANIZATION, head_of(simulated), "a", simulated.now) is not None:
        before = len(list(stored(simulated)))
        write(simulated, teams(), 1, budget=1)
        assert len(list(stored(simulated))) - before in (0, ITEMS_OF_A_WEEK)
    in_steps = contents(simulated)
    write(simulated, teams("elsewhere"), 2)
    write(simulated, teams(), 3)
    assert contents(simulated) == in_steps
    assert len(in_steps) == ITEMS_OF_A_WEEK * (WEEKS - 1)


def test_whoever_dies_between_any_two_writes_another_goes_on(simulated: SimulatedEngine) -> None:
    write(simulated, teams(), 1)
    whole = contents(simulated)
    for alive in range(len(whole)):
        for item in list(stored(simulated)):
            simulated.usage.delete(item["pk"], item["sk"])
        simulated.usage.delete(keys.groups(ORGANIZATION), "0")
        left = count(alive, -1)
        simulated.usage.before_each = lambda verb, left=left: (  # type: ignore[misc]
            dies() if verb == "put" and next(left) == 0 else None
        )
        with pytest.raises(Killed):
            write(simulated, teams(), 1)
        simulated.usage.before_each = lambda _: None
        write(simulated, teams(), 1)
        assert contents(simulated) == whole


def dies() -> None:
    raise Killed


def test_it_is_due_when_a_week_is_sealed_or_frames_are_made_again(
    simulated: SimulatedEngine,
) -> None:
    def due() -> int | None:
        return simulated.grouping.due(ORGANIZATION, head_of(simulated), "a", simulated.now)

    assert due() == simulated.now
    write(simulated, teams(), 1)
    assert due() is None
    random = Random(2)
    for _ in range(8):
        a_day(simulated, random)
    assert due() == simulated.now
    write(simulated, teams(), 1)
    assert due() is None
    simulated.rebuilding.request(ORGANIZATION, ALL, "UTC")
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
        pass
    assert due() == simulated.now
    write(simulated, teams(), 1)
    asked(simulated, TEAM_3, ITS_MEMBERS)


def test_somebody_who_moves_is_waited_for_an_hour_at_most(simulated: SimulatedEngine) -> None:
    write(simulated, teams("a"), 1)
    began = simulated.now - AN_HOUR
    due = simulated.grouping.due(ORGANIZATION, head_of(simulated), "b", simulated.now)
    assert due == max(simulated.now, began + PAUSE_SECONDS)


def test_who_moves_before_all_weeks_are_written_is_waited_for_as_well(
    simulated: SimulatedEngine,
) -> None:
    """Otherwise moves that come faster than a pass begin it again for ever."""
    head, began = head_of(simulated), simulated.now
    write(simulated, teams("a"), 1, budget=1)
    assert simulated.grouping.due(ORGANIZATION, head, "a", began) == began
    assert simulated.grouping.due(ORGANIZATION, head, "b", began) == began + PAUSE_SECONDS


def test_a_roster_that_divides_nobody_in_another_way_writes_nothing_again(
    simulated: SimulatedEngine,
) -> None:
    write(simulated, teams("a"), 1)
    head, before = head_of(simulated), list(stored(simulated))
    divided = divided_as(teams("a"))
    simulated.grouping.write(ORGANIZATION, head, divided, "renamed", 9, simulated.now)
    assert list(stored(simulated)) == before
    assert simulated.grouping.due(ORGANIZATION, head, "renamed", simulated.now) is None
