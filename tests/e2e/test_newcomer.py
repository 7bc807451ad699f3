"""The first minutes: what `make run` prints works when it is pasted."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from local.demo import NAMES
from local.stack import Stack
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import ago


def test_the_lines_that_the_demo_prints_answer_when_pasted(deployment: Deployment) -> None:
    stack = Stack.read(deployment.home) if deployment.home else None
    if stack is None or not shutil.which("curl"):
        pytest.skip("needs a local stack and curl")
    printed = subprocess.run(
        [sys.executable, "-m", "local.demo", "--home", str(deployment.home)],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line for line in printed.splitlines() if line.startswith("curl ")]
    assert len(lines) == 4
    for line in lines:
        quiet = line.replace("curl ", "curl --silent --fail --noproxy '*' ", 1)
        pasted = subprocess.run(quiet, shell=True, capture_output=True, text=True, check=True)  # noqa: S602  as printed
        assert pasted.stdout.startswith("{")


def test_the_record_of_the_demo_is_whole_and_private(deployment: Deployment) -> None:
    if deployment.home is None:
        pytest.skip("a deployment elsewhere has no record here")
    record = deployment.home / "demo.env"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert set(deployment.names) == set(NAMES)
    assert not deployment["BASE_URL"].endswith("/")


def test_the_demo_shows_both_organizations_with_their_people(deployment: Deployment) -> None:
    for prefix, name, teams in (("", "Demo Organization", 8), ("OTHER_", "Other Organization", 3)):
        key = f"{prefix}ADMIN_TOKEN"
        organization = deployment.get("/api/v1/organization", key).json()
        assert (organization["id"], organization["name"]) == (deployment[f"{prefix}ORG_ID"], name)
        assert deployment.get("/api/v1/organization/teams", key).json()["meta"]["total"] == teams


def test_the_member_is_in_the_team_of_the_team_lead(deployment: Deployment) -> None:
    user = deployment.get(f"/api/v1/user/{deployment['USER_ID']}", "MEMBER_TOKEN").json()
    assert user["teams"]["team_id"] == deployment["TEAM_ID"]
    users = f"/api/v1/team/{deployment['TEAM_ID']}/users?offset=0&limit=1000"
    ids = [row["id"] for row in deployment.get(users, "TEAMLEAD_TOKEN").json()["data"]]
    assert deployment["USER_ID"] in ids


def test_an_organization_of_ones_own_needs_no_environment(
    deployment: Deployment, tmp_path: Path
) -> None:
    if deployment.home is None:
        pytest.skip("needs a local stack")
    name, home = f"Company {uuid4().hex[:8]}", ("--home", str(deployment.home))
    file = tmp_path / "config.toml"
    new = ("--name", name, "--admin-username", "me", "--save", "mine")
    typed(file, *home, "organization", "create", *new)
    typed(file, "send", "--product", "automation", "--user", "me", "tests=3", f"--time={ago()}")
    table = f"id,source,subject,time,product,tests\nrun-1,ci,me,{ago(hours=1)},automation,3\n"
    words = ("import", "-", "--format", "csv", "--json")
    assert json.loads(typed(file, *words, stdin=table))["accepted"] == 1
    assert "automation" in typed(file, "report")
    assert "ok      key" in typed(file, "doctor")
    again = typed(file, *home, "organization", "key", name, "--admin-username", "me", "--json")
    assert json.loads(again)["changed"] == []
    assert "compare" in typed(file, *home, "verify", name)
    typed(file, *home, "redrive", name)
    assert name in typed(file, *home, "organization", "list", "--limit", "100")


def typed(file: Path, *words: str, stdin: str | None = None) -> str:
    """Type a command in a shell that knows of no deployment but those of a file."""
    known = ("AWS_", "ODOMETER_", "BASE_URL", "DIRECTORY_TABLE", "USAGE_TABLE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(known)}
    env["ODOMETER_CONFIG"] = str(file)
    command = [sys.executable, "-m", "odometer_cli", *words]
    done = subprocess.run(
        command, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
