"""The deployment's one secret, and the keys that are derived from it."""

import hashlib
import hmac
from functools import cache

import boto3

from odometer.storage.dynamo import PATIENCE, domain_errors


@cache
def secret(secret_id: str) -> bytes:
    """The secret itself, read once by each process."""
    with domain_errors():
        client = boto3.client("secretsmanager", config=PATIENCE)
        answer = client.get_secret_value(SecretId=secret_id)
    return answer["SecretString"].encode()


def derived(secret_id: str, purpose: str) -> bytes:
    """The key for one purpose; knowing it tells nothing about the others."""
    return hmac.new(secret(secret_id), purpose.encode(), hashlib.sha256).digest()


def pepper(secret_id: str) -> bytes:
    """What access keys are hashed with."""
    return derived(secret_id, "access key pepper")


def cursor_key(secret_id: str) -> bytes:
    """What cursors are signed with."""
    return derived(secret_id, "cursor signature")
