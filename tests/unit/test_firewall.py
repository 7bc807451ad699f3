"""The firewall that may stand before the gateway: off by default, and what it says."""

import json
import re
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from local.template import read
from tests.unit.test_template import EXPANDED, TEMPLATE, made

FIREWALL = read("infrastructure/firewall.yaml")
(ACL,) = (each["Properties"] for each in made(FIREWALL, "AWS::WAFv2::WebACL").values())
(BOUND,) = (each["Properties"] for each in made(FIREWALL, "AWS::WAFv2::WebACLAssociation").values())
THROTTLED = TEMPLATE["Resources"]["Api"]["Properties"]["GatewayResponses"]["THROTTLED"]


def test_it_is_off_unless_asked_for_and_stands_before_the_stage() -> None:
    assert TEMPLATE["Parameters"]["Firewall"]["Default"] == "false"
    stack = EXPANDED["Resources"]["FirewallStack"]
    (stage,) = made(EXPANDED, "AWS::ApiGateway::Stage")
    assert stack["Condition"] == "HasFirewall"
    given = stack["Properties"]["Parameters"]
    assert given.keys() == FIREWALL["Parameters"].keys()
    assert given["StageArn"]["Fn::Sub"].endswith(f"::/restapis/${{Api}}/stages/${{{stage}}}")
    assert BOUND["ResourceArn"] == {"Ref": "StageArn"}


def test_it_counts_addresses_and_keys_by_the_minute() -> None:
    rules = {rule["Name"]: rule["Statement"]["RateBasedStatement"] for rule in ACL["Rules"]}
    assert rules["Address"]["AggregateKeyType"] == "IP"
    (by,) = rules["Key"]["CustomKeys"]
    assert by["Header"]["Name"] == "authorization"
    assert {rule["EvaluationWindowSec"] for rule in rules.values()} == {60}
    assert ACL["DefaultAction"] == {"Allow": {}}


def test_it_counts_a_key_however_it_is_spelled() -> None:
    """By blanks and capitals alone, whoever has one key could have as many counts as they like."""
    (rule,) = (each for each in ACL["Rules"] if each["Name"] == "Key")
    (by,) = rule["Statement"]["RateBasedStatement"]["CustomKeys"]
    changes = {each["Type"] for each in by["Header"]["TextTransformations"]}
    assert changes == {"COMPRESS_WHITE_SPACE", "LOWERCASE"}


def test_it_says_what_the_gateway_says_and_when_to_come_back() -> None:
    said = ACL["CustomResponseBodies"]["TooManyRequests"]
    assert said["Content"] == THROTTLED["ResponseTemplates"]["application/json"]
    answers = [rule["Action"]["Block"]["CustomResponse"] for rule in ACL["Rules"]]
    retry = {"Name": "Retry-After", "Value": "60"}
    assert [(each["ResponseCode"], each["ResponseHeaders"]) for each in answers] == [
        (429, [retry])
    ] * 2


def test_it_keeps_nobodys_key() -> None:
    """A sample of a request would show its Authorization header, and so would a log."""
    seen = [each["VisibilityConfig"] for each in (ACL, *ACL["Rules"])]
    assert [each["SampledRequestsEnabled"] for each in seen] == [False] * 3
    assert not made(FIREWALL, "AWS::WAFv2::LoggingConfiguration")


@pytest.mark.parametrize(
    ("call", "properties"),
    [("CreateWebACL", {"Name": "odometer", **ACL}), ("AssociateWebACL", BOUND)],
)
def test_aws_takes_it(call: str, properties: dict[str, Any]) -> None:
    """By botocore's model of the calls that CloudFormation makes."""
    shape = Session().get_service_model("wafv2").operation_model(call).input_shape
    assert shape
    assert ParamValidator().validate(filled(properties), shape).generate_report() == ""
    for name in filled(properties).keys() - {"CustomResponseBodies"}:
        wrong = {**filled(properties), name: 7}
        assert ParamValidator().validate(wrong, shape).generate_report(), name


def filled(properties: dict[str, Any]) -> Any:
    """Properties with values for parameters, as CloudFormation sends them."""
    text = re.sub(r'\{"Ref": "\w+PerMinute"\}', "3000", json.dumps(properties))
    text = re.sub(r'\{"(Ref|Fn::GetAtt)": [^}]+\}', '"arn:aws:service:region:1:thing"', text)
    return json.loads(text)
