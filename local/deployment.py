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
from local.record import REGION, aws_environment

SAM = Path(".local/tools/sam/bin/sam").absolute()
SOURCES = ("template.yaml", "infrastructure", "layers", "functions")
NAME = "odometer"
STAGE = "local"
BELL = (
    "EventSourceArn",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FilterCriteria",
    "DestinationConfig",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
)
"""What a stream's mapping is made of."""


def source_digest() -> str:
    """One digest of everything that a deployment is made of, the building Python included."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for source in SOURCES for path in _files(Path(source))):
        digest.update(f"{path}\0{path.stat().st_mode}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else path.rglob("*")
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


def rehang_bells(endpoint: str) -> None:
    """Make every stream's mapping anew: after a restart, the emulator delivers to no old one."""
    functions = boto3.client("lambda", **at(endpoint))
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
        functions.create_event_source_mapping(
            FunctionName=mapping["FunctionArn"],
            StartingPosition="LATEST",
            **{name: mapping[name] for name in BELL if name in mapping},
        )


def at(endpoint: str) -> dict[str, Any]:
    """How a client meets the emulator."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


def outputs(endpoint: str, digest: str | None = None) -> dict[str, str]:
    """The outputs of the deployed stack; none if it is not there, or not of this digest."""
    try:
        stack = boto3.client("cloudformation", **at(endpoint)).describe_stacks(StackName=NAME)[
            "Stacks"
        ][0]
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
    _spell_out_media_types(home / "build/template.yaml")


def _spell_out_media_types(template: Path) -> None:
    """Write `text/csv` for CloudFormation's `text~1csv`: the emulator would take it literally."""
    template.write_text(template.read_text().replace("~1", "/"))


def deploy(home: Path, endpoint: str, digest: str) -> None:
    _sam(
        home,
        "deploy",
        *("--template-file", str(home / "build/template.yaml")),
        *("--stack-name", NAME, "--region", REGION, "--tags", f"source={digest}"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--parameter-overrides", f"Stage={STAGE}", "Monitoring=false"),
        *(
            "--resolve-s3",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
        ),
        endpoint=endpoint,
    )


def _sam(home: Path, verb: str, *arguments: str, endpoint: str = "") -> None:
    log = home / f"log/{verb}.log"
    with log.open("w") as output:
        done = subprocess.run(
            [SAM, verb, *arguments],
            env=_environment(endpoint),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        message = f"`sam {verb}` failed; {log} ends with\n\n" + "\n".join(
            log.read_text().splitlines()[-20:],
        )
        raise CannotStartError(message)


def _environment(endpoint: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **aws_environment(endpoint),
        "PATH": f"{Path('.venv/bin').absolute()}:{os.environ['PATH']}",  # the layer is built by uv
        "LAYER_PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
        "LAYER_ARCH": "this",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CONFIG_ENV": "default",
    }
