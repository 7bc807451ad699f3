"""What template.yaml promises: every function routed, logged, and granted no more than it needs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.shared import constants

from local.template import expanded, read, written
from odometer.access.limits import LIMITS, Limits
from odometer.bootstrap import Settings
from odometer.engine.format import keys
from odometer.web.family import MESSAGES, STATUS
from odometer.web.files import VERBS
from tests.support.stack import endpoints, functions

TEMPLATE = written()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
PROTECTED = {"DirectoryTable", "LogTable", "UsageTable"}
READS = {"BatchGetItem", "GetItem", "Query"}
CATCH_ALL = "EdgeNotFound"


def of_type(name: str) -> dict[str, Any]:
    return {key: value for key, value in RESOURCES.items() if value["Type"] == name}


FUNCTIONS = of_type("AWS::Serverless::Function")
FOLDERS = sorted(path.parent.as_posix() for path in Path("functions").glob("*/*/app.py"))


def logical_id(folder: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[/_]", folder)[1:])


def slug(folder: str) -> str:
    return re.sub(r"[/_]", "-", folder).removeprefix("functions-")


def routes(function: str) -> set[tuple[str, str]]:
    properties = FUNCTIONS.get(function, {}).get("Properties", {})
    events = properties.get("Events", {}).values()
    inputs = [event["Properties"] for event in events if event["Type"] == "Api"]
    return {(each["Method"], each["Path"]) for each in inputs}


def policies_of(function: str) -> list[str]:
    return [policy["Ref"] for policy in FUNCTIONS[function]["Properties"].get("Policies", [])]


def statements(policies: Iterable[str]) -> Iterator[tuple[set[str], str]]:
    """What policies allow: verbs, and the resource that they are granted on."""
    for policy in policies:
        for statement in unconditional(policy):
            verbs = statement["Action"]
            yield {verbs} if isinstance(verbs, str) else set(verbs), str(statement["Resource"])


def unconditional(policy: str) -> list[dict[str, Any]]:
    """What a policy allows whatever the parameters are; what a key needs is tested by itself."""
    document = RESOURCES[policy]["Properties"]["PolicyDocument"]
    return [each for each in document["Statement"] if "Fn::If" not in each]


def granted(function: str) -> dict[str, set[str]]:
    return granted_by(policies_of(function))


def granted_by(policies: Iterable[str]) -> dict[str, set[str]]:
    """Verbs by the logical id of the resource."""
    grants: dict[str, set[str]] = {}
    for verbs, resource in statements(policies):
        name = re.findall(r"[A-Za-z]+", resource)[-2]
        grants.setdefault(name, set()).update(verb.partition(":")[2] for verb in verbs)
    return grants


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    declared = {name: function["Properties"]["CodeUri"] for name, function in FUNCTIONS.items()}
    assert declared == {logical_id(folder): folder for folder in FOLDERS}


def test_every_function_has_an_event_to_be_called_with() -> None:
    cases = {path.name.split(".")[0] for path in Path("events").glob("*.*.json")}
    assert cases == {slug(folder) for folder in FOLDERS}


@pytest.mark.parametrize("folder", [each for each in FOLDERS if len(routes(logical_id(each))) == 1])
def test_a_function_answers_the_route_that_its_code_names(folder: str) -> None:
    endpoint = functions()[folder.removeprefix("functions/")]
    assert routes(logical_id(folder)) == {(endpoint.method, endpoint.path)}


def test_every_verb_on_every_other_path_reaches_the_catch_all() -> None:
    verbs = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    every = {(verb, path) for verb in verbs for path in ("/", "/{proxy+}")}
    assert routes(CATCH_ALL) == every - routes("EdgePage")


def test_the_page_has_the_paths_that_the_catch_all_knows() -> None:
    assert routes("EdgePage") == {(verb, path) for path, verbs in VERBS.items() for verb in verbs}


def test_no_two_functions_answer_one_route() -> None:
    all_routes = sorted(route for function in FUNCTIONS for route in routes(function))
    assert all(one != other for one, other in pairwise(all_routes))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_takes_few_lines_of_template(function: str) -> None:
    text = Path("template.yaml").read_text()
    block = re.search(rf"^  {function}:\n(?:    .*\n)+", text, re.MULTILINE)
    assert block
    lines = block.group().count("\n")
    assert lines <= (18 if len(routes(function)) == 1 else 30)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_into_the_group_of_its_family(function: str) -> None:
    family = FUNCTIONS[function]["Properties"]["CodeUri"].split("/")[1]
    group = "".join(word.capitalize() for word in family.split("_")) + "Logs"
    assert FUNCTIONS[function]["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": group}}


def test_every_log_group_forgets() -> None:
    retention = {"Ref": "LogRetentionDays"}
    groups = of_type("AWS::Logs::LogGroup")
    assert {name: group["Properties"]["RetentionInDays"] for name, group in groups.items()} == (
        dict.fromkeys(groups, retention)
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_granted_verbs_by_name_on_resources_by_name(function: str) -> None:
    for verbs, resource in statements(policies_of(function)):
        assert not any("*" in verb for verb in verbs)
        assert "*" not in resource
        assert "GetAtt" in resource


@pytest.mark.parametrize(
    "function",
    [name for name in FUNCTIONS if {method for method, _ in routes(name)} == {"GET"}],
)
def test_a_function_that_reads_cannot_write_what_it_reports_from(function: str) -> None:
    for resource, verbs in granted(function).items():
        assert resource not in PROTECTED or verbs <= READS


def test_browsers_are_answered_on_the_routes_that_embed_tokens_open() -> None:
    rules = {each.path: each.may for each in endpoints().values()}
    opened = {("OPTIONS", path) for path, rule in rules.items() if rule and rule.embeds}
    assert routes("EdgePreflight") == opened


@pytest.mark.parametrize("function", [CATCH_ALL, "EdgePreflight", "EdgePage"])
def test_whoever_answers_without_a_caller_may_do_nothing(function: str) -> None:
    assert granted(function) == {}


def test_whoever_makes_tokens_writes_no_directory() -> None:
    assert granted("V1CreateEmbedToken")["DirectoryTable"] == {"BatchGetItem"}


@pytest.mark.parametrize("table", of_type("AWS::DynamoDB::Table"))
def test_production_keeps_its_tables(table: str) -> None:
    resource = RESOURCES[table]
    kept = {"Fn::If": ["IsProduction", "Retain", "Delete"]}
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (kept, kept)
    assert resource["Properties"]["DeletionProtectionEnabled"] == {"Ref": "Production"}
    assert resource["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": {"Ref": "Production"},
    }


def test_production_keeps_the_secret_without_which_no_key_is_known() -> None:
    kept = {"Fn::If": ["IsProduction", "Retain", "Delete"]}
    assert RESOURCES["Secret"]["DeletionPolicy"] == kept


ANSWERS: dict[str, Any] = RESOURCES["Api"]["Properties"]["GatewayResponses"]


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_gateway_answers_in_the_words_of_the_functions(kind: str) -> None:
    answer = ANSWERS[kind]
    status = answer.get("StatusCode", 400)
    body = json.loads(answer["ResponseTemplates"]["application/json"])
    (code,) = [code for code, its_status in STATUS.items() if its_status == status]
    assert body == {"error": {"code": code, "message": MESSAGES[code], "details": {}}}
    headers = answer["ResponseParameters"]["Headers"]
    assert headers["X-Request-Id"] == "context.requestId"
    assert ("Retry-After" in headers) == (status in (429, 503))


def test_the_gateway_has_an_answer_for_whatever_never_reaches_a_function() -> None:
    assert ANSWERS.keys() >= {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "INTEGRATION_TIMEOUT",
        "MISSING_AUTHENTICATION_TOKEN",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
    }


def test_no_credential_finds_its_way_into_the_access_log() -> None:
    line = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Format"]
    assert json.loads(line)
    assert not re.search(r"header|querystring|authorizer|\$context\.path|apiKey|body", line)


def test_the_stage_is_throttled() -> None:
    (setting,) = RESOURCES["Api"]["Properties"]["MethodSettings"]
    for name, limit in (("Rate", "RequestsPerSecond"), ("Burst", "RequestBurst")):
        found = setting[f"Throttling{name}Limit"]
        assert found == {"Fn::If": ["IsPaused", 0, {"Ref": limit}]}


def test_the_layer_is_built_for_what_the_functions_run_on() -> None:
    makefile = Path("layers/odometer/Makefile").read_text()
    defaults = dict(re.findall(r"^LAYER_(\w+) \?= (\S+)$", makefile, re.MULTILINE))
    parameters = TEMPLATE["Parameters"]
    assert f"python{defaults['PYTHON']}" == parameters["PythonRuntime"]["Default"]
    assert defaults["ARCH"] == parameters["Architecture"]["Default"]


def test_the_layer_carries_the_services_that_storage_calls() -> None:
    makefile = Path("layers/odometer/Makefile").read_text()
    (carried,) = re.findall(r"^SERVICES := (.*)$", makefile, re.MULTILINE)
    storage = Path("layers/odometer/odometer/storage").glob("*.py")
    called = {
        name for path in storage for name in re.findall(r'client_of\("(\w+)"', path.read_text())
    }
    assert set(carried.split()) == called


def test_the_stack_stays_one_stack() -> None:
    assert len(EXPANDED["Resources"]) < 500


# a second stack in the same account and region


def names(template: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every property that names a resource or an export: of what, which, and the value."""
    for name, resource in template["Resources"].items():
        for key, value in resource.get("Properties", {}).items():
            if key.endswith("Name") and (resource["Type"], key) not in NAMED_WITHIN:
                yield name, key, value
    for name, output in template.get("Outputs", {}).items():
        if "Export" in output:
            yield name, "Export", output["Export"]["Name"]


