"""The stack that runs on this machine, as `python -m local` writes it down in its home."""

import json
import os
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from odometer.domain.stored import UNREADABLE
from odometer_cli.failure import Misused, Unreachable
from odometer_cli.output import err

HOME = Path(".local")
RECORD = "stack.json"
DEMO, DEMO_KEY = "demo.env", "ADMIN_TOKEN"
START = "Start it in the checkout: make up"
PATIENCE_SECONDS = 2
OF_AWS = ("AWS_", "NO_PROXY", "no_proxy")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running stack: where it answers, what its parts are called, and how AWS is reached."""

    home: Path
    base_url: str
    outputs: Mapping[str, str]
    aws: Mapping[str, str]

    @classmethod
    def running(cls, home: Path) -> Self:
        """The stack of a home; a failure if it does not run."""
        record = home / RECORD
        try:
            content = json.loads(record.read_text())
            stack = cls(home, content["base_url"], {**content["outputs"]}, {**content["aws"]})
            address = urlsplit(content["endpoint"])
            host, port = str(address.hostname), address.port or 0
            are_here = is_here(stack.base_url) and is_here(content["endpoint"])
        except (OSError, *UNREADABLE) as error:
            raise Misused(f"{home} holds no record of a local stack.", START) from error
        if not are_here:
            raise Misused(f"{record} speaks of another machine, which no key is sent to.", START)
        if not (stack.outputs and is_listening(host, port)):
            raise Unreachable(f"The local stack of {home} is not running.", START)
        return stack

    @property
    def demo_key(self) -> str | None:
        """The key of the Admin of the demo organization, which is loaded here."""
        record = self.home / DEMO
        words = shlex.split(record.read_text(), comments=True) if record.exists() else []
        key = dict(word.partition("=")[::2] for word in words).get(DEMO_KEY)
        if key:
            err.print("With the key of the demo's Admin.", style="dim")
        return key

    def enter(self) -> None:
        """Make AWS this stack and nothing else, for the rest of this process."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        about_aws = {name: self.aws[name] for name in self.aws if name.startswith(OF_AWS)}
        os.environ.update(about_aws)


def nearest_home(folder: Path) -> Path | None:
    """The home of the checkout that a folder is in, if a stack has been started there."""
    homes = (each / HOME for each in (folder, *folder.parents))
    return next((home for home in homes if (home / RECORD).exists()), None)


def is_here(url: str) -> bool:
    """Whether an address is of this machine: whoever wrote a record may be somebody else."""
    return urlsplit(url).hostname in LOOPBACK


def is_listening(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True
