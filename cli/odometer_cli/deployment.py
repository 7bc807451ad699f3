"""Which deployment a command speaks to, and as whom: from its options and the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from odometer.access.keys import AccessKey
from odometer.bootstrap import Process, Settings
from odometer.services.engine import Engine
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Meter
from odometer_cli.client import Client
from odometer_cli.cloudformation import outputs_of, settings_of
from odometer_cli.failure import Misused
from odometer_cli.local_stack import LocalStack, nearest_home
from odometer_cli.output import err

WHICH = "Give --stack (or ODOMETER_STACK), or --local for the stack that `make up` starts"


@dataclass(frozen=True)
class Deployment:
    """One deployment: through its public API for clients, through its tables for operators."""

    stack: str | None = None
    base_url: str | None = None
    token: str | None = None
    home: Path | None = None
    """Of the local stack, where that is the one meant."""

    def __post_init__(self) -> None:
        """Refuse two deployments at once: one of them would be changed by mistake."""
        if self.home and (self.stack or self.base_url):
            message = "--local and --stack or --base-url name two deployments."
            remedy = "Give one of them, and unset ODOMETER_STACK and ODOMETER_BASE_URL for --local."
            raise Misused(message, remedy)

    @cached_property
    def client(self) -> Client:
        return Client(self._address().rstrip("/"), str(self.key))

    @cached_property
    def key(self) -> AccessKey:
        if not self.token:
            raise Misused("No access key was given.", "Set ODOMETER_TOKEN, or give --token.")
        key = AccessKey.parse(self.token)
        if key is None:
            raise Misused("This is no access key: its checksum is wrong.", "Copy it again, whole.")
        return key

    @cached_property
    def settings(self) -> Settings:
        if self.outputs:
            return settings_of(self.outputs)
        try:
            return Settings.from_env()
        except LookupError as error:
            raise Misused(f"Which deployment? {error}.", f"{WHICH}; or set these.") from error

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """What a stack calls its parts; nothing where only the environment tells."""
        if self.stack:
            return outputs_of(self.stack)
        return self.local.outputs if self.local else {}

    @cached_property
    def local(self) -> LocalStack | None:
        """The local stack, if it is meant: by --local, or in its checkout where nothing else is."""
        home = self.home or (None if self._is_named else nearest_home(Path.cwd()))
        if home is None:
            return None
        stack = LocalStack.running(home)
        stack.enter()
        if not self.home:
            err.print(f"This is the local stack of {home}.", style="dim")
        return stack

    @cached_property
    def process(self) -> Process:
        """Clients for the tables and the secret."""
        return Process(self.settings)

    @cached_property
    def directories(self) -> DirectoryStore:
        return self.process.directories(Meter())

    @property
    def engine(self) -> Engine:
        return self.process.engine

    @property
    def pepper(self) -> bytes:
        """The key with which access keys are hashed."""
        return self.process.pepper

    @property
    def _is_named(self) -> bool:
        names = (field.name.upper() for field in fields(Settings))
        return bool(self.stack or self.base_url or any(os.environ.get(name) for name in names))

    def _address(self) -> str:
        address = self.base_url or (self.local.base_url if self.local else self._api_url)
        if not is_url(address):
            remedy = f"{WHICH}; or ODOMETER_BASE_URL or --base-url, beginning with https://."
            message = f"{address}: no URL." if address else "No base URL was given."
            raise Misused(message, remedy)
        return address

    @property
    def _api_url(self) -> str:
        return self.outputs.get("ApiUrl", "")


def is_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
