"""DELETE /v1/keys/{key_id}: end a key, now and for good."""

from odometer.access.keyring import Keyring
from odometer.access.policy import MANAGE_KEYS
from odometer.api.v1.keys import KeyPath
from odometer.web.endpoint import endpoint
from odometer.web.family import ENVELOPE


@endpoint(ENVELOPE, "DELETE", "/v1/keys/{key_id}", may=MANAGE_KEYS)
def handler(query: KeyPath, keyring: Keyring) -> None:
    """Revoke the key; there is nothing to answer."""
    keyring.revoke(query.key_id)
