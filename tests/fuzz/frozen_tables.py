"""A client of DynamoDB that reads from a copy and forgets what is written."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.support.stack import Copy


class FrozenTables:
    """Answers as DynamoDB does, of tables that never change: every condition of a write holds."""

    def __init__(self, copy: Copy) -> None:
        self._items: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
        for table, items in copy.items():
            for item in sorted(items, key=lambda item: str(item["sk"]["S"])):
                self._items[table, item["pk"]["S"]][item["sk"]["S"]] = item
        self.damage: Any = None
        """What becomes of the items that are read, if anything does."""

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        return self.damage(item) if self.damage else item

    def _found(self, table: str, key: Mapping[str, Any]) -> list[dict[str, Any]]:
        item = self._items.get((table, key["pk"]["S"]), {}).get(key["sk"]["S"])
        return [self._shown(item)] if item else []

    def get_item(self, TableName: str, Key: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = self._found(TableName, Key)
        return {"Item": found[0]} if found else {}

    def batch_get_item(self, RequestItems: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = {
            table: [item for key in wanted["Keys"] for item in self._found(table, key)]
            for table, wanted in RequestItems.items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def query(self, **asked: Any) -> dict[str, Any]:
        ends = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        items = self._items.get((asked["TableName"], ends[":pk"]), {})
        names = list(items)
        first, end = bisect_left(names, ends[":low"]), bisect_left(names, ends[":high"] + "\0")
        within = names[first:end] if asked.get("ScanIndexForward", True) else names[first:end][::-1]
        return {"Items": [self._shown(items[name]) for name in within[: asked.get("Limit")]]}

    def update_item(self, **asked: Any) -> dict[str, Any]:
        """All that was said, as if nothing had been there before."""
        names = asked.get("ExpressionAttributeNames", {})
        values = asked.get("ExpressionAttributeValues", {})
        said = {
            names[f"#{alias[1:]}"]: values[alias] for alias in values if f"#{alias[1:]}" in names
        }
        return {"Attributes": {**asked["Key"], **said}}

    def put_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def transact_write_items(self, **_: Any) -> dict[str, Any]:
        return {}

    def delete_item(self, **_: Any) -> dict[str, Any]:
        return {}