def is_fixed(template: dict[str, Any], value: Any) -> bool:
    """Whether a name is the same in every stack: it refers to nothing that differs."""
    referred = re.findall(r"[\w:]+", json.dumps(value))
    given = {key for key, each in template["Parameters"].items() if not each.get("Default")}
    return given.union(template["Resources"], {"AWS::StackName"}).isdisjoint(referred)


NAMED_WITHIN = {  # what another resource of the stack owns, or AWS itself
    ("AWS::ApiGateway::Stage", "StageName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::Lambda::Alias", "Name"),
}
EXPANDED = expanded()
MONITORING = read("infrastructure/monitoring.yaml")


@pytest.mark.parametrize("path", sorted(Path("infrastructure").glob("*.yaml")), ids=str)
def test_no_name_of_a_nested_stack_is_taken_by_another_stack(path: Path) -> None:
    template = read(str(path))
    assert [each for each in names(template) if is_fixed(template, each[2])] == []


def test_no_name_is_taken_by_another_stack() -> None:
    named = list(names(EXPANDED))
    assert named
    assert [each for each in named if is_fixed(EXPANDED, each[2])] == []


def test_a_name_of_letters_or_of_a_parameter_with_a_default_is_fixed() -> None:
    assert is_fixed(TEMPLATE, "fold")
    assert is_fixed(TEMPLATE, {"Ref": "Stage"})
    assert not is_fixed(TEMPLATE, {"Fn::Sub": "${AWS::StackName}-fold"})


