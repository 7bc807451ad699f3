"""Backups: of every table, kept for some days, and also elsewhere if that is asked."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.template import read, written

TEMPLATE = written()
BACKUPS = read("infrastructure/backups.yaml")
STACK = TEMPLATE["Resources"]["BackupsStack"]
TABLES = [
    name
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::DynamoDB::Table"
]
(RULE,) = BACKUPS["Resources"]["Plan"]["Properties"]["BackupPlan"]["BackupPlanRule"]


def if_replicated(value: Any) -> Any:
    """What stands there if a second region is named; there is nothing if none is."""
    name, there, otherwise = value["Fn::If"]
    assert (name, otherwise) == ("HasReplica", {"Ref": "AWS::NoValue"})
    return there


def test_there_are_none_unless_they_are_asked_for() -> None:
    assert STACK["Condition"] == "HasBackups"
    assert TEMPLATE["Conditions"]["HasBackups"] == {"Fn::Equals": [{"Ref": "Backups"}, "true"]}
    assert TEMPLATE["Parameters"]["Backups"]["Default"] == "false"
    assert TEMPLATE["Parameters"]["ReplicaRegion"]["Default"] == ""


def test_production_asks_for_them() -> None:
    parameters = tomllib.loads(Path("samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    assert "Backups=true" in parameters["parameter_overrides"]


def test_every_table_is_in_the_backup() -> None:
    (_, names) = STACK["Properties"]["Parameters"]["Tables"]["Fn::Join"]
    assert sorted(each["Fn::GetAtt"][0] for each in names) == sorted(TABLES)
    selection = BACKUPS["Resources"]["Selection"]["Properties"]["BackupSelection"]
    assert selection["Resources"] == {"Ref": "Tables"}


@pytest.mark.parametrize("parameter", sorted(BACKUPS["Parameters"]))
def test_every_parameter_is_given_and_used(parameter: str) -> None:
    assert parameter in STACK["Properties"]["Parameters"]
    text = Path("infrastructure/backups.yaml").read_text()
    assert f"!Ref {parameter}" in text or f"${{{parameter}}}" in text


def test_nobody_who_was_erased_is_kept_longer_than_is_said() -> None:
    assert RULE["Lifecycle"] == {"DeleteAfterDays": {"Ref": "Days"}}
    (copied,) = if_replicated(RULE["CopyActions"])
    assert copied["Lifecycle"] == RULE["Lifecycle"]


def test_backups_outlive_the_stack() -> None:
    assert BACKUPS["Resources"]["Vault"]["DeletionPolicy"] == "Retain"


def test_one_parameter_names_the_region_of_backups_and_of_the_secret() -> None:
    (copied,) = if_replicated(RULE["CopyActions"])
    assert ":${ReplicaRegion}:" in copied["DestinationBackupVaultArn"]["Fn::Sub"]
    secret = TEMPLATE["Resources"]["Secret"]["Properties"]["ReplicaRegions"]
    assert if_replicated(secret) == [{"Region": {"Ref": "ReplicaRegion"}}]
