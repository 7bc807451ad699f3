"""Where the deployment's secret is kept."""

from odometer.access.secret import Secret
from odometer.domain.errors import Conflict, OdometerError
from odometer.storage.aws import client_of
from odometer.storage.dynamo import domain_errors


def read_secret(secret_id: str) -> Secret:
    with domain_errors():
        answer = client_of("secretsmanager").get_secret_value(SecretId=secret_id)
    return Secret.of(answer["SecretString"])


def write_secret(secret_id: str, secret: Secret) -> None:
    """Store a secret with a new version; of two who do so at once, one is refused.

    The token names the version, and AWS takes one content for a token.
    """
    token = f"odometer-secret-version-{secret.newest:08}"
    try:
        with domain_errors():
            client_of("secretsmanager").put_secret_value(
                SecretId=secret_id, SecretString=secret.text, ClientRequestToken=token
            )
    except OdometerError as error:
        if str(error) == "ResourceExistsException":
            raise Conflict(token) from error
        raise