# one home for each value


def test_functions_are_told_only_what_they_read() -> None:
    read_by_us = {field.name.upper() for field in fields(Settings)}
    assert GLOBALS["Environment"]["Variables"].keys() == {*read_by_us, constants.SERVICE_NAME_ENV}


GLOBALS = TEMPLATE["Globals"]["Function"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_repeats_no_value_of_all_functions(function: str) -> None:
    properties = FUNCTIONS[function]["Properties"]
    assert [key for key, value in properties.items() if GLOBALS.get(key) == value] == []


BANNERS = {
    "usage_report": "/insights: usage report",
    "usage_metrics": "/api/v1: usage metrics",
    "app_utilization": "/v2: app utilization",
    "v1": "/v1: events, directory and keys",
    "edge": "the page, every other path, and what browsers ask first",
    "engine": "the engine: called by a stream, a schedule and a queue",
}


@pytest.mark.parametrize("family", BANNERS)
def test_the_functions_of_a_family_stand_under_its_banner(family: str) -> None:
    sections = re.split(r"^  # -{9,} ?", Path("template.yaml").read_text(), flags=re.MULTILINE)
    (section,) = [each for each in sections if each.startswith(f"{BANNERS[family]}\n")]
    folders = [each for each in FOLDERS if each.split("/")[1] == family]
    assert sorted(re.findall(r"CodeUri: (functions/\S+)", section)) == folders


# the engine


def events_of(function: str) -> dict[str, Any]:
    events = FUNCTIONS[function]["Properties"]["Events"].values()
    return {event["Type"]: event["Properties"] for event in events}


def test_every_function_of_the_engine_has_one_caller() -> None:
    engine = [name for name in FUNCTIONS if name.startswith("Engine")]
    callers = {name: list(events_of(name)) for name in engine}
    assert callers == {
        "EngineFold": ["DynamoDB"],
        "EngineDispatch": ["ScheduleV2"],
        "EngineWork": ["SQS"],
    }


def test_one_worker_at_a_time_serves_an_organization_and_a_time_out_ends_no_other() -> None:
    queue, mapping = RESOURCES["WorkQueue"]["Properties"], events_of("EngineWork")["SQS"]
    assert queue["FifoQueue"]
    assert queue["DeduplicationScope"] == "messageGroup"
    assert mapping["BatchSize"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "Workers"}}


