"""The record of the running stack in `<home>/stack.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack: its addresses and the names of its resources."""

    endpoint: str
    pid: int
    base_url: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The environment in which the functions' code uses this stack."""
        return {
            **aws_environment(self.endpoint),
            "DIRECTORY_TABLE": self.outputs["DirectoryTable"],
            "ACTIVITY_TABLE": self.outputs["ActivityTable"],
            "LOG_TABLE": self.outputs["LogTable"],
            "USAGE_TABLE": self.outputs["UsageTable"],
            "SECRET_ID": self.outputs["SecretId"],
            "WORK_QUEUE": self.outputs["WorkQueue"],
            "BASE_URL": self.base_url,
        }

    def write(self, home: Path) -> None:
        content = {**asdict(self), "aws": aws_environment(self.endpoint)}  # for `odometer --local`
        (home / "stack.json").write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, home: Path) -> Self | None:
        path = home / "stack.json"
        if not path.exists():
            return None
        content = json.loads(path.read_text())
        return cls(**{field.name: content[field.name] for field in fields(cls)})


def aws_environment(endpoint: str) -> dict[str, str]:
    """The environment in which AWS is this emulator, without profile, credentials or proxy."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
