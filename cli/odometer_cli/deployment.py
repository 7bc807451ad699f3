"""Which deployment a command speaks to, and as whom: from options, variables and files.

Whoever only asks the public API does not import what reads tables.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from odometer.domain.errors import NotFound
from odometer_cli.config_file import ConfigFile, Entry
from odometer_cli.failure import Misused
from odometer_cli.local_stack import LocalStack, nearest_home
from odometer_cli.output import err

if TYPE_CHECKING:
    from odometer.access.keys import AccessKey
    from odometer.access.secret import Secret
    from odometer.access.tokens import EmbedToken
    from odometer.bootstrap import Process, Settings
    from odometer.services.engine import Engine
    from odometer.storage.directory import DirectoryStore
    from odometer.storage.trail import Trail
    from odometer_cli.client import Client

WHICH = "Give --stack (or ODOMETER_STACK), or --local for the stack that `make up` starts"
SETTINGS = (
    *("DIRECTORY_TABLE", "USAGE_TABLE", "LOG_TABLE", "ACTIVITY_TABLE", "SECRET_ID", "WORK_QUEUE"),
)
"""Variables that name the parts of a deployment, as functions have them."""


class Place(NamedTuple):
    """What names a deployment: the options, or the variables."""

    deployment: str | None = None
    stack: str | None = None
    url: str | None = None
    home: Path | None = None

    def only(self, names: Collection[str]) -> Self:
        """The same, as far as it is named by these."""
        return self._replace(**dict.fromkeys(set(self._fields) - set(names)))

    @property
    def is_named(self) -> bool:
        return any(self)

    def checked(self) -> Self:
        """Refuse two deployments at once: one of them would be changed by mistake."""
        words = {
            "--deployment": self.deployment,
            "--local": self.home,
            "--stack or --url": self.stack or self.url,
        }
        named = [word for word, value in words.items() if value]
        if len(named) > 1:
            message = f"{' and '.join(named)} name two deployments."
            raise Misused(message, "Give one of them; options come before variables.")
        return self


@dataclass(frozen=True)
class Deployment:
    """One deployment: through its public API for clients, through its tables for operators."""

    place: Place
    given_key: str | None = None

    @classmethod
    def chosen(cls, places: Sequence[Place], key: str | None) -> Self:
        """The deployment that the first of the places names."""
        named = (each.checked() for each in places if each.is_named)
        return cls(next(named, Place()), key)

    @cached_property
    def entry(self) -> Entry | None:
        """What the configuration file says, where it is asked."""
        if self.place.deployment:
            return ConfigFile.read().entry(self.place.deployment)
        if self.place.is_named or any(os.environ.get(name) for name in SETTINGS):
            return None
        config = ConfigFile.read()
        if config.in_use:
            err.print(f"This is {config.use}, the deployment in use.", style="dim")
        return config.in_use

    @property
    def stack(self) -> str | None:
        return self.place.stack or (self.entry.stack if self.entry else None)

    @property
    def url(self) -> str | None:
        return self.place.url or (self.entry.url if self.entry else None)

    def as_entry(self) -> Entry:
        """Where this is, as the configuration file says it."""
        if self.local:
            return Entry(home=str(self.local.home.resolve()))
        return Entry(stack=self.stack) if self.stack else Entry(url=self.address)

    # the public API

    @cached_property
    def client(self) -> "Client":
        from odometer_cli.client import Client

        return Client(self.address, str(self.credential))

    @cached_property
    def address(self) -> str:
        address = self.url or (self.local.base_url if self.local else self._api_url)
        if not is_url(address):
            remedy = f"{WHICH}; or ODOMETER_URL or --url, beginning with https://."
            message = f"{address}: no URL." if address else "No base URL was given."
            raise Misused(message, remedy)
        return address.rstrip("/")

    @property
    def key(self) -> "AccessKey":
        from odometer.access.keys import AccessKey

        if not isinstance(self.credential, AccessKey):
            raise Misused("This is an embed token.", "Give an access key.")
        return self.credential

    @cached_property
    def credential(self) -> "AccessKey | EmbedToken":
        text = self.given_key or self._kept_key or (self.local.demo_key if self.local else None)
        if not text:
            remedy = "Set ODOMETER_KEY, give --key, or keep one: odometer config add"
            raise Misused("No access key was given.", remedy)
        return checked_key(text)

    @property
    def _kept_key(self) -> str | None:
        """The key of the file, which goes to no other address than that of its deployment."""
        if self.entry:
            return self.entry.read_key()
        if self.place.home is None:
            return None
        used = ConfigFile.read().in_use
        here = used and used.home and Path(used.home) == self.place.home.resolve()
        return used.read_key() if used and here else None

    @property
    def _api_url(self) -> str:
        return self.outputs.get("ApiUrl", "")

    # the tables

    @cached_property
    def settings(self) -> "Settings":
        from odometer.bootstrap import Settings
        from odometer_cli.cloudformation import settings_of

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
            from odometer_cli.cloudformation import outputs_of

            return outputs_of(self.stack)
        return self.local.outputs if self.local else {}

    @cached_property
    def local(self) -> LocalStack | None:
        """The local stack, if it is meant: by name, or in its checkout where nothing else is."""
        home = self._home or (None if self._is_elsewhere else nearest_home(Path.cwd()))
        if home is None:
            return None
        stack = LocalStack.running(home)
        stack.enter()
        if not self._home:
            err.print(f"This is the local stack of {home}.", style="dim")
        return stack

    @cached_property
    def process(self) -> "Process":
        """Clients for the tables and the secret."""
        from odometer.bootstrap import Process

        return Process(self.settings)

    @cached_property
    def directories(self) -> "DirectoryStore":
        from odometer.storage.dynamo import Meter

        return self.process.directories(Meter())

    def trail(self, organization: str = "") -> "Trail":
        """The trail of an organization, or of the deployment, for an operator who acts now."""
        from odometer.domain.acts import USUAL_TRAIL_DAYS, Actor
        from odometer.storage.aws import own_key_id
        from odometer.storage.dynamo import Meter
        from odometer.storage.trail import Trail

        days = USUAL_TRAIL_DAYS
        if organization:
            with suppress(NotFound):
                days = self.directories.open(organization).organization.trail_days
        actor = Actor(datetime.now(UTC), days, operator=own_key_id())
        return Trail(self.process.trails(Meter()), organization, actor)

    @property
    def engine(self) -> "Engine":
        return self.process.engine

    @property
    def secret(self) -> "Secret":
        """What access keys are hashed with."""
        return self.process.secret

    @property
    def _home(self) -> Path | None:
        kept = self.entry.home if self.entry else None
        return self.place.home or (Path(kept) if kept else None)

    @property
    def _is_elsewhere(self) -> bool:
        named = self.place.is_named or self.entry is not None
        return named or any(os.environ.get(name) for name in SETTINGS)


def checked_key(text: str) -> "AccessKey | EmbedToken":
    """A key or a token that is whole."""
    from odometer.access.keys import AccessKey
    from odometer.access.tokens import EmbedToken

    key = AccessKey.parse(text) or EmbedToken.parse(text)
    if key is None:
        raise Misused("This is no access key: its checksum is wrong.", "Copy it again, whole.")
    return key


def is_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
