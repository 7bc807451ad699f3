"""Adding an endpoint, a kind or a measure touches few places, and tests name the missing ones.

Each test changes a temporary copy of the repository and runs the gates there.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from odometer.domain.kinds import DEFAULT_PRODUCTS

ROOT = Path(__file__).parents[2]
COPIED = (
    "cli",
    "docs",
    "events",
    "functions",
    "infrastructure",
    "layers",
    "local",
    "requirements",
    "tests",
    "tools",
)
IGNORED = shutil.ignore_patterns("__pycache__", "*.svg", ".*")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of everything that the gates read."""
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=IGNORED)
    for name in ("template.yaml", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests in the copy, where documents are written anew."""
    paths = [str(copy / each) for each in ("layers/odometer", "cli", ".")]
    environment = {**os.environ, "UPDATE": "1", "PYTHONPATH": os.pathsep.join(paths)}
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly")
    command = [sys.executable, "-m", "pytest", *options, *tests]
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


# an endpoint

APP = '''"""GET /v1/departments: how many departments the organization has."""

from odometer.access.policy import READ_DIRECTORY
from odometer.api.v1.family import v1
from odometer.directory.snapshot import Directory
from odometer.web.models import Answer


class DepartmentCount(Answer):
    """The number of departments."""

    count: int


@v1("/departments", may=READ_DIRECTORY)
def handler(directory: Directory) -> DepartmentCount:
    return DepartmentCount(count=len(directory.departments))
'''
MEANING = '"DepartmentCount.count" = { means = "How many there are.", example = 4 }'
ENTRY = """\
  V1CountDepartments:
    Type: AWS::Serverless::Function
    Metadata: {SkipBuild: true}
    Properties:
      AutoPublishAliasAllProperties: true
      CodeUri: functions/v1/count_departments
      LoggingConfig: {LogGroup: !Ref V1Logs}
      Policies: [!Ref KnowsCallers]
      Events:
        Route:
          Type: Api
          Properties: {RestApiId: !Ref Api, Method: GET, Path: "/v1/departments"}

"""
DOCUMENTS = "tests/contract/test_documents.py"
NEXT_ENTRY = "  V1ListKeys:\n"


def add_app(copy: Path) -> None:
    (copy / "functions/v1/count_departments").mkdir()
    (copy / "functions/v1/count_departments/app.py").write_text(APP)


def add_entry_and_sample(copy: Path) -> None:
    template = (copy / "template.yaml").read_text()
    (copy / "template.yaml").write_text(template.replace(NEXT_ENTRY, ENTRY + NEXT_ENTRY))
    sample = (copy / "events/v1-list-keys.ok.json").read_text()
    (copy / "events/v1-count-departments.ok.json").write_text(
        sample.replace("/v1/keys", "/v1/departments")
    )


def add_words(copy: Path) -> None:
    """Say what its fields mean, in the documents."""
    words = copy / "tools/words.toml"
    words.write_text(words.read_text().replace("[fields]\n", f"[fields]\n{MEANING}\n"))


def test_an_endpoint_is_three_places_and_a_meaning_and_the_documents_follow(copy: Path) -> None:
    add_app(copy)
    add_entry_and_sample(copy)
    add_words(copy)
    done = run(copy, "tests/unit/test_template.py", "tests/unit/test_shape.py", DOCUMENTS)
    assert done.returncode == 0, done.stdout
    paths = json.loads((copy / "docs/api/v1.json").read_text())["paths"]
    answer = paths["/v1/departments"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/DepartmentCount"}


NAMED = (
    "test_every_folder_is_a_function_and_every_function_a_folder",
    "test_every_function_has_an_event_to_be_called_with",
)


def test_an_endpoint_without_entry_and_sample_is_told_what_is_missing(copy: Path) -> None:
    add_app(copy)
    done = run(copy, "tests/unit/test_template.py")
    assert [name for name in NAMED if f"::{name}" not in done.stdout] == []


# a kind and a measure

KINDS = "layers/odometer/odometer/domain/kinds.py"
LAST_ROW = '            Kind(\n                "app",'
ROW = '            Kind("storage", (Measure("stored_bytes"),), ("object-storage",)),\n'
SCREENSHOTS = '(Measure("screenshots", label="Screenshots"),'
COMPARISONS = ' Measure("comparisons"),'
PROBE = """
import pytest
from tests.support.usage_sender import fold, log_of, run, send, stream, usage_event
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of


@pytest.mark.parametrize(
    ("product", "measure"), [("object-storage", "stored_bytes"), ("smartui", "comparisons")]
)
def test_what_was_added_is_taken_and_explained(stack: Stack, product: str, measure: str) -> None:
    key = admin_of(stack, ACME)
    event = usage_event(data={"product": product, measure: 7})
    assert send(stack, key, event).json["accepted"] == 1
    fold(stream(log_of(stack, ACME)))
    run("settle")
    time = event["time"]
    query = f"product={product}&measure={measure}&from={time}&to={time[:-1]}.999Z"
    answer = stack.get(f"/v1/explain?{query}", key)
    assert answer.json["value"] == 7, answer.text
"""


def test_a_kind_is_one_row_and_a_measure_one_value(copy: Path) -> None:
    kinds = (copy / KINDS).read_text().replace(LAST_ROW, ROW + LAST_ROW)
    (copy / KINDS).write_text(kinds.replace(SCREENSHOTS, SCREENSHOTS + COMPARISONS))
    (copy / "tests/integration/test_probe.py").write_text(PROBE)
    done = run(
        copy,
        "tests/integration/test_probe.py",
        DOCUMENTS,
        "tests/integration/test_usage_report.py::test_names_stand_in_the_published_order",
    )
    assert done.returncode == 0, done.stdout
    assert "storage" in (copy / "docs/api/v1.json").read_text()


def test_the_products_that_every_organization_has_keep_their_places() -> None:
    """Stored rows of totals and people hold these products by their place: append, never insert."""
    assert list(DEFAULT_PRODUCTS)[:8] == [
        "automation",
        "app-automation",
        "hyperexecute",
        "realtime",
        "realdevice",
        "smartui",
        "code-completions",
        "chat",
    ]
