"""What parameters of the template switch on, each shown off and on, as it is deployed."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from local.template import read, written
from odometer.access.keys import issue
from odometer.access.policy import Scope
from odometer.access.secret import Secret
from odometer.engine.format import keys
from odometer.storage.directory import ORGANIZATIONS, item_of, new_credential_item
from tests.support.deployed_template import deployed
from tests.support.grants import grants_of
from tests.support.memory_directory import ACME, NOON, new_head
from tests.unit.test_template import FUNCTIONS, READS, policies_of, routes

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234"
DEFAULT = deployed()
WITH_KEY = deployed(KmsKeyArn=KEY)
IN_NETWORK = deployed(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")
TEMPLATE = written()

Template = dict[str, Any]
MOST_POLICIES = 10
"""The quota of a role in an account that has not asked for more."""


def properties_of(template: Template, kind: str) -> dict[str, Any]:
    every = template["Resources"].items()
    return {name: each["Properties"] for name, each in every if each["Type"] == kind}


# a key of one's own


ENCRYPTED = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::Lambda::Function": ("KmsKeyArn",),
}


def keys_of(template: Template, kind: str) -> list[Any]:
    """The key of every resource of a type; None where it has none of ours."""
    found = list(properties_of(template, kind).values())
    for name in ENCRYPTED[kind]:
        found = [(each or {}).get(name) for each in found]
    return found


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_everything_that_is_stored_is_encrypted_with_the_key_of_the_deployer(kind: str) -> None:
    assert keys_of(DEFAULT, kind)
    assert set(keys_of(DEFAULT, kind)) == {None}
    assert set(keys_of(WITH_KEY, kind)) == {KEY}


def test_queues_and_tables_are_encrypted_without_a_key_of_ones_own_too() -> None:
    queues, tables = (
        properties_of(DEFAULT, kind).values()
        for kind in ("AWS::SQS::Queue", "AWS::DynamoDB::Table")
    )
    assert {each["SqsManagedSseEnabled"] for each in queues} == {True}
    assert {each["SSESpecification"]["SSEEnabled"] for each in tables} == {True}
    by_key = properties_of(WITH_KEY, "AWS::SQS::Queue").values()
    assert {each["SqsManagedSseEnabled"] for each in by_key} == {False}  # AWS refuses both


def statements_of(template: Template, policy: str) -> list[dict[str, Any]]:
    document = template["Resources"][policy]["Properties"]["PolicyDocument"]
    found: list[dict[str, Any]] = document["Statement"]
    return found


def uses_key(template: Template, policy: str) -> bool:
    return any(each["Resource"] == KEY for each in statements_of(template, policy))


def test_every_function_that_reads_or_writes_may_use_the_key() -> None:
    functions = [
        each["Properties"].get("Policies", [])
        for each in TEMPLATE["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    ]
    policies = [[each["Ref"] for each in several] for several in functions if several]
    assert policies
    for several in policies:
        assert sum(uses_key(WITH_KEY, policy) for policy in several) == 1
    assert not any(uses_key(DEFAULT, policy) for several in policies for policy in several)


# a network of one's own


def test_functions_are_in_the_network_of_the_deployer() -> None:
    (off,), (on,) = (
        {json.dumps(each.get("VpcConfig")) for each in made.values()}
        for made in (
            properties_of(template, "AWS::Lambda::Function") for template in (DEFAULT, IN_NETWORK)
        )
    )
    assert off == "null"
    assert json.loads(on) == {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}


def roles_of_functions(template: Template) -> dict[str, Any]:
    made = properties_of(template, "AWS::Lambda::Function").values()
    names = {each["Role"]["Fn::GetAtt"][0] for each in made}
    return {name: template["Resources"][name]["Properties"] for name in names}


def test_nobody_may_change_networks_unless_functions_are_in_one() -> None:
    """SAM lets the role of every function that may be in a network change all of them."""
    for template, may in ((DEFAULT, False), (IN_NETWORK, True)):
        assert ("ec2:" in json.dumps(statements_of(template, "Boundary"))) == may
    roles = roles_of_functions(DEFAULT)
    assert len(roles) == len(properties_of(DEFAULT, "AWS::Lambda::Function"))
    assert {json.dumps(each["PermissionsBoundary"]) for each in roles.values()} == {
        '{"Ref": "Boundary"}'
    }


def allowed(statements: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each verb with each resource that statements allow."""
    for each in statements:
        verbs = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        named = each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]]
        yield from ((verb, json.dumps(resource)) for verb in verbs for resource in named)