def test_a_message_comes_again_only_when_its_worker_is_dead_and_is_kept_for_somebody() -> None:
    queue = RESOURCES["WorkQueue"]["Properties"]
    assert queue["VisibilityTimeout"] > FUNCTIONS["EngineWork"]["Properties"]["Timeout"]
    dead = {"Fn::GetAtt": ["FailedWorkQueue", "Arn"]}
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": dead, "maxReceiveCount": 3}
    kept = RESOURCES["FailedWorkQueue"]["Properties"]
    assert kept["FifoQueue"]  # as the queue whose messages it takes
    assert kept["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


@pytest.mark.parametrize("policy", ["MarksWork", "DoesWork", "FindsWork"])
def test_whoever_works_with_marks_touches_no_other_item_of_usage(policy: str) -> None:
    only = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [keys.MARKS]}}
    conditions = [
        statement.get("Condition")
        for statement in unconditional(policy)
        if "UsageTable" in str(statement["Resource"])
    ]
    assert conditions == [only] * len(conditions) != []


# a new account


@pytest.mark.parametrize("resource", ["ApiAccount", "ApiAccountRole"])
def test_the_log_role_of_the_account_outlives_the_stack(resource: str) -> None:
    policies = RESOURCES[resource]["DeletionPolicy"], RESOURCES[resource]["UpdateReplacePolicy"]
    assert policies == ("Retain", "Retain")


def compiled(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Compile a layer of one module for a version of Python, as `make build` does."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python/module.py").write_text("")
    variables = (f"ARTIFACTS_DIR={tmp_path}", f"LAYER_PYTHON={python}")
    command = ["make", "-C", "layers/odometer", "compile", *variables]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_layer_is_not_built_without_bytecode(tmp_path: Path) -> None:
    done = compiled(tmp_path, "3.99")
    assert done.returncode != 0
    assert "no Python 3.99 on this machine" in done.stderr
    assert "uv python install 3.99" in done.stderr


