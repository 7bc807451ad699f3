"""What a deployed stack consists of, as far as it is paid for."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from odometer.domain.errors import NotFound
from odometer.storage.dynamo import domain_errors
from odometer_cli.cloudformation import where
from odometer_cli.failure import Refused

DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
UNKNOWN: Final = "ValidationError"
"""What CloudFormation says of a stack that it does not know."""
NESTED: Final = "AWS::CloudFormation::Stack"
SENDS_EVENTS: Final = "V1SendEvents"
EVENTS: Final = "events"
ARM: Final = "arm64"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack or of one nested in it."""

    type: str
    logical_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function; the one that accepts events is a family by itself."""

    name: str
    family: str
    memory_mb: int
    is_arm: bool
    has_copies: bool
    """Whether SnapStart keeps a copy of it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and how it is paid for."""

    name: str
    logical_id: str
    stored_bytes: int
    is_rarely_read: bool
    is_provisioned: bool
    has_recovery: bool


@dataclass(frozen=True, slots=True)
class LogGroup:
    """Where the functions of a family write, or the gateway."""

    name: str
    family: str
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything in a stack that is paid for."""

    functions: Sequence[Function]
    tables: Sequence[Table]
    logs: Sequence[LogGroup]
    queues: Sequence[str]
    alarms: Sequence[str]
    dashboards: int
    secrets: int


@contextmanager
def permitted(action: str, of: str = "") -> Iterator[None]:
    """Ask AWS something; who may not is told which permission is missing."""
    with domain_errors():
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == UNKNOWN and of:
                raise NotFound(of) from error
            if code in DENIED:
                remedy = "docs/cost.md lists what `odometer cost` asks for."
                raise Refused(f"AWS does not allow you {action}.", remedy) from error
            raise


def parts_of(stack: str) -> Parts:
    """What a stack consists of; nested stacks are looked into."""
    found = list(resources_of(stack))
    groups = {it.logical_id.removesuffix("Logs"): it for it in of_type(found, "Logs::LogGroup")}
    return Parts(
        [function_of(it, groups) for it in of_type(found, "Lambda::Function")],
        [table_of(it) for it in of_type(found, "DynamoDB::Table")],
        [log_group_of(it, prefix) for prefix, it in groups.items()],
        [it.name.rpartition("/")[2] for it in of_type(found, "SQS::Queue")],
        [it.name for it in of_type(found, "CloudWatch::Alarm")],
        len(of_type(found, "CloudWatch::Dashboard")),
        len(of_type(found, "SecretsManager::Secret")),
    )


def of_type(resources: Sequence[Resource], name: str) -> list[Resource]:
    return [each for each in resources if each.type == f"AWS::{name}"]


def resources_of(stack: str) -> Iterator[Resource]:
    """The resources of a stack and, once, of those nested in it."""
    own = list(listed(stack))
    yield from own
    for each in own:
        if each.type == NESTED:
            yield from listed(each.name)


def listed(stack: str) -> Iterator[Resource]:
    with permitted("cloudformation:ListStackResources", of=where(stack)):
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=stack):
            for it in page["StackResourceSummaries"]:
                name = it.get("PhysicalResourceId", "")
                yield Resource(it["ResourceType"], it["LogicalResourceId"], name)


def family_of(logical_id: str, prefixes: Iterable[str]) -> str:
    """`UsageReportSummary` is of usage_report, whose logs are `UsageReportLogs`."""
    word = next((it for it in prefixes if logical_id.startswith(it)), logical_id)
    return "".join(f"_{it.lower()}" if it.isupper() else it for it in word).lstrip("_")


def function_of(resource: Resource, prefixes: Iterable[str]) -> Function:
    with permitted("lambda:GetFunctionConfiguration"):
        client = boto3.client("lambda")
        known: Any = client.get_function_configuration(FunctionName=resource.name)
    is_intake = resource.logical_id == SENDS_EVENTS
    return Function(
        resource.name,
        EVENTS if is_intake else family_of(resource.logical_id, prefixes),
        known["MemorySize"],
        ARM in known.get("Architectures", [ARM]),
        known.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
    )


def table_of(resource: Resource) -> Table:
    client, name = boto3.client("dynamodb"), resource.name
    with permitted("dynamodb:DescribeTable"):
        known: Any = client.describe_table(TableName=name)["Table"]
    with permitted("dynamodb:DescribeContinuousBackups"):
        backups: Any = client.describe_continuous_backups(TableName=name)
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return Table(
        name,
        resource.logical_id,
        known.get("TableSizeBytes", 0),
        known.get("TableClassSummary", {}).get("TableClass", "").endswith("ACCESS"),
        known.get("BillingModeSummary", {}).get("BillingMode") == "PROVISIONED",
        recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
    )


def log_group_of(resource: Resource, prefix: str) -> LogGroup:
    with permitted("logs:DescribeLogGroups"):
        client = boto3.client("logs")
        answer = client.describe_log_groups(logGroupNamePrefix=resource.name, limit=50)
    sizes = {it["logGroupName"]: it.get("storedBytes", 0) for it in answer["logGroups"]}
    return LogGroup(resource.name, family_of(prefix, ()), sizes.get(resource.name, 0))
