"""The restore runbook: AWS knows every command, and what is paused is opened again."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.model import Shape
from botocore.validate import ParamValidator

from local.template import expanded

RUNBOOK = Path("docs/runbooks/restore.md").read_text()
SHELL = set(";()>|&{}")
ANYWHERE = {"--query", "--output", "--cli-input-json"}
BOOLEANS = {"true": True, "false": False}
VARIABLES = {  # where AWS asks for more than a few letters
    "$INSTANT": "2026-11-20T06:00:00Z",
    "$BACKUP": "arn:aws:dynamodb:eu-central-1:123456789012:table/usage/backup/01",
    "$id": "0b7e9d0e-6f0a-4c8e-9d53-2f4f6f0d9a11",
}


class Command(NamedTuple):
    """One call of the AWS command line."""

    service: str
    words: tuple[str, ...]
    options: dict[str, list[str]]

    def __str__(self) -> str:
        return " ".join([self.service, *self.words])


def commands(text: str) -> Iterator[Command]:
    """Every call in the blocks of a page, also inside of loops and functions."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            words = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
            words.whitespace_split = True
            yield from calls(list(words))


def calls(words: list[str]) -> Iterator[Command]:
    for place, word in enumerate(words):
        if word == "aws":
            rest = words[place + 1 :]
            end = next((n for n, each in enumerate(rest) if SHELL.issuperset(each)), None)
            yield command(rest[:end])


def command(words: list[str]) -> Command:
    options: dict[str, list[str]] = {}
    first = next(place for place, word in enumerate(words) if word.startswith("--"))
    for word in words[first:]:
        if word.startswith("--"):
            name = word
            options[name] = []
        else:
            options[name].append(word)
    return Command(words[0], tuple(words[1:first]), options)


COMMANDS = list(commands(RUNBOOK))


@cache
def client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def operation(call: Command) -> Any:
    """What AWS says of the operation; a waiter asks by one too."""
    methods = client(call.service).meta.method_to_api_mapping
    if call.words[0] == "wait":
        waiter = client(call.service).get_waiter(call.words[1].replace("-", "_"))
        name = waiter.config.operation
    else:
        name = methods[call.words[0].replace("-", "_")]
    return client(call.service).meta.service_model.operation_model(name)


def parameters(call: Command) -> dict[str, Any]:
    """The options as parameters of the operation; an option that it does not have is an error."""
    members = operation(call).input_shape.members
    options = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in members.items()}
    found = {}
    for option, words in call.options.items():
        if option.startswith("--no-"):
            found[options[f"--{option.removeprefix('--no-')}"][0]] = False
        elif option not in ANYWHERE:
            name, shape = options[option]
            found[name] = value(shape, words)
    return found


def value(shape: Shape, words: list[str]) -> Any:
    """The words of an option as the command line reads them."""
    match shape.type_name:
        case "boolean":
            return words == [] or BOOLEANS[words[0]]
        case "integer":
            return int(words[0])
        case "list":
            return [value(shape.member, [word]) for word in words]  # type: ignore[attr-defined]
        case "structure":
            pairs = [pair.split("=", 1) for pair in words[0].split(",")]
            members = shape.members  # type: ignore[attr-defined]
            return {name: value(members[name], [word]) for name, word in pairs}
    (word,) = words
    return VARIABLES.get(word, word)


NUMBERED = {f"{number} {each}": each for number, each in enumerate(COMMANDS, 1)}


@pytest.mark.parametrize("call", NUMBERED.values(), ids=NUMBERED)
def test_aws_knows_the_command_and_takes_its_parameters(call: Command) -> None:
    if "--cli-input-json" not in call.options:
        shape = operation(call).input_shape
        assert ParamValidator().validate(parameters(call), shape).generate_report() == ""
    for query in call.options.get("--query", []):
        first = re.findall(r"\w+", query)[0]
        assert first in {*operation(call).output_shape.members}
        assert jmespath.compile(query)