@pytest.mark.parametrize("template", [DEFAULT, WITH_KEY], ids=["default", "with a key"])
def test_what_policies_grant_to_functions_is_within_their_boundary(template: Template) -> None:
    within = set(allowed(statements_of(template, "Boundary")))
    granted = set()
    for role in roles_of_functions(template).values():
        inline = [each["PolicyDocument"]["Statement"] for each in role.get("Policies", [])]
        named = [each["Ref"] for each in role["ManagedPolicyArns"] if "Ref" in each]
        for statements in [*inline, *(statements_of(template, name) for name in named)]:
            granted |= set(allowed(statements))
    assert granted
    assert granted <= within


@pytest.mark.parametrize("template", [DEFAULT, IN_NETWORK], ids=["default", "in a network"])
def test_no_role_has_more_policies_than_aws_takes(template: Template) -> None:
    counts = {
        name: len(role["ManagedPolicyArns"])
        for name, role in roles_of_functions(template).items()
        if len(role["ManagedPolicyArns"]) > MOST_POLICIES
    }
    assert counts == {}


# caps of tables


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"MaxReadUnits": "500"}, {"MaxReadRequestUnits": "500"}),
        ({"MaxWriteUnits": "90"}, {"MaxWriteRequestUnits": "90"}),
        (
            {"MaxReadUnits": "500", "MaxWriteUnits": "90"},
            {"MaxReadRequestUnits": "500", "MaxWriteRequestUnits": "90"},
        ),
    ],
)
def test_every_table_is_capped_where_the_deployer_says_so(
    given: dict[str, str], expected: dict[str, str] | None
) -> None:
    tables = properties_of(deployed(**given), "AWS::DynamoDB::Table").values()
    assert [each.get("OnDemandThroughput") for each in tables] == [expected] * 4


# logs


def test_lines_below_a_level_are_not_kept() -> None:
    quiet = deployed(ApplicationLogLevel="ERROR", SystemLogLevel="WARN")
    for template, levels in ((DEFAULT, ("INFO", "INFO")), (quiet, ("ERROR", "WARN"))):
        functions = properties_of(template, "AWS::Lambda::Function").values()
        for each in (function["LoggingConfig"] for function in functions):
            assert (each["ApplicationLogLevel"], each["SystemLogLevel"]) == levels
            assert each["LogFormat"] == "JSON"  # without which there are no levels


def test_metrics_are_not_switched_off_by_a_level_while_something_watches_them() -> None:
    rule = TEMPLATE["Rules"]["MonitoringNeedsItsLines"]
    (refused,) = rule["Assertions"]
    levels = [each["Fn::Equals"][1] for each in rule["RuleCondition"]["Fn::Or"]]
    assert levels == ["WARN", "ERROR"]
    assert refused["Assert"] == {"Fn::Equals": [{"Ref": "Monitoring"}, "false"]}


# one door


DOMAIN = {"DomainName": "usage.example.com", "CertificateArn": "arn", "BasePath": "v"}


def test_a_domain_speaks_no_older_tls_than_1_2() -> None:
    (domain,) = properties_of(deployed(**DOMAIN), "AWS::ApiGateway::DomainName").values()
    assert domain["SecurityPolicy"] == "TLS_1_2"


def test_the_default_endpoint_is_closed_beside_a_domain_once_that_is_asked_for() -> None:
    for given, closed in (
        ({}, False),
        (DOMAIN, False),
        ({**DOMAIN, "DefaultEndpoint": "closed"}, True),
    ):
        template = deployed(**given)
        (api,) = properties_of(template, "AWS::ApiGateway::RestApi").values()
        (server,) = api["Body"]["servers"]
        endpoint = server["x-amazon-apigateway-endpoint-configuration"]
        assert endpoint == {"disableExecuteApiEndpoint": closed}
        url = template["Outputs"]["ApiUrl"]["Value"]["Fn::Sub"]
        assert url.startswith("https://${DomainName}/" if closed else "https://${Api}.")
    (refused,) = TEMPLATE["Rules"]["ClosingNeedsADomain"]["Assertions"]
    assert refused["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DomainName"}, ""]}]}


# tags


ENVIRONMENTS = tomllib.loads(Path("samconfig.toml").read_text())


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "version"])
def test_everything_of_an_environment_is_tagged_with_its_stage(environment: str) -> None:
    """CloudFormation hands tags of a stack down to its resources and to nested stacks."""
    deploys = ENVIRONMENTS[environment]["deploy"]["parameters"]
    (stage,) = [each for each in deploys["parameter_overrides"] if each.startswith("Stage=")]
    assert deploys["tags"].split() == ["Project=odometer", stage]


