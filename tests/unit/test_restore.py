"""What the template has for a pause: whatever begins work can stand still."""

from typing import Any

import pytest

from local.template import expanded
from odometer_cli.pausing import STACK_POLICY, SWITCHES

RESOURCES: dict[str, Any] = expanded()["Resources"]
BEGINS_WORK = {
    "AWS::ApiGateway::Stage",
    "AWS::Events::Rule",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Url",
    "AWS::Pipes::Pipe",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::Subscription",
    "AWS::StepFunctions::StateMachine",
}


def of_type(name: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in RESOURCES.values() if each["Type"] == name]


def when_paused(value: Any) -> Any:
    name, paused, _ = value["Fn::If"]
    assert name == "IsPaused"
    return paused


def test_whatever_begins_work_can_be_paused() -> None:
    assert {each["Type"] for each in RESOURCES.values()} & BEGINS_WORK == set(SWITCHES) - {
        STACK_POLICY
    }


@pytest.mark.parametrize(
    ("kind", "attribute", "paused"),
    [
        ("AWS::Lambda::Function", "ReservedConcurrentExecutions", 0),
        ("AWS::Lambda::EventSourceMapping", "Enabled", False),
        ("AWS::Scheduler::Schedule", "State", "DISABLED"),
    ],
)
def test_a_parameter_keeps_everything_paused(kind: str, attribute: str, paused: Any) -> None:
    found = of_type(kind)
    assert found
    assert [when_paused(each[attribute]) for each in found] == [paused] * len(found)


def test_a_parameter_keeps_every_route_closed() -> None:
    (stage,) = of_type("AWS::ApiGateway::Stage")
    for setting in stage["MethodSettings"]:
        assert when_paused(setting["ThrottlingRateLimit"]) == 0
        assert when_paused(setting["ThrottlingBurstLimit"]) == 0


def test_a_stack_is_open_unless_it_is_paused() -> None:
    assert expanded()["Parameters"]["Paused"]["Default"] == "false"


def test_whoever_is_refused_is_told_when_to_come_again() -> None:
    (api,) = of_type("AWS::ApiGateway::RestApi")
    answers = api["Body"]["x-amazon-apigateway-gateway-responses"]
    for kind in ("THROTTLED", "INTEGRATION_FAILURE"):
        headers = answers[kind]["responseParameters"]
        assert headers["gatewayresponse.header.Retry-After"] == "'1'"
