"""The deployment's one secret, from which its keys are derived."""

import boto3

from odometer.storage.dynamo import PATIENCE, domain_errors


def read_secret(secret_id: str) -> bytes:
    with domain_errors():
        client = boto3.client("secretsmanager", config=PATIENCE)
        answer = client.get_secret_value(SecretId=secret_id)
    return answer["SecretString"].encode()
