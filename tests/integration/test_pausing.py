"""`odometer pause` and `open`: whatever begins work stands still, and is set as it was before."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from odometer_cli import app
from odometer_cli.pausing import client
from tests.support.control_plane import ControlPlane, Died, control_plane, dies_at
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
    before, died = plane.settings, 0
    while True:
        if command == "open":
            assert odometer("pause").exit_code == 0
        with dies_at(died):
            result = odometer(command)
        if not isinstance(result.exception, Died):
            break
        died += 1
        assert odometer(command).exit_code == 0
        assert plane.is_closed == (command == "pause")
        assert odometer("open").exit_code == 0
        assert plane.settings == before
    assert died == len(plane.resources) - 1 + 1  # every part but the API, and the note


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


def test_what_was_removed_meanwhile_is_passed_over(plane: ControlPlane) -> None:
    odometer("pause")
    client("lambda").delete_function(FunctionName="work")
    assert odometer("open").exit_code == 0
