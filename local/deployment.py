"""`sam build` and `sam deploy` of the real template into the emulator, if anything is new."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local.emulator import CannotStartError
from local.stack import REGION, aws_environment

SAM = Path(".local/tools/sam/bin/sam").absolute()
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SOURCES = ("template.yaml", "infrastructure", "layers", "functions")
NAME = "odometer"
STAGE = "local"
STREAM_MAPPING = (
    "EventSourceArn",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FilterCriteria",
    "DestinationConfig",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
)
"""The fields of an event source mapping that are given when it is created."""


def source_digest() -> str:
    """A digest of all files that are deployed and of the Python that builds them."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for source in SOURCES for path in files_in(Path(source))):
        digest.update(f"{path}\0{path.stat().st_mode}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def files_in(path: Path) -> list[Path]:
    """A file, or all files of a folder but those that Python writes by itself."""
    files = [path] if path.is_file() else path.rglob("*")
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


def recreate_stream_mappings(endpoint: str) -> None:
    """Replace the mapping of every stream, because a restarted emulator delivers to no old one."""
    functions = boto3.client("lambda", **client_options(endpoint))
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    for mapping in [each for each in mappings if ":dynamodb:" in each["EventSourceArn"]]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
        functions.create_event_source_mapping(
            FunctionName=mapping["FunctionArn"],
            StartingPosition="LATEST",
            **{name: mapping[name] for name in STREAM_MAPPING if name in mapping},
        )


def client_options(endpoint: str) -> dict[str, Any]:
    """The options of a boto3 client that calls the emulator."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


def outputs(endpoint: str, digest: str | None = None) -> dict[str, str]:
    """The outputs of the deployed stack; empty if it is missing or has another digest."""
    stacks = boto3.client("cloudformation", **client_options(endpoint))
    try:
        (stack,) = stacks.describe_stacks(StackName=NAME)["Stacks"]
    except ClientError:
        return {}
    deployed = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}.get("source")
    if not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
        return {}
    if digest not in (None, deployed):
        return {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def build(home: Path) -> None:
    _sam(home, "build", "--build-dir", str(home / "build"))
    _put_into_words_of_the_emulator(home / "build/template.yaml")


def _put_into_words_of_the_emulator(template: Path) -> None:
    """Write `text/csv` for CloudFormation's `text~1csv`, and grant sending in batches by its name.

    The emulator takes the first literally. On AWS whoever may send a message may send several.
    """
    text = template.read_text().replace("~1", "/")
    template.write_text(text.replace("sqs:SendMessage\n", "sqs:SendMessage*\n"))


def deploy(home: Path, endpoint: str, digest: str) -> None:
    options = (
        *("--template-file", str(home / "build/template.yaml")),
        *("--stack-name", NAME, "--region", REGION, "--tags", f"source={digest}"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--parameter-overrides", f"Stage={STAGE}", "Monitoring=false"),
        *("OrganizationRequests=1000", "--resolve-s3"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
    )
    _sam(home, "deploy", *options, endpoint=endpoint)


def _sam(home: Path, verb: str, *arguments: str, endpoint: str = "") -> None:
    log = home / f"log/{verb}.log"
    with log.open("w") as output:
        done = subprocess.run(
            [SAM, verb, *arguments],
            env=sam_environment(endpoint),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        end = "\n".join(log.read_text().splitlines()[-20:])
        raise CannotStartError(f"`sam {verb}` failed; {log} ends with\n\n{end}")


def sam_environment(endpoint: str, architecture: str = "this") -> dict[str, str]:
    """The environment in which SAM calls the emulator and builds the layer for this Python."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **aws_environment(endpoint),
        "PATH": f"{Path('.venv/bin').absolute()}:{os.environ['PATH']}",  # the layer is built by uv
        "LAYER_PYTHON": PYTHON,
        "LAYER_ARCH": architecture,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CONFIG_ENV": "default",
    }
