"""What the restore runbook builds on: after a restore of `usage`, the log brings all back."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from odometer.bootstrap import process
from tests.integration.test_operations import Type, key, odometer
from tests.support.intake import ago, run, send, usage_event
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, create_tables

__all__ = ["key", "odometer"]  # fixtures
SUMMARY = (
    "/insights/api/v3/public/usage-report/summary?type=account-user"
    f"&from={ago(days=60)[:10]}%2000:00:00&to={ago(days=0)[:10]}%2023:59:59"
)
Items = Sequence[Mapping[str, Any]]


def kept(table: str) -> Items:
    """What a table holds at this instant."""
    found: Items = process().dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return found


def restored(table: str, items: Items) -> None:
    """Make a table again under its name, with what it held then; nobody remembers anything."""
    client = process().dynamodb
    client.delete_table(TableName=table)
    create_tables(client, [table])
    for item in items:
        client.put_item(TableName=table, Item=dict(item))
    process.cache_clear()


def worked(stack: Stack, senders: Mapping[str, str], name: str) -> None:
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
    worked(stack, senders, "before")
    then = {table: kept(table) for table in tables}
    worked(stack, senders, "after")
    figures = [stack.get(SUMMARY, sender).json["data"] for sender in senders.values()]
    for table, items in then.items():
        restored(table, items)
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] != figures
    assert odometer("redrive").exit_code == 0
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] == figures
    run("settle")
    assert odometer("verify").exit_code == 0
    assert [stack.get(SUMMARY, each).json["data"] for each in senders.values()] == figures
