"""DELETE /v1/keys/{key_id}: end a key, now and for good."""

from odometer.access.keyring import Keyring
from odometer.access.policy import MANAGE_KEYS
from odometer.api.endpoint import endpoint
from odometer.api.envelope import ENVELOPE
from odometer.api.keys import KeyPath


@endpoint(ENVELOPE, "DELETE", "/v1/keys/{key_id}", may=MANAGE_KEYS)
def handler(query: KeyPath, keyring: Keyring) -> None:
    """Revoke the key; there is nothing to answer."""
    keyring.revoke(query.key_id)
