"""The data model names every attribute of the items that decide, and no others."""

import re
from pathlib import Path
from typing import Any

import pytest

from odometer.engine.format.decisions import Plan, Rebuild, UsageHead

TEXT = Path("docs/data-model.md").read_text()
ITEMS: dict[str, dict[str, Any]] = {
    "plan": Plan(1, (0,), (1,), 0, 1).to_item("org"),
    "rebuild": Rebuild(1, "*", 1, 1, "UTC").to_item("org"),
    "head": UsageHead("UTC", 1).to_item("org"),
}


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_holds_what_the_data_model_says(name: str) -> None:
    (row,) = re.findall(rf"^\| {name} \| (.*) \|$", TEXT, re.MULTILINE)
    found = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row)))
    assert found == ITEMS[name].keys() - {"pk", "sk"}
