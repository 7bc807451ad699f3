"""The API's stage, functions, mapping and schedule of a stack, as moto keeps them.

Moto's gateway calls no function, so `Gateway` looks at what the stage says and calls it here.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from odometer_cli.pausing import client
from tests.support.stack import ENVIRONMENT, TABLES, Reply, Stack

OUTPUTS = {
    "DirectoryTable": "directory",
    "UsageTable": "usage",
    "LogTable": "log",
    "ActivityTable": "activity",
    "SecretId": "odometer",
    "WorkQueue": ENVIRONMENT["WORK_QUEUE"],
}
RATE, BURST, RESERVED = 200.0, 400, 7
STACK = "odometer"
NOTHING = {"Resources": {"Nothing": {"Type": "AWS::SNS::Topic"}}}
ALLOWED = '{"Statement": [{"Effect": "Allow"}]}'
"""A stack without a policy may be updated."""
READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet")


@dataclass(frozen=True)
class ControlPlane:
    """Names of what pauses and opens: two functions, one of which has a limit of its own."""

    api: str
    mapping: str
    stage: str = "dev"
    functions: tuple[str, ...] = ("accept", "work")
    schedule: str = "every-minute"

    @property
    def resources(self) -> list[tuple[str, str]]:
        return [
            ("AWS::ApiGateway::RestApi", self.api),
            ("AWS::ApiGateway::Stage", self.stage),
            ("AWS::Lambda::EventSourceMapping", self.mapping),
            ("AWS::Scheduler::Schedule", self.schedule),
            *(("AWS::Lambda::Function", name) for name in self.functions),
        ]

    @property
    def settings(self) -> dict[str, Any]:
        """What each part is set to, as AWS says it."""
        functions = client("lambda")
        stage = client("apigateway").get_stage(restApiId=self.api, stageName=self.stage)
        limits = stage["methodSettings"]["*/*"]
        schedule = client("scheduler").get_schedule(Name=self.schedule)
        policy = client("cloudformation").get_stack_policy(StackName=STACK).get("StackPolicyBody")
        reserved = [functions.get_function_concurrency(FunctionName=f) for f in self.functions]
        return {
            "updates": [each["Effect"] for each in json.loads(policy or ALLOWED)["Statement"]],
            "limits": (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]),
            "schedule": (schedule["State"], schedule["ScheduleExpression"], schedule["Target"]),
            "mapping": functions.get_event_source_mapping(UUID=self.mapping)["State"],
            "reserved": [each.get("ReservedConcurrentExecutions") for each in reserved],
        }

    @property
    def is_closed(self) -> bool:
        found = self.settings
        states = (found["schedule"][0], found["mapping"])
        return (found["updates"], found["limits"], states, found["reserved"]) == (
            ["Deny"],
            (0, 0),
            ("DISABLED", "Disabled"),
            [0, 0],
        )


@dataclass(frozen=True)
class Gateway:
    """Requests as they pass the gateway: 429 while its limit is 0."""

    stack: Stack
    plane: ControlPlane

    def call(self, method: str, url: str, key: str, body: Any = None) -> Reply:
        if self.plane.settings["limits"] == (0, 0):
            return Reply(429, {"Retry-After": "1"}, "")
        return self.stack.call(method, url, key, body=body)


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """A control plane which the command line takes for that of the stack `odometer`."""
    plane = create()
    for table in TABLES:
        recover(table, enabled=True)
    with (
        patch("odometer_cli.cloudformation.outputs_of", lambda _: OUTPUTS),
        patch("odometer_cli.pausing.resources_of", lambda _: plane.resources),
    ):
        yield plane


def recover(table: str, *, enabled: bool) -> None:
    client("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
    )


def create() -> ControlPlane:
    role = role_of_functions()
    functions = client("lambda")
    code = archive({"app.py": "handler = None"})
    for name in ControlPlane.functions:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Timeout=1,
            Code={"ZipFile": code},
        )
    functions.put_function_concurrency(FunctionName="accept", ReservedConcurrentExecutions=RESERVED)
    queue = client("sqs").create_queue(QueueName="work")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    source = arn["Attributes"]["QueueArn"]
    mapping = functions.create_event_source_mapping(FunctionName="work", EventSourceArn=source)
    client("scheduler").create_schedule(
        Name=ControlPlane.schedule,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": source, "RoleArn": role, "RetryPolicy": {"MaximumRetryAttempts": 0}},
    )
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(NOTHING))
    return ControlPlane(create_api(), mapping["UUID"])


def role_of_functions() -> str:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    made = client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=policy)
    return str(made["Role"]["Arn"])


def create_api() -> str:
    apis = client("apigateway")
    api = apis.create_rest_api(name="odometer")["id"]
    root = apis.get_resources(restApiId=api)["items"][0]["id"]
    method: Mapping[str, Any] = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    apis.put_method(**method, authorizationType="NONE")
    apis.put_integration(**method, type="MOCK")
    apis.create_deployment(restApiId=api, stageName=ControlPlane.stage)
    changes = [
        {"op": "replace", "path": f"/*/*/throttling/{name}", "value": f"{value}"}
        for name, value in (("rateLimit", RATE), ("burstLimit", BURST))
    ]
    apis.update_stage(restApiId=api, stageName=ControlPlane.stage, patchOperations=changes)
    return str(api)


def archive(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


class Died(BaseException):
    """The process ended here."""


def died_at(number: int, run: Callable[[], object]) -> bool:
    """Let a process end before one of its writes to AWS; whether it came so far."""
    writes = iter(range(number))

    def perhaps(operation: str) -> None:
        if not operation.startswith(READS) and next(writes, None) is None:
            raise Died

    try:
        with before_each_call(perhaps):
            run()
    except Died:
        return True
    return False


@contextmanager
def before_each_call(do: Callable[[str], None]) -> Iterator[None]:
    """Do something before each call to AWS, by its name."""
    call: Any = vars(BaseClient)["_make_api_call"]

    def one(client: BaseClient, operation: str, parameters: Any) -> Any:
        do(operation)
        return call(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", one):
        yield