# gates


def test_no_rule_of_a_gate_is_off_for_everything() -> None:
    assert "skip-check" not in Path(".checkov.yaml").read_text()
    nested = [read(path.as_posix()) for path in Path("infrastructure").glob("*.yaml")]
    for template in (TEMPLATE, *nested):
        assert "cfn-lint" not in template.get("Metadata", {})
        assert "checkov" not in template.get("Metadata", {})


def test_every_exception_of_a_gate_has_its_reason() -> None:
    resources = TEMPLATE["Resources"].values()
    exceptions = [
        each
        for resource in resources
        for each in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert exceptions
    assert all(len(each["comment"]) > 20 for each in exceptions)  # a sentence


# least privilege, by item


OWN = "????????-????-????-????-????????????"
TRAIL = f"{OWN}#TRAIL"
"""The partition of an organization that has its id for a key."""


def attributes_granted(policy: str, verb: str) -> set[str]:
    (found,) = {grant.attributes for grant in grants_of([policy]) if grant.verb == verb}
    return set(found)


def test_whoever_makes_keys_writes_what_a_key_consists_of_and_nothing_of_a_directory() -> None:
    _, credential = issue(ACME, "test", 0, frozenset(Scope), Secret(("a secret",)), NOON)
    written = new_credential_item(credential).keys() | {"told", "ttl", "number"}  # the trail's
    assert attributes_granted("MakesKeys", "PutItem") == written


def test_whoever_changes_keys_changes_neither_their_owner_nor_their_scopes() -> None:
    changed = {"digest", "former_digest", "former_until", "earlier", "revoked_at"}
    of_trail = {"told", "ttl", "number"}
    assert attributes_granted("ChangesKeys", "UpdateItem") == {"pk", "sk", *changed, *of_trail}


def test_whoever_writes_directories_writes_nothing_that_a_key_consists_of() -> None:
    with_every_attribute = replace(new_head(ACME, "Acme Corp"), limits={"requests": 1})
    written = item_of(with_every_attribute).keys() | {"ttl"}
    for verb in ("BatchWriteItem", "PutItem", "UpdateItem"):
        assert attributes_granted("WritesDirectory", verb) == written
    for verb in ("BatchWriteItem", "UpdateItem"):
        assert attributes_granted("ChangesDirectory", verb) == written
    assert attributes_granted("ChangesDirectory", "PutItem") == written | {"told", "number"}


@pytest.mark.parametrize("policy", ["KnowsCallers", "AcceptsEvents"])
def test_notes_of_use_and_answers_that_are_kept_are_written_by_those_who_need_them(
    policy: str,
) -> None:
    grants = [each for each in grants_of([policy]) if each.resource == "activity"]
    (patterns,) = {each.partitions for each in grants}
    (own, kept) = (fnmatchcase(key, patterns[0]) for key in (ACME, keys.repeats(ACME)))
    assert (own, kept) == ((True, False) if policy == "KnowsCallers" else (False, True))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_dispatch_lists_organizations_and_reports_write_only_their_notes(
    function: str,
) -> None:
    for grant in grants_of(policies_of(function)):
        lists = fnmatchcase(ORGANIZATIONS, grant.partitions[0]) and grant.verb == "Query"
        assert not (lists and grant.resource == "directory") or function == "EngineDispatch"
        is_report = {method for method, _ in routes(function)} == {"GET"}
        if is_report and grant.verb not in READS:
            assert (grant.resource, grant.partitions[0]) in (("activity", OWN), ("activity", TRAIL))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_changes_or_removes_an_entry_of_the_trail(function: str) -> None:
    """Whoever writes there appends; to the trail of the deployment nobody does."""
    for grant in grants_of(policies_of(function)):
        if grant.resource == "activity" and grant.verb not in READS:
            trails = [f"{ACME}#TRAIL", "TRAIL"]
            within = [any(fnmatchcase(each, one) for one in grant.partitions) for each in trails]
            assert within in ([False, False], [True, False])
            if any(within):
                assert (grant.verb, grant.enclosing) == ("PutItem", ("TransactWriteItems",))


def test_keys_and_directories_are_changed_together_with_their_entry_or_not_at_all() -> None:
    decides = {"MakesKeys": "PutItem", "ChangesKeys": "UpdateItem", "ChangesDirectory": "PutItem"}
    for policy, verb in decides.items():
        (found,) = {grant.enclosing for grant in grants_of([policy]) if grant.verb == verb}
        assert found == ("TransactWriteItems",)