def test_the_layer_is_built_with_bytecode(tmp_path: Path) -> None:
    assert compiled(tmp_path, f"{sys.version_info.major}.{sys.version_info.minor}").returncode == 0
    assert list(tmp_path.glob("python/__pycache__/module.*.pyc"))


# releases: a version of every function, which an alias names


def made(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """Resources of a type that SAM has made."""
    every = template["Resources"].items()
    return {name: each for name, each in every if each["Type"] == kind}


def live(function: str) -> dict[str, str]:
    return {"Ref": f"{function}Aliaslive"}


GRADUAL = expanded(Rollout="Canary10Percent5Minutes")


def test_every_caller_calls_the_version_that_is_live() -> None:
    aliases = made(EXPANDED, "AWS::Lambda::Alias")
    assert aliases.keys() == {live(name)["Ref"] for name in FUNCTIONS}
    callers = [
        *made(EXPANDED, "AWS::Lambda::Permission").values(),
        *made(EXPANDED, "AWS::Lambda::EventSourceMapping").values(),
    ]
    called = [each["Properties"]["FunctionName"]["Ref"] for each in callers]
    (schedule,) = made(EXPANDED, "AWS::Scheduler::Schedule").values()
    called.append(schedule["Properties"]["Target"]["Arn"]["Ref"])
    assert set(called) == aliases.keys()
    (retried,) = made(EXPANDED, "AWS::Lambda::EventInvokeConfig").values()
    assert retried["Properties"]["Qualifier"] == "live"
    addresses = re.findall(r"functions/\$\{(\w+)\}", json.dumps(made(EXPANDED, API)["Api"]))
    assert set(addresses) == {live(name)["Ref"] for name in FUNCTIONS if routes(name)}


def test_every_parameter_says_what_it_is() -> None:
    said = {name: each.get("Description", "") for name, each in TEMPLATE["Parameters"].items()}
    unclear = [name for name, words in said.items() if not words or "The same" in words]
    assert unclear == []


API = "AWS::ApiGateway::RestApi"
VERSION = "AWS::Lambda::Version"


def test_what_is_new_in_the_layer_is_a_new_version_of_every_function() -> None:
    versions, again = made(EXPANDED, VERSION).keys(), made(expanded(), VERSION).keys()
    assert versions == again
    kept = versions & made(expanded(layer="s3://bucket/next"), VERSION).keys()
    assert kept == set(), "AutoPublishAliasAllProperties is missing"


def test_versions_that_no_alias_names_are_not_kept() -> None:
    policies = [each["DeletionPolicy"] for each in made(EXPANDED, VERSION).values()]
    assert policies == ["Delete"] * len(FUNCTIONS)


def test_a_parameter_of_a_function_is_one_whose_new_value_makes_a_new_version() -> None:
    """SAM tells versions apart by the text of a template, where a parameter has no value.

    A new Python or architecture is a new layer. The others wait for the next release, as their
    descriptions say. Kept executions are of a function, whatever its version.
    """
    properties = [each["Properties"] for each in made(EXPANDED, "AWS::Lambda::Function").values()]
    referred = set(re.findall(r'(?:"Ref": "|\$\{)(\w+)["}]', json.dumps(properties)))
    parameters = {name: TEMPLATE["Parameters"].get(name) for name in referred}
    waiting = {name: each for name, each in parameters.items() if each}
    del waiting["PythonRuntime"], waiting["Architecture"], waiting["IntakeConcurrency"]
    assert waiting.keys() >= {"SnapStart", "KmsKeyArn", "SubnetIds", "ApplicationLogLevel"}
    assert [name for name in waiting if "next release" not in waiting[name]["Description"]] == []


LIMIT_PARAMETERS = (
    "OrganizationRequests",
    "OrganizationReadUnits",
    "OrganizationEvents",
    "KeyPercent",
)


def test_limits_are_what_functions_read() -> None:
    """The words of the environment are those of the code, and so are their defaults."""
    text = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["LIMITS"]["Fn::Sub"]
    for name in LIMIT_PARAMETERS:
        text = text.replace(f"${{{name}}}", str(TEMPLATE["Parameters"][name]["Default"]))
    assert Limits.from_json(text) == Limits(100, 10_000, 10_000, 50)
    assert json.loads(text).keys() == set(LIMITS)


def test_executions_are_kept_for_events_only_where_that_is_asked_for() -> None:
    nothing = {"Ref": "AWS::NoValue"}
    unless_paused = {
        name: each["Properties"]["ReservedConcurrentExecutions"]["Fn::If"][2]
        for name, each in made(EXPANDED, "AWS::Lambda::Function").items()
    }
    kept = {name: value for name, value in unless_paused.items() if value != nothing}
    wanted = {"Fn::If": ["KeepsIntake", {"Ref": "IntakeConcurrency"}, nothing]}
    assert kept == {"V1SendEvents": wanted, "EngineFold": wanted}
    assert TEMPLATE["Parameters"]["IntakeConcurrency"]["Default"] == 0


def test_snap_start_is_off_unless_asked_for_and_refused_where_its_python_is_not() -> None:
    functions_made = made(EXPANDED, "AWS::Lambda::Function").values()
    copied = [each["Properties"]["SnapStart"] for each in functions_made]
    assert copied == [{"ApplyOn": {"Ref": "SnapStart"}}] * len(FUNCTIONS)
    assert TEMPLATE["Parameters"]["SnapStart"]["Default"] == "None"
    (refused,) = TEMPLATE["Rules"]["SnapStartNeedsItsPython"]["Assertions"]
    assert refused["Assert"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "PythonRuntime"}, "python3.11"]}]
    }


