"""What `make deploy` says before it builds: no log role in the account, no topic for alarms."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local import account
from local.template import written

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
PRODUCTION = '"Production=true", "ApiLogRole=create"'
TEMPLATE = """
Parameters: {AlarmTopicArn: {Type: String}, Production: {Type: String}}
Resources: {Queue: {Type: AWS::SQS::Queue}}
"""


@pytest.fixture(autouse=True)
def _new_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


def asked(folder: Path, overrides: str) -> None:
    """Ask for an environment with these parameters."""
    config = folder / "samconfig.toml"
    config.write_text(
        f"[prod.global.parameters]\nstack_name = 'odometer-prod'\nregion = '{REGION}'\n"
        f"[prod.deploy.parameters]\nparameter_overrides = [{overrides}]\n"
    )
    with patch("local.account.CONFIG", config):
        account.main("prod")


def test_an_account_without_a_log_role_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ApiLogRole=create") as refused:
        asked(tmp_path, '"Stage=dev"')
    assert "no API Gateway log role in eu-central-1" in str(refused.value)
    assert "[prod.deploy.parameters]" in str(refused.value)


def test_an_account_is_deployed_to_when_the_role_will_be_made(tmp_path: Path) -> None:
    asked(tmp_path, '"ApiLogRole=create"')


def test_an_account_with_a_log_role_is_deployed_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::1:role/logs"}
    boto3.client("apigateway", region_name=REGION).update_account(patchOperations=[role])
    asked(tmp_path, '"Stage=dev"')
    assert capsys.readouterr().err == ""


def test_production_without_a_topic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nobody would be called") as refused:
        asked(tmp_path, PRODUCTION)
    assert '"AlarmTopicArn=<its ARN>"' in str(refused.value)
    assert "[prod.deploy.parameters]" in str(refused.value)


def test_production_with_a_topic_is_deployed_to(tmp_path: Path) -> None:
    asked(tmp_path, f'{PRODUCTION}, "AlarmTopicArn=arn:aws:sns:eu-central-1:1:on-call"')


def test_a_topic_that_the_stack_was_deployed_with_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName="odometer-prod",
        TemplateBody=TEMPLATE,
        Parameters=[
            {
                "ParameterKey": "AlarmTopicArn",
                "ParameterValue": "arn:aws:sns:eu-central-1:1:on-call",
            },
            {"ParameterKey": "Production", "ParameterValue": "true"},
        ],
    )
    asked(tmp_path, PRODUCTION)
    assert capsys.readouterr().err == ""


def test_whoever_is_not_signed_in_is_told_how(tmp_path: Path) -> None:
    with (
        patch("boto3.Session.get_credentials", return_value=None),
        pytest.raises(SystemExit, match="Sign in first"),
    ):
        asked(tmp_path, PRODUCTION)


def test_an_account_that_may_not_be_asked_is_deployed_to_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetAccount")
    with patch("local.account.has_log_role", side_effect=refused):
        asked(tmp_path, '"Stage=dev"')
    assert "WARNING: the account was not checked" in capsys.readouterr().err


def test_deploy_asks_for_its_environment_before_it_builds() -> None:
    makefile = Path("Makefile").read_text()
    (needs,) = re.findall(r"^deploy: (.*?) ##", makefile, re.MULTILINE)
    assert shlex.split(needs) == ["ready-to-deploy", "build"]
    assert re.search(
        r"^ready-to-deploy:.*\n\t@.*-m local\.account \$\(ENV\)$", makefile, re.MULTILINE
    )


ENVIRONMENTS = tomllib.loads(Path("samconfig.toml").read_text())
ENVIRONMENTS.pop("version")


@pytest.mark.parametrize("environment", sorted(ENVIRONMENTS.keys() - {"prod"}))
def test_an_environment_of_the_checkout_is_deployed_as_it_is(environment: str) -> None:
    role = {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::1:role/logs"}
    boto3.client("apigateway", region_name=REGION).update_account(patchOperations=[role])
    account.main(environment)


def test_prod_of_the_checkout_waits_for_a_topic() -> None:
    role = {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::1:role/logs"}
    boto3.client("apigateway", region_name=REGION).update_account(patchOperations=[role])
    with pytest.raises(SystemExit, match="AlarmTopicArn"):
        account.main("prod")


# environments: what samconfig.toml says of each


def parameters(environment: str) -> dict[str, str]:
    written = ENVIRONMENTS[environment]["deploy"]["parameters"]["parameter_overrides"]
    return dict(each.split("=", 1) for each in written)


def test_environments_are_stacks_of_their_own() -> None:
    names = [each["global"]["parameters"]["stack_name"] for each in ENVIRONMENTS.values()]
    assert len(set(names)) == len(names) == 4


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_names_parameters_and_values_that_the_template_has(environment: str) -> None:
    declared = written()["Parameters"]
    for name, value in parameters(environment).items():
        allowed = declared[name].get("AllowedValues", [value])
        assert value in map(str, allowed), f"{name}={value}"


def test_what_staging_runs_is_what_production_runs() -> None:
    """They differ in the name of the stage, in what is kept, and in nothing that answers."""
    differs = set(parameters("staging").items()) ^ set(parameters("prod").items())
    assert {name for name, _ in differs} == {"Stage", "Production", "Backups", "LogRetentionDays"}


def test_only_production_is_kept_and_asks_before_it_changes() -> None:
    kept = {name for name in ENVIRONMENTS if parameters(name).get("Production") == "true"}
    assert kept == {"prod"}
    assert ENVIRONMENTS["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_cloudformation_refuses_production_without_a_topic_too() -> None:
    (refused,) = written()["Rules"]["ProductionCallsSomebody"]["Assertions"]
    assert refused["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]}
