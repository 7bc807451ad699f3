"""The emulator keeps what it holds, also when it is killed, and ends when it is told to."""

import io
import json
import os
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
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
SHARING = (
    "import os, time, shared\ndef handler(event, context):\n"
    "    time.sleep(0.3)\n    return [os.getpid(), os.path.realpath(shared.__file__)]\n"
)
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
        self.tables = boto3.client("dynamodb", **where)
        self.functions = boto3.client(
            "lambda", **where, config=Config(retries={"total_max_attempts": 1})
        )

    def deploy(self, name: str, code: str, layers: Sequence[str] = ()) -> None:
        """Deploy a function that consists of one module."""
        role = self.roles.create_role(RoleName="any", AssumeRolePolicyDocument=ASSUMED_BY_LAMBDA)
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="app.handler",
            Timeout=900,
            Layers=layers,
            Code={"ZipFile": packed("app.py", code)},
        )

    def secret(self) -> str:
        return self.secrets.get_secret_value(SecretId="kept")["SecretString"]


def packed(name: str, code: str) -> bytes:
    """An archive of one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, code)
    return content.getvalue()


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


def test_processes_share_one_copy_of_a_layer(running: Running) -> None:
    layer = running.functions.publish_layer_version(
        LayerName="any", Content={"ZipFile": packed("python/shared.py", "")}
    )
    running.deploy("sharing", SHARING, [layer["LayerVersionArn"]])

    def answer(_: int) -> tuple[int, str]:
        process, place = json.load(running.functions.invoke(FunctionName="sharing")["Payload"])
        return process, place

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(answer, range(4)))
    assert len({process for process, _ in answers}) == 2
    (place,) = {place for _, place in answers}
    assert Path(place).parent.parent.parent == running.home.resolve() / "tmp"


def test_a_query_finds_what_is_in_its_range_and_nothing_else(running: Running) -> None:
    running.tables.create_table(
        TableName="any",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for pk, sk in [("a", "1"), ("a", "2"), ("a", "20"), ("a", "3"), ("a", "é"), ("b", "2")]:
        running.tables.put_item(TableName="any", Item={"pk": {"S": pk}, "sk": {"S": sk}})

    def found(low: str, high: str, condition: str) -> list[str]:
        answer = running.tables.query(
            TableName="any",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":pk": {"S": "a"}, ":low": {"S": low}, ":high": {"S": high}},
        )
        return [item["sk"]["S"] for item in answer["Items"]]

    ours, parsed = "pk = :pk AND sk BETWEEN :low AND :high", "pk=:pk AND sk BETWEEN :low AND :high"
    for low, high in [("2", "3"), ("2", "2"), ("20", "\U0001f600"), ("4", "5")]:
        assert found(low, high, ours) == found(low, high, parsed)
    assert found("2", "3", ours) == ["2", "20", "3"]
    with pytest.raises(ClientError, match="BETWEEN"):
        found("3", "2", ours)