def test_a_release_takes_over_at_once_unless_asked_for() -> None:
    assert [each for each in EXPANDED["Resources"].values() if "CodeDeploy" in each["Type"]] == []
    assert [each for each in EXPANDED["Resources"].values() if "UpdatePolicy" in each] == []


def test_a_gradual_release_shifts_every_function_and_is_rolled_back_by_alarms() -> None:
    shifted = made(GRADUAL, "AWS::Lambda::Alias").values()
    groups = {
        each["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]
        for each in shifted
    }
    deployed = made(GRADUAL, "AWS::CodeDeploy::DeploymentGroup")
    assert groups == deployed.keys()
    assert len(groups) == len(FUNCTIONS)
    for group in (each["Properties"] for each in deployed.values()):
        assert "Canary10Percent5Minutes" in json.dumps(group["DeploymentConfigName"])
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["AlarmConfiguration"] == WATCHED


ROLL_BACK = ("FailingRelease", "ServerErrors", "SlowAnswers", "LateFolds")
WATCHED = {
    "Fn::If": [
        "HasMonitoring",
        {
            "Enabled": True,
            "Alarms": [
                {"Name": {"Fn::GetAtt": ["MonitoringStack", f"Outputs.{name}"]}}
                for name in ROLL_BACK
            ],
        },
        {},
    ]
}


def test_the_alarms_that_roll_back_are_those_of_monitoring() -> None:
    assert MONITORING["Outputs"] == {name: {"Value": {"Ref": name}} for name in ROLL_BACK}
    assert made(MONITORING, "AWS::CloudWatch::Alarm").keys() >= MONITORING["Outputs"].keys()
    (refused,) = TEMPLATE["Rules"]["GradualNeedsAlarms"]["Assertions"]
    assert refused["Assert"] == {"Fn::Equals": [{"Ref": "Monitoring"}, "true"]}


@pytest.mark.parametrize("rollout", TEMPLATE["Parameters"]["Rollout"]["AllowedValues"])
def test_sam_knows_of_every_rollout_whether_it_is_gradual(rollout: str) -> None:
    is_gradual = TEMPLATE["Mappings"]["Rollouts"][rollout]["IsGradual"]
    assert is_gradual == str(rollout != "AllAtOnce").lower()


def test_a_gradual_stack_stays_one_stack() -> None:
    assert len(GRADUAL["Resources"]) < 500
