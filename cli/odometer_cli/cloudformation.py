"""A deployed stack: its outputs, and its queues."""

from collections.abc import Mapping
from dataclasses import MISSING, fields

import boto3
from botocore.exceptions import ClientError

from odometer.bootstrap import Settings
from odometer.domain.errors import NotFound
from odometer.storage.dynamo import domain_errors


def where(stack: str) -> str:
    """A stack with its region, which whoever misses it may have to change."""
    return f"stack {stack} in {boto3.Session().region_name}"


def outputs_of(stack: str) -> Mapping[str, str]:
    """The outputs of a stack by name."""
    with domain_errors():
        try:
            answer = boto3.client("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise NotFound(where(stack)) from error
            raise
    outputs = answer["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def settings_of(outputs: Mapping[str, str]) -> Settings:
    """The settings from a stack's outputs: `DirectoryTable` is directory_table."""
    words = {
        field.name: field.name.replace("_", " ").title().replace(" ", "")
        for field in fields(Settings)
        if field.default is MISSING
    }
    if missing := [word for word in words.values() if word not in outputs]:
        raise NotFound(f"{', '.join(missing)} among the outputs of the stack")
    return Settings(**{name: outputs[word] for name, word in words.items()})


def parameter_of(stack: str, name: str) -> str:
    """A parameter of a stack; empty where it has none."""
    with domain_errors():
        answer = boto3.client("cloudformation").describe_stacks(StackName=stack)
    parameters = answer["Stacks"][0].get("Parameters", [])
    found = {it["ParameterKey"]: it["ParameterValue"] for it in parameters}
    return found.get(name, "")


def messages_in(url: str) -> int:
    """About how many messages are in a queue."""
    with domain_errors():
        answer = boto3.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def empty_queue(url: str) -> None:
    """Remove every message of a queue."""
    with domain_errors():
        boto3.client("sqs").purge_queue(QueueUrl=url)
