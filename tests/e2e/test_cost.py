"""`odometer cost` on a running stack: what stands there, and what the emulator does not tell."""

import json
import subprocess
import sys

import pytest

from tests.support.live_deployment import Deployment


def test_the_bill_of_a_running_stack_has_its_tables_and_says_what_it_lacks(
    deployment: Deployment,
) -> None:
    if deployment.home is None:
        pytest.skip("CloudFormation of a deployment elsewhere cannot be reached from here")
    words = ("--home", str(deployment.home), "cost", "--days", "1", "--json")
    command = [sys.executable, "-m", "odometer_cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert {share["family"] for share in bill["shares"]} >= {"events", "v1", "usage_report"}
    stored = {line["about"] for line in bill["lines"] if line["service"] == "DynamoDB"}
    assert {"UsageTable", "LogTable", "DirectoryTable"} <= stored
    assert any("CloudWatch has no metric" in each for each in bill["not_seen"])
