"""Check an account before a deployment: its API Gateway log role, and who is told of alarms.

`python -m local.account prod` checks it for that environment of samconfig.toml.
"""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

CONFIG = Path("samconfig.toml")
SIGN_IN = "Sign in first: `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret."
NO_LOG_ROLE = """\
Not deployed: this account has no API Gateway log role in {region}, and access logs need one.
Add "ApiLogRole=create" to parameter_overrides of [{environment}.deploy.parameters] in {config}.
The role serves every API of the account in this region, and stays when the stack goes."""
NO_ALARM_TOPIC = """\
Not deployed: nobody would be called when an alarm of this production stack goes off.
Make an SNS topic in {region}, subscribe whoever is on call, and add "AlarmTopicArn=<its ARN>" to
parameter_overrides of [{environment}.deploy.parameters] in {config}."""

Parameters = Mapping[str, str]


def main(environment: str = "default") -> None:
    config = tomllib.loads(CONFIG.read_text())[environment]
    session = signed_in(config["global"]["parameters"]["region"])
    place = {"environment": environment, "config": CONFIG, "region": session.region_name}
    try:
        parameters = parameters_of(session, config)
        role = parameters.get("ApiLogRole") == "create" or has_log_role(session)
    except (BotoCoreError, ClientError) as error:  # who may deploy may not be allowed to ask
        print(f"WARNING: the account was not checked. {error}", file=sys.stderr)
        return
    if not role:
        sys.exit(NO_LOG_ROLE.format(**place))
    if parameters.get("Production") == "true" and not parameters.get("AlarmTopicArn"):
        sys.exit(NO_ALARM_TOPIC.format(**place))


def signed_in(region: str) -> boto3.Session:
    try:
        session = boto3.Session(region_name=region)
        found = session.get_credentials()
    except BotoCoreError as error:
        sys.exit(f"Not deployed: {error}. {SIGN_IN}")
    if found is None:
        sys.exit(f"Not deployed: no AWS credentials on this machine. {SIGN_IN}")
    return session


def parameters_of(session: boto3.Session, config: Mapping[str, Any]) -> Parameters:
    """The parameters of the deployed stack, updated by those of samconfig.toml."""
    written = config["deploy"]["parameters"]["parameter_overrides"]
    deployed = deployed_parameters(session, config["global"]["parameters"]["stack_name"])
    return {**deployed, **dict(each.split("=", 1) for each in written)}


def deployed_parameters(session: boto3.Session, stack: str) -> Parameters:
    """The parameters that `sam deploy` keeps; empty for a new stack."""
    try:
        (found,) = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return {}
    given = found.get("Parameters", [])
    return {each["ParameterKey"]: each["ParameterValue"] for each in given}


def has_log_role(session: boto3.Session) -> bool:
    """Whether API Gateway may write logs in this account and region."""
    return bool(session.client("apigateway").get_account().get("cloudwatchRoleArn"))


if __name__ == "__main__":
    main(*sys.argv[1:])
