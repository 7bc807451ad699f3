"""Which deployment a command speaks to, and as whom: from its options and the environment."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from odometer.settings import Settings
from odometer.storage.deployment import outputs_of, settings_of
from odometer.storage.dynamo import Meter, Table
from odometer.storage.secret import pepper
from odometer.storage.tenancy import Tenancy
from odometer_cli.client import Client
from odometer_cli.failure import Misused


@dataclass(frozen=True)
class Deployment:
    """One deployment: through its public API for clients, through its tables for operators."""

    stack: str | None = None
    base_url: str | None = None
    token: str | None = None

    @cached_property
    def client(self) -> Client:
        """The public API, with the caller's key."""
        if not self.token:
            raise Misused("No access key was given.", "Set ODOMETER_TOKEN, or give --token.")
        return Client(self._address().rstrip("/"), self.token)

    @cached_property
    def settings(self) -> Settings:
        """The names of the tables and of the secret."""
        if self.stack:
            return settings_of(self.stack)
        try:
            return Settings.from_env()
        except LookupError as error:
            remedy = "Name the deployed stack by --stack (or ODOMETER_STACK), or set these."
            raise Misused(f"Which deployment? {error}.", remedy) from error

    @cached_property
    def tenancy(self) -> Tenancy:
        """Directories and credentials, past the public API."""
        return Tenancy(Table(self.settings.directory_table, Meter()))

    @property
    def pepper(self) -> bytes:
        """What access keys are hashed with."""
        return pepper(self.settings.secret_id)

    def _address(self) -> str:
        address = self.base_url or (outputs_of(self.stack)["ApiUrl"] if self.stack else "")
        if urlsplit(address).scheme not in ("http", "https"):
            remedy = (
                "Set ODOMETER_BASE_URL or give --base-url (or --stack), beginning with https://."
            )
            raise Misused(
                "No base URL was given." if not address else f"{address}: no URL.", remedy
            )
        return address
