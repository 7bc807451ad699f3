"""A deployment as it stands behind its address: requests over HTTP, commands typed beside it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.demo import read_names
from local.stack import Stack

HOMES = (Path(".local/test"), Path(".local"))


@dataclass(frozen=True)
class Deployment:
    """A running demo: its names, its address, and the home of a local one."""

    names: Mapping[str, str]
    http: httpx.Client
    home: Path | None

    def __getitem__(self, name: str) -> str:
        return self.names[name]

    def send(
        self, method: str, path: str, key: str | None = None, **request: Any
    ) -> httpx.Response:
        """Send a request as whoever holds the key; a name of `demo.env` stands for its key."""
        token = self.names.get(key or "", key)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= request.pop("headers", {})
        address = self.names["BASE_URL"] + path
        return self.http.request(method, address, headers=headers, **request)

    def get(self, path: str, key: str | None = None, **request: Any) -> httpx.Response:
        return self.send("GET", path, key, **request)

    def odometer(self, *words: str, key: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the command line with the environment of an operator of a local stack."""
        stack = Stack.read(self.home) if self.home else None
        env = {
            **os.environ,
            **(stack.environment() if stack else {}),
            "ODOMETER_BASE_URL": self.names["BASE_URL"],
            "ODOMETER_TOKEN": self.names.get(key or "", key or ""),
        }
        command = [sys.executable, "-m", "odometer_cli", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def running() -> tuple[Mapping[str, str], Path | None] | None:
    """The names of the deployment to test, and its home if it is on this machine."""
    wanted = os.environ.get("BASE_URL")
    homes = [Path(os.environ["DEMO_ENV"]).parent] if "DEMO_ENV" in os.environ else HOMES
    for home in homes:
        names = read_names(home / "demo.env")
        if names and names["BASE_URL"] == (wanted or names["BASE_URL"]):
            return names, home
    return (dict(os.environ), None) if wanted and "ADMIN_TOKEN" in os.environ else None
