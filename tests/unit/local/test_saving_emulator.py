"""The emulator keeps what it holds, also when it is killed, and ends when it is told to."""

import io
import json
import os
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local import emulator
from local.deployment import client_options
from local.ports import free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not Path(emulator.PROGRAM[0]).exists(),
        reason="the emulator is not installed: `make up` brings it",
    ),
]
ASSUMED_BY_LAMBDA = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ENDLESS = "import time\ndef handler(event, context):\n    time.sleep(600)\n"
SLOW = (
    "import os, time\ndef handler(event, context):\n    time.sleep(0.2)\n    return os.getpid()\n"
)


class Running:
    """An emulator on a home of its own, and its process."""

    def __init__(self, home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
        self.home, self.processes = home, processes
        self.start()

    def start(self) -> None:
        self.port = free_port()
        self.pid = emulator.start(self.home, self.port)
        where = client_options(emulator.endpoint(self.port))
        self.secrets = boto3.client("secretsmanager", **where)
        self.roles = boto3.client("iam", **where)
        self.functions = boto3.client(
            "lambda", **where, config=Config(retries={"total_max_attempts": 1})
        )

    def deploy(self, name: str, code: str) -> None:
        """Deploy a function that consists of one module."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("app.py", code)
        role = self.roles.create_role(RoleName="any", AssumeRolePolicyDocument=ASSUMED_BY_LAMBDA)
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="app.handler",
            Timeout=900,
            Code={"ZipFile": packed.getvalue()},
        )

    def secret(self) -> str:
        return self.secrets.get_secret_value(SecretId="kept")["SecretString"]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    launch, processes = emulator._launch, list[subprocess.Popen[bytes]]()  # noqa: SLF001

    def remembered(home: Path, port: int) -> subprocess.Popen[bytes]:
        processes.append(launch(home, port))
        return processes[-1]

    def is_alive(pid: int) -> bool:
        return any(process.pid == pid and process.poll() is None for process in processes)

    monkeypatch.setattr(emulator, "_launch", remembered)
    monkeypatch.setattr(emulator, "is_alive", is_alive)
    yield Running(tmp_path, processes)
    for process in processes:
        emulator.end_session(process.pid, signal.SIGKILL)
        process.wait()


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail(f"{holds.__name__} did not come true within a minute")


def test_what_was_written_some_seconds_ago_survives_a_kill(running: Running) -> None:
    running.secrets.create_secret(Name="kept", SecretString="old value")
    saved = running.home / "state/secretsmanager.json"

    def is_saved() -> bool:
        return saved.exists() and "new value" in saved.read_text()

    running.secrets.put_secret_value(SecretId="kept", SecretString="new value")
    eventually(is_saved)
    os.killpg(running.pid, signal.SIGKILL)
    running.processes[-1].wait()
    running.start()
    assert running.secret() == "new value"


def test_half_a_deployment_is_not_saved(running: Running) -> None:
    running.secrets.create_secret(Name="kept", SecretString="before")
    emulator.stop(running.pid, running.home)
    running.start()
    emulator.deploying(running.home).touch()
    running.secrets.put_secret_value(SecretId="kept", SecretString="half way")
    emulator.stop(running.pid, running.home)
    running.start()
    assert running.secret() == "before"
    running.secrets.put_secret_value(SecretId="kept", SecretString="deployed anew")
    emulator.stop(running.pid, running.home)
    running.start()
    assert running.secret() == "deployed anew"


def test_the_emulator_saves_and_ends_by_itself_while_a_function_is_still_at_work(
    running: Running,
) -> None:
    running.deploy("endless", ENDLESS)

    def invoke() -> None:
        with suppress(BotoCoreError, ClientError):
            running.functions.invoke(FunctionName="endless")

    def is_at_work() -> bool:
        return "worker spawned" in (running.home / "log/emulator.log").read_text()

    invoking = threading.Thread(target=invoke)
    invoking.start()
    eventually(is_at_work)
    running.secrets.create_secret(Name="kept", SecretString="last words")
    emulator.stop(running.pid, running.home)
    invoking.join()
    assert running.processes[-1].returncode == 0
    assert not (running.home / "tmp").exists()
    running.start()
    assert running.secret() == "last words"


def test_many_requests_at_once_share_few_processes_of_a_function(running: Running) -> None:
    running.deploy("slow", SLOW)

    def process(_: int) -> int:
        return int(running.functions.invoke(FunctionName="slow")["Payload"].read())

    with ThreadPoolExecutor(8) as pool:
        processes = list(pool.map(process, range(8)))
    assert len(processes) == 8
    assert len(set(processes)) == 2
