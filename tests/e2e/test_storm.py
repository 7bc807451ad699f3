"""Half a minute of `make storm`, over a second stack beside that of the demo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live_deployment import Deployment

MINUTES = "0.3"


def test_a_short_storm_loses_doubles_leaks_and_gets_nothing_wrong(
    deployment: Deployment, tmp_path: Path
) -> None:
    if deployment.home is None:
        pytest.skip("a deployment elsewhere has no account for a second stack")
    size = ("--minutes", MINUTES, "--organizations", "2", "--processes", "2")
    place = ("--home", str(tmp_path / "storm"), "--beside", str(deployment.home))
    done = subprocess.run(
        [sys.executable, "-m", "tests.storm", *size, *place],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "storm/storm.md").read_text()
    assert "nothing lost, doubled, leaked or wrong" in report
    assert "| usage by user | 8 | 0 |" in report
