"""A second stack of the same build beside the first, in one account and region."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest

from local import deployment as deploying
from local.smoke import ORGANIZATION, USERNAME, new_key
from local.stack import Stack, aws_environment
from odometer_cli.restore import instant_of
from odometer_cli.table_copies import copy_name
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import BATCH, ago, usage_event
from tools import sbom

BESIDE = f"odometer-{uuid4().hex[:8]}"
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Beside:
    """The stack of the demo, and one that CloudFormation made of the same template."""

    first: Stack
    outputs: dict[str, str]

    @property
    def address(self) -> str:
        api = self.outputs["ApiId"]
        return f"{self.first.endpoint}/restapis/{api}/{deploying.STAGE}/_user_request_"

    def client(self, service: str) -> Any:
        return boto3.client(service, **deploying.client_options(self.first.endpoint))  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def beside(deployment: Deployment) -> Iterator[Beside]:
    """What was uploaded for the first stack is deployed as it is, without a build."""
    first = Stack.read(deployment.home) if deployment.home else None
    if first is None:
        pytest.skip("a deployment elsewhere has no account for a second stack")
    cloudformation = Beside(first, {}).client("cloudformation")
    answer = cloudformation.get_template(StackName=deploying.NAME, TemplateStage="Original")
    template: str = answer["TemplateBody"]
    bucket = template.partition("s3://")[2].partition("/")[0]
    at = {"Bucket": bucket, "Key": f"{BESIDE}.template"}
    Beside(first, {}).client("s3").put_object(**at, Body=template.encode())
    cloudformation.create_stack(
        StackName=BESIDE,
        TemplateURL=f"{first.endpoint}/{bucket}/{BESIDE}.template",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": "Stage", "ParameterValue": deploying.STAGE},
            {"ParameterKey": "Monitoring", "ParameterValue": "false"},
        ],
    )
    try:
        yield Beside(first, outputs_of(cloudformation))
    finally:
        cloudformation.delete_stack(StackName=BESIDE)


def outputs_of(cloudformation: Any) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        (stack,) = cloudformation.describe_stacks(StackName=BESIDE)["Stacks"]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        assert stack["StackStatus"] == "CREATE_IN_PROGRESS", stack
        time.sleep(0.2)
    raise AssertionError(BESIDE)


def resources(beside: Beside, stack: str) -> dict[str, str]:
    """What each resource of a stack is called in the account, by its name in the template."""
    pages = beside.client("cloudformation").get_paginator("list_stack_resources")
    rows = [
        row for page in pages.paginate(StackName=stack) for row in page["StackResourceSummaries"]
    ]
    return {
        f"{row['ResourceType']} {row['LogicalResourceId']}": row["PhysicalResourceId"]
        for row in rows
    }


def test_two_stacks_have_the_same_parts_and_share_none(beside: Beside) -> None:
    one, other = (resources(beside, name) for name in (deploying.NAME, BESIDE))
    assert one.keys() == other.keys()
    shared = {name for name, called in one.items() if called == other[name]}
    assert shared == {"AWS::ApiGateway::Stage ApiStage"}, "a stage is named within its API"


def test_two_stacks_run_the_same_bytes(beside: Beside) -> None:
    def digests(stack: str) -> dict[str, str]:
        of_functions = {
            name.split()[1]: called
            for name, called in resources(beside, stack).items()
            if name.startswith("AWS::Lambda::Function ")
        }
        return {name: digest_of(called) for name, called in of_functions.items()}

    def digest_of(function: str) -> str:
        found = functions.get_function_configuration(FunctionName=function)
        (layer,) = found["Layers"]
        of_layer = functions.get_layer_version_by_arn(Arn=layer["Arn"])["Content"]["CodeSha256"]
        return f"{found['CodeSha256']} {of_layer}"

    functions = beside.client("lambda")
    assert digests(deploying.NAME) == digests(BESIDE) != {}


def test_the_second_stack_passes_the_smoke_test(beside: Beside) -> None:
    smoke = f"from local.smoke import smoke; smoke({BESIDE!r}, {beside.address!r})"
    done = subprocess.run(
        [sys.executable, "-c", smoke],
        env={**os.environ, **aws_environment(beside.first.endpoint)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an event shows in reports" in done.stdout
    assert "ok      backlog" in done.stdout


def test_a_stack_knows_neither_keys_nor_organizations_of_the_other(
    beside: Beside, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(beside.first.endpoint).items():
        monkeypatch.setenv(name, value)
    made = new_key(("--stack", BESIDE))["access_key"]

    def statuses(address: str) -> list[int]:
        keys = [{"Authorization": f"Bearer {key}"} for key in (deployment["ADMIN_TOKEN"], made)]
        me = f"{address}/v1/me"
        return [deployment.http.get(me, headers=key).status_code for key in keys]

    assert statuses(beside.first.base_url) == [200, 401]
    assert statuses(beside.address) == [401, 200]
    known = deployment.odometer("organization", "key", ORGANIZATION, "--admin-username", USERNAME)
    assert (known.returncode, "not found" in known.stderr.lower()) == (1, True), known.stderr


# a restore of the second, while its senders and readers go on


@dataclass
class Client:
    """Sends one event after the other, asks how many were used, and keeps what was refused."""

    http: httpx.Client
    address: str
    headers: dict[str, str]
    waiting: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    answers: list[httpx.Response] = field(default_factory=list)
    already: int = 0
    """What others have used before."""
    stopped: Event = field(default_factory=Event)

    def send(self, *names: str) -> None:
        self.waiting += names
        body = [usage_event(name, subject=f"{name}@example.com") for name in self.waiting]
        headers = {**self.headers, **BATCH}
        sent = self.http.post(f"{self.address}/v1/events", json=body, headers=headers)
        if sent.status_code == 202:
            self.taken |= {*self.waiting}
            self.waiting = []

    def ask(self) -> httpx.Response:
        query = f"product=automation&measure=tests&from={ago(days=2)}&to={ago(days=-1)}"
        self.answers.append(
            self.http.get(f"{self.address}/v1/explain?{query}", headers=self.headers)
        )
        return self.answers[-1]

    def wait_for_all(self) -> None:
        """Wait until all that was taken has been used."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.ask().json().get("value") != self.already + len(self.taken):
            assert time.monotonic() < deadline, (self.answers[-1].text, len(self.taken))
            time.sleep(0.2)

    def go_on(self) -> None:
        while not self.stopped.wait(0.3):
            self.send(uuid4().hex)
            self.ask()