def test_the_commands_are_all_found() -> None:
    assert len(COMMANDS) == RUNBOOK.count("aws ")
    assert len(COMMANDS) > 20


# what is paused is opened again


@pytest.mark.parametrize(
    ("kind", "paused", "opened"),
    [
        (
            "AWS::Scheduler::Schedule",
            "switch_schedules DISABLED",
            "switch_schedules ENABLED",
        ),
        (
            "AWS::Lambda::EventSourceMapping",
            'update-event-source-mapping --uuid "$id" --no-enabled',
            'update-event-source-mapping --uuid "$id" --enabled',
        ),
        (
            "AWS::Lambda::Function",
            'put-function-concurrency --function-name "$name" --reserved-concurrent-executions 0',
            'delete-function-concurrency --function-name "$name"',
        ),
        ("AWS::ApiGateway::Stage", "rateLimit,value=0", "rateLimit,value=200"),
    ],
)
def test_whatever_begins_work_is_paused_first_and_opened_last(
    kind: str, paused: str, opened: str
) -> None:
    _, pause, *_, opening = re.split(r"^## \d\. ", RUNBOOK, flags=re.MULTILINE)
    assert kind in {resource["Type"] for resource in expanded()["Resources"].values()}
    assert (pause.count(paused), opening.count(opened)) == (1, 1)
    assert RUNBOOK.count(paused) == RUNBOOK.count(opened) == 1


def test_a_schedule_is_switched_off_and_stays_what_it_was() -> None:
    get = next(call for call in COMMANDS if call.words == ("get-schedule",))
    (query,) = get.options["--query"]
    for resource in expanded()["Resources"].values():
        if resource["Type"] == "AWS::Scheduler::Schedule":
            answer = {"Name": "name", "GroupName": "default", **resource["Properties"]}
            switched = jmespath.search(query.replace("$1", "DISABLED"), answer)
            assert switched == {**answer, "State": "DISABLED"}


def test_a_switched_schedule_is_what_aws_takes() -> None:
    """All that the command sends; what the template says of a schedule is resolved there."""
    target = {"Arn": "arn", "RoleArn": "arn", "RetryPolicy": {"MaximumRetryAttempts": 0}}
    sent = {
        "Name": "name",
        "GroupName": "default",
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "State": "DISABLED",
    }
    update = next(call for call in COMMANDS if call.words == ("update-schedule",))
    shape = operation(update).input_shape
    assert ParamValidator().validate(sent, shape).generate_report() == ""


# a table made again has what the template gives it


def test_a_table_that_was_made_again_gets_what_the_template_gave_it() -> None:
    """Everything but its keys, billing and name, which a backup has."""
    given = {
        key
        for name in ("UsageTable", "DirectoryTable")
        for key in expanded()["Resources"][name]["Properties"]
    }
    commands_of = {
        "DeletionProtectionEnabled": "--deletion-protection-enabled",
        "PointInTimeRecoverySpecification": "--point-in-time-recovery-specification",
        "SSESpecification": "--sse-specification-override",
        "TimeToLiveSpecification": "--time-to-live-specification",
    }
    assert given == {*commands_of, "AttributeDefinitions", "BillingMode", "KeySchema"}
    restored = RUNBOOK[RUNBOOK.index("restore-table-from-backup") :]
    assert [option for option in commands_of.values() if f" {option}" not in restored] == []


def test_no_table_is_deleted_before_both_backups_are_there() -> None:
    keeping, rest = RUNBOOK.split("Go on when both are `AVAILABLE`, and not before.")
    assert keeping.count("aws dynamodb create-backup") == 2
    assert "delete-table" not in keeping
    assert rest.count("delete-table") == 1


def test_runs_that_have_begun_may_end_before_anything_is_restored() -> None:
    (seconds,) = re.findall(r"^\$ sleep (\d+)$", RUNBOOK, re.MULTILINE)
    timeouts = [
        resource["Properties"]["Timeout"]
        for resource in expanded()["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert int(seconds) >= max(timeouts)
