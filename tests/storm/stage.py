"""The stack that a storm goes over: whatever its functions call, they call through the proxy."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, Self
from uuid import uuid4

import boto3

from local import deployment, emulator
from local.ports import LOOPBACK, is_taken
from local.stack import Stack, aws_environment

FIRST_VARIABLE: Final = re.compile(r"^( *)DIRECTORY_TABLE:", re.MULTILINE)
PATIENCE_SECONDS: Final = 300
FREE_SECONDS: Final = 60
PARAMETERS: Final = {
    "Stage": deployment.STAGE,
    "Monitoring": "false",
    "OrganizationRequests": "1000",
}


@dataclass
class Stage:
    """A deployed stack in an emulator, and how its functions call the services."""

    home: Path
    endpoint: str
    calls: str
    """The address of the proxy."""
    name: str
    pid: int | None = None
    """Of the emulator, if it is ours to restart."""
    outputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def alone(cls, home: Path, port: int, calls: str) -> Self:
        """A stack in an emulator of its own, which begins with nothing."""
        home.mkdir(parents=True, exist_ok=True)
        emulator.forget(home)
        pid = emulator.start(home, port)
        stage = cls(home, emulator.endpoint(port), calls, deployment.NAME, pid)
        stage.write()
        try:
            stage.deploy()
        except BaseException:
            stage.down()
            raise
        return stage

    def deploy(self) -> None:
        deployment.build(self.home)
        template = self.home / "build/template.yaml"
        template.write_text(calling_through(template.read_text(), self.calls))
        emulator.deploying(self.home).touch()
        deployment.deploy(self.home, self.endpoint, "storm")
        emulator.deploying(self.home).unlink(missing_ok=True)
        self.outputs = deployment.outputs(self.endpoint)

    @classmethod
    def beside(cls, home: Path, running: Stack, calls: str) -> Self:
        """A second stack of the build that runs already, which stays as it is."""
        home.mkdir(parents=True, exist_ok=True)
        stage = cls(home, running.endpoint, calls, f"odometer-storm-{uuid4().hex[:6]}")
        stacks = stage.client("cloudformation")
        found = stacks.get_template(StackName=deployment.NAME, TemplateStage="Original")
        template = calling_through(found["TemplateBody"], calls)
        bucket = template.partition("s3://")[2].partition("/")[0]
        key = f"{stage.name}.template"
        stage.client("s3").put_object(Bucket=bucket, Key=key, Body=template.encode())
        stacks.create_stack(
            StackName=stage.name,
            TemplateURL=f"{stage.endpoint}/{bucket}/{key}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in PARAMETERS.items()
            ],
        )
        stage.wait_for_outputs(stacks)
        return stage

    def wait_for_outputs(self, stacks: Any) -> None:
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < gives_up_at:
            (stack,) = stacks.describe_stacks(StackName=self.name)["Stacks"]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                self.outputs = {e["OutputKey"]: e["OutputValue"] for e in stack["Outputs"]}
                return
            time.sleep(0.3)
        raise TimeoutError(self.name)

    @property
    def address(self) -> str:
        api = self.outputs["ApiId"]
        return f"{self.endpoint}/restapis/{api}/{deployment.STAGE}/_user_request_"

    def client(self, service: str) -> Any:
        """A client that no fault reaches."""
        return boto3.client(service, **deployment.client_options(self.endpoint))  # type: ignore[call-overload]

    def write(self) -> None:
        if self.pid:
            Stack(self.endpoint, self.pid).write(self.home)

    def down(self) -> None:
        if self.pid:
            emulator.stop(self.pid, self.home)
        else:
            self.client("cloudformation").delete_stack(StackName=self.name)

    def restart(self) -> None:
        """Stop the emulator in order, and start it on what it saved."""
        if self.pid:
            port = int(self.endpoint.rpartition(":")[2])
            emulator.stop(self.pid, self.home)
            wait_until_free(port)
            self.pid = emulator.start(self.home, port)
            self.write()
            deployment.recreate_stream_mappings(self.endpoint)

    def odometer(
        self, *words: str, faults: bool = True, seconds: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """A command of the operator, which meets faults as functions do; or is killed."""
        command = [sys.executable, "-m", "odometer_cli", "--stack", self.name, *words]
        with subprocess.Popen(
            command,
            env={**os.environ, **aws_environment(self.calls if faults else self.endpoint)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the storm
        ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def workers(self) -> list[int]:
        """The processes of functions that call through the proxy."""
        wanted = f"AWS_ENDPOINT_URL={self.calls}\0".encode()
        name = b"AWS_LAMBDA_FUNCTION_NAME="
        return [pid for pid, said in environments() if wanted in said and name in said]

    def kill_one(self, dice: Random) -> bool:
        found = self.workers()
        if found:
            try:
                os.kill(dice.choice(found), signal.SIGKILL)
            except ProcessLookupError:
                return False
        return bool(found)


def wait_until_free(port: int) -> None:
    """Wait for processes that were being started when all were killed: they held the port, too."""
    gives_up_at = time.monotonic() + FREE_SECONDS
    while is_taken(port) and time.monotonic() < gives_up_at:
        time.sleep(0.2)


def environments() -> Iterator[tuple[int, bytes]]:
    """The pids of our processes, and what their environments say."""
    for path in sorted(Path("/proc").glob("[0-9]*/environ")):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:  # it has ended, or is not ours
            continue


def calling_through(template: str, address: str) -> str:
    """The template with one variable more: where functions find the services."""
    changed, number = FIRST_VARIABLE.subn(
        rf"\1AWS_ENDPOINT_URL: {address}\n\1DIRECTORY_TABLE:", template
    )
    if number != 1:
        raise ValueError("the template has no variables of functions, or several times")
    return changed


def address_of(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