@pytest.fixture
def client(beside: Beside, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Client:
    for name, value in aws_environment(beside.first.endpoint).items():
        monkeypatch.setenv(name, value)
    made = new_key(("--stack", BESIDE))["access_key"]
    client = Client(deployment.http, beside.address, {"Authorization": f"Bearer {made}"})
    client.already = client.ask().json()["value"] or 0
    return client


def copies(beside: Beside, at: str) -> None:
    """What AWS would make of the tables as of this instant: the emulator keeps no past."""
    for name in ("UsageTable", "DirectoryTable"):
        beside.client("dynamodb").restore_table_to_point_in_time(
            SourceTableName=beside.outputs[name],
            TargetTableName=copy_name(beside.outputs[name], instant_of(at)),
            UseLatestRestorableTime=True,
        )


def lose_usage(beside: Beside) -> None:
    """Remove every other item of the table, folds and heads among them."""
    dynamodb, table = beside.client("dynamodb"), beside.outputs["UsageTable"]
    for item in dynamodb.scan(TableName=table)["Items"][::2]:
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})


def test_a_stack_is_restored_while_senders_and_readers_go_on(
    beside: Beside, client: Client
) -> None:
    """Figures before, during and after; the other stack notices nothing."""
    client.send(*(f"before-{number}" for number in range(9)))
    client.wait_for_all()
    at = ago(seconds=0)
    copies(beside, at)
    client.send(*(f"after-{number}" for number in range(7)))
    client.wait_for_all()
    lose_usage(beside)
    writer = Thread(target=client.go_on)
    writer.start()
    words = ("restore", "--at", at, "--yes", "--wait", "2", "--json")
    command = [sys.executable, "-m", "odometer_cli", "--stack", BESIDE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    other = client.http.get(f"{beside.first.base_url}/v1/me").status_code
    client.stopped.set()
    writer.join()
    assert (done.returncode, other) == (0, 401), done.stderr
    statuses = [answer.status_code for answer in client.answers]
    opened = len(statuses) - statuses[::-1].index(429)
    figures = [answer.json()["value"] for answer in client.answers[opened:]]
    assert {*statuses[statuses.index(429) : opened]} == {429}
    assert figures == sorted(figures)
    assert min(figures, default=16) >= 9 + 7
    client.send()
    client.wait_for_all()
    assert len(client.taken) > 9 + 7


def test_a_stack_has_a_secret_of_its_own(beside: Beside) -> None:
    secrets = beside.client("secretsmanager")
    ids = (beside.first.outputs["SecretId"], beside.outputs["SecretId"])
    assert len({secrets.get_secret_value(SecretId=each)["SecretString"] for each in ids}) == 2


def test_the_layer_carries_what_the_bill_of_materials_says(deployment: Deployment) -> None:
    if deployment.home is None:
        pytest.skip("a deployment elsewhere has no build here")
    built = (deployment.home / "build/Layer/python").glob("*.dist-info")
    carried = {tuple(path.name.removesuffix(".dist-info").split("-")) for path in built}
    billed = {(it.name.replace("-", "_"), it.version) for it in sbom.packages_of_the_layer()}
    assert carried == billed
