"""Usage over time does not change when what was used is settled, sealed or made again."""

from typing import Any

import pytest

from tests.integration.test_usage_metrics_series import CHAT, COMPLETION, NOW, ask, at, blocks
from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import Stack
from tests.support.usage_sender import UsageSender, used


@pytest.fixture
def fresh(stack: Stack) -> People:
    """An organization that has used nothing."""
    stack.now = NOW
    return people_of(stack, ACME)


def test_blocks_are_the_same_before_and_after_their_days_are_settled_sealed_and_made_again(
    fresh: People,
) -> None:
    usage_sender = UsageSender(ACME)
    early, late = at(1, month=1), at(20)
    usage_sender.settle(early)
    member = fresh.id("member")
    usage_sender.send([used(member, COMPLETION, at(day), 1, 2, 3, 4) for day in range(1, 20)], late)

    def seen() -> list[list[dict[str, Any]]]:
        return [blocks(ask(fresh, granularity=each)) for each in ("daily", "weekly", "monthly")]

    first = seen()
    assert first[2][0]["codeCompletions"]["completions"] == 19
    usage_sender.settle(late)
    assert seen() == first
    usage_sender.settle(NOW)
    assert seen() == first
    usage_sender.rebuild(NOW)
    assert seen() == first
    usage_sender.send([used(member, COMPLETION, at(4, "11:00:00"), 1, 0, 0, 0)], NOW)
    days, weeks, (month,) = seen()
    assert days[3]["codeCompletions"]["completions"] == 2
    assert weeks[1]["codeCompletions"]["completions"] == 8
    assert month["codeCompletions"]["completions"] == 20
    usage_sender.settle(NOW)
    assert seen() == [days, weeks, [month]]


def test_an_organization_without_usage_has_empty_blocks(fresh: People) -> None:
    found = blocks(ask(fresh, granularity="weekly"))
    assert len(found) == 5
    assert {each["activeUsers"] for each in found} == {0}


def test_more_useful_interactions_than_interactions_are_not_more_than_all(fresh: People) -> None:
    UsageSender(ACME).send([used(fresh.id("member"), CHAT, at(3), 1, 5, 0, 0)], NOW)
    (block,) = blocks(ask(fresh))
    assert block["chat"]["chatConsumptionRate"] == 1
