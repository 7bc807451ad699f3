"""A promise is worth the test that is named beside it."""

import re
from pathlib import Path

import pytest

PAGES = (Path("docs/guarantees.md"), Path("docs/migrate.md"), Path("docs/threats.md"))
TEXT = "".join(page.read_text() for page in PAGES)
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)))
RUNBOOKS = sorted(Path("docs/runbooks").glob("*.md"))


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_promise_names_a_test_that_is_there(file: str, name: str) -> None:
    files = [path.read_text() for path in Path("tests").rglob(file)]
    assert any(f"def {name}(" in text for text in files)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_promise_names_a_test(page: Path) -> None:
    tables = re.findall(r"^\|.*\| test \|\n\|[-|]+\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    rows = "".join(tables).splitlines()
    assert len(rows) > 15
    assert [row for row in rows if "::test_" not in row.split("|")[-2]] == []


def test_an_alarm_leads_to_a_runbook_that_is_there() -> None:
    named = re.findall(
        r"docs/runbooks/[\w-]+\.md", Path("infrastructure/monitoring.yaml").read_text()
    )
    assert named
    assert {Path(each) for each in named} <= set(RUNBOOKS)


def test_the_handler_that_is_shown_is_one_that_there_is() -> None:
    (shown,) = re.findall(
        r"```python\n(.*?)```", Path("docs/architecture.md").read_text(), re.DOTALL
    )
    assert [app for app in Path("functions").glob("*/*/app.py") if shown in app.read_text()]
