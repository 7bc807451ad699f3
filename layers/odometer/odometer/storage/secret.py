"""The deployment's one secret, from which its keys are derived."""

from odometer.storage.aws import client_of
from odometer.storage.dynamo import domain_errors


def read_secret(secret_id: str) -> bytes:
    with domain_errors():
        answer = client_of("secretsmanager").get_secret_value(SecretId=secret_id)
    secret: str = answer["SecretString"]
    return secret.encode()
