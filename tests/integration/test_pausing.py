"""`odometer pause` and `open`: whatever begins work stands still, and is set as it was before."""

import json
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

from odometer_cli import app
from odometer_cli.pausing import client
from tests.support.control_plane import RESERVED, ControlPlane, control_plane, died_at
from tests.support.stack import Stack


@pytest.fixture
def plane(stack: Stack) -> Iterator[ControlPlane]:
    with control_plane() as plane:
        yield plane


def odometer(*words: str) -> Result:
    return CliRunner().invoke(app, ["--stack", "odometer", *words])


def test_everything_stands_still_and_is_then_what_it_was(plane: ControlPlane) -> None:
    before = plane.settings
    assert odometer("pause").stdout == "Paused.\n"
    assert plane.is_closed
    assert odometer("pause").stdout == "It was paused before.\n"
    assert odometer("open").stdout == "Open.\n"
    assert plane.settings == before
    assert odometer("open").stdout == "It was not paused.\n"


@pytest.mark.parametrize("command", ["pause", "open"])
def test_a_run_that_dies_anywhere_is_done_again(plane: ControlPlane, command: str) -> None:
    before, deaths = plane.settings, 0
    odometer("pause" if command == "open" else "open")
    while died_at(deaths, lambda: odometer(command)):
        deaths += 1
        assert odometer(command).exit_code == 0
        assert plane.is_closed == (command == "pause")
        assert odometer("open").exit_code == 0
        assert plane.settings == before
        odometer("pause" if command == "open" else "open")
    assert deaths == len(plane.resources) + 1  # every part but the API, the policy and the note


def test_a_route_with_a_limit_of_its_own_stands_still_too(plane: ControlPlane) -> None:
    apis = client("apigateway")
    stage = {"restApiId": plane.api, "stageName": plane.stage}
    path = "/~1v1~1events/POST/throttling"
    changes = [
        {"op": "replace", "path": f"{path}/{name}", "value": value}
        for name, value in (("rateLimit", "5.0"), ("burstLimit", "9"))
    ]
    apis.update_stage(**stage, patchOperations=changes)
    route = "~1v1~1events/POST"
    before = apis.get_stage(**stage)["methodSettings"][route]
    odometer("pause")
    paused = apis.get_stage(**stage)["methodSettings"][route]
    assert (paused["throttlingRateLimit"], paused["throttlingBurstLimit"]) == (0, 0)
    odometer("open")
    assert apis.get_stage(**stage)["methodSettings"][route] == before


def test_nobody_deploys_a_stack_that_is_paused_and_then_by_the_policy_that_there_was(
    plane: ControlPlane,
) -> None:
    stacks, name = client("cloudformation"), "odometer"
    odometer("pause")
    denied = json.loads(stacks.get_stack_policy(StackName=name)["StackPolicyBody"])
    every = {"Action": "Update:*", "Principal": "*", "Resource": "*"}
    assert denied == {"Statement": [{"Effect": "Deny", **every}]}
    odometer("open")
    opened = json.loads(stacks.get_stack_policy(StackName=name)["StackPolicyBody"])
    assert opened == {"Statement": [{"Effect": "Allow", **every}]}
    own = json.dumps(
        {"Statement": [{"Effect": "Allow", **every, "Resource": "LogicalResourceId/Api"}]}
    )
    stacks.set_stack_policy(StackName=name, StackPolicyBody=own)
    odometer("pause")
    odometer("open")
    assert stacks.get_stack_policy(StackName=name)["StackPolicyBody"] == own


def test_the_doctor_says_that_it_is_paused_and_what_ends_it(plane: ControlPlane) -> None:
    odometer("pause")
    said = " ".join(odometer("doctor").stdout.split())
    assert "fail pause it is paused, and no request is answered odometer open" in said
    odometer("open")
    assert "pause" not in odometer("doctor").stdout


def test_what_was_removed_meanwhile_is_passed_over(plane: ControlPlane) -> None:
    odometer("pause")
    client("lambda").delete_function(FunctionName="work")
    assert odometer("open").exit_code == 0


def test_what_was_removed_before_is_passed_over(plane: ControlPlane) -> None:
    """As a mapping is that somebody made again: the stack still names the one that there was."""
    client("lambda").delete_event_source_mapping(UUID=plane.mapping)
    assert odometer("pause").exit_code == 0
    reserved = client("lambda").get_function_concurrency(FunctionName="work")
    assert reserved["ReservedConcurrentExecutions"] == 0
    assert odometer("open").exit_code == 0


def test_a_part_that_came_since_is_paused_too(plane: ControlPlane) -> None:
    rest = [each for each in plane.resources if each[1] != "work"]
    with patch("odometer_cli.pausing.resources_of", lambda _: rest):
        odometer("pause")
    assert not plane.is_closed
    before = plane.settings
    odometer("pause")
    assert plane.is_closed
    odometer("open")
    assert plane.settings["reserved"] == [RESERVED, before["reserved"][1]]
