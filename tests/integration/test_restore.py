"""What the restore runbook builds on: after a restore of `usage`, the log brings all back."""

from collections.abc import Mapping, Sequence

import pytest

from odometer.bootstrap import process
from tests.integration.test_operations import Type, key, odometer
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, copy_of_tables, restore_tables
from tests.support.usage_sender import ago, run, send, usage_event

__all__ = ["key", "odometer"]  # fixtures
SUMMARY = (
    "/insights/api/v3/public/usage-report/summary?type=account-user"
    f"&from={ago(days=60)[:10]}%2000:00:00&to={ago(days=0)[:10]}%2023:59:59"
)


def send_and_settle(stack: Stack, senders: Mapping[str, str], name: str) -> None:
    """Use by users whom some know and some do not, folded and settled."""
    for organization, sender in senders.items():
        events = [
            usage_event(f"{name}-{day}", subject=f"{name}-{day % 3}", time=ago(days=day))
            for day in range(1, 30, 9)
        ]
        assert send(stack, sender, events).status == 202, organization
    run("fold")
    run("settle")


@pytest.mark.parametrize("tables", [("usage",), ("usage", "directory")], ids="+".join)
def test_what_was_accepted_since_the_instant_is_in_the_reports_again(
    stack: Stack, key: str, odometer: Type, tables: Sequence[str]
) -> None:
    senders = {ACME: key, OTHER: admin_of(stack, OTHER)}
    send_and_settle(stack, senders, "before")
    copy = copy_of_tables(tables)
    send_and_settle(stack, senders, "after")
    figures = [stack.get(SUMMARY, sender).json["data"] for sender in senders.values()]
    restore_tables(copy)
    process.cache_clear()
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] != figures
    assert odometer("redrive").exit_code == 0
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] == figures
    run("settle")
    assert odometer("verify").exit_code == 0
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] == figures
