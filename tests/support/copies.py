"""Copies of the tables, and what a restore from one leaves there."""

from collections.abc import Mapping, Sequence
from typing import Any

from odometer.bootstrap import process

Copy = Mapping[str, Sequence[Mapping[str, Any]]]
"""The items of every table that the engine works on."""


def copy_of_tables() -> Copy:
    """All items as they are now."""
    return {name: items_of(name) for name in ("directory", "log", "usage")}


def items_of(table: str) -> Sequence[Mapping[str, Any]]:
    """All items of a table."""
    return process().dynamodb.scan(TableName=table)["Items"]


def restore_tables(copy: Copy) -> None:
    """Let the tables hold the items of a copy and no others."""
    for table, items in copy.items():
        for item in items_of(table):
            key = {name: item[name] for name in ("pk", "sk")}
            process().dynamodb.delete_item(TableName=table, Key=key)
        for item in items:
            process().dynamodb.put_item(TableName=table, Item=dict(item))
