"""One function in AWS's public Lambda image, where a container engine has it."""

import os
import subprocess
import sys

import pytest

from local.invoke import IMAGE, docker, missing_engine
from tests.support.live_deployment import Deployment


def missing() -> str:
    """Why no function can be invoked in a container; a test downloads no image."""
    if reason := missing_engine():
        return reason
    if IMAGE not in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"):
        return f"{IMAGE} is not on this machine: docker pull {IMAGE}"
    return ""


def test_a_function_answers_in_the_image_that_lambda_runs(deployment: Deployment) -> None:
    if deployment.home is None:
        pytest.skip("a deployment elsewhere has no stack for a container here")
    if reason := missing():
        pytest.skip(reason)
    command = [sys.executable, "-m", "local.invoke", "usage-metrics-team", "ok"]
    env = {**os.environ, "ODOMETER_HOME": str(deployment.home), "SAM_SKIP_PULL_IMAGE": "true"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert '"statusCode": 200' in done.stdout, done.stderr
