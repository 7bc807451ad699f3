"""Ask, before anything is built for AWS, whether there is an account to deploy to."""

import sys

import boto3
from botocore.exceptions import BotoCoreError

REMEDY = "Sign in first: `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret."


def main() -> None:
    try:
        found = boto3.Session().get_credentials()
    except BotoCoreError as error:
        sys.exit(f"Not deployed: {error}. {REMEDY}")
    if found is None:
        sys.exit(f"Not deployed: no AWS credentials on this machine. {REMEDY}")


if __name__ == "__main__":
    main()
