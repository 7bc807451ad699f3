"""Pauses a deployment so that nobody reads or writes its tables, and opens it as it was before.

What it was is noted before anything is changed. So a run that died is simply done again, and what
is opened is exactly what was paused.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from odometer.domain.acts import Act, Action
from odometer.domain.errors import NotFound, Unavailable
from odometer.storage.dynamo import Item, Table, backoff, domain_errors
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.output import progress_bar

NOTES: Final = "RESTORE"
"""The partition of the activity table with what a pause and a restore have to remember."""
PAUSED: Final = "paused"
RESTORE: Final = "restore"
"""The note of a restore that is under way."""
PATIENT: Final = Config(retries={"mode": "standard", "total_max_attempts": 10})
"""AWS takes 15 changes of functions a second, and there are more functions than that."""
NOT_NOW: Final = frozenset({"ResourceConflictException", "ResourceInUseException"})
GONE: Final = frozenset({"NotFoundException", "ResourceNotFoundException"})

Setting = Any
"""What a part was set to, as JSON has it."""


class Switch(NamedTuple):
    """How parts of one kind are read, paused and set."""

    read: Callable[[str], Setting]
    pause: Callable[[str, Setting], None]
    set: Callable[[str, Setting], None]


class Part(NamedTuple):
    """A part of a stack through which work begins."""

    kind: str
    name: str


def limits_of(stage: str) -> dict[str, list[Any]]:
    """The limits of a stage and of every route that has its own: requests a second, and at once."""
    api, name = stage.split("/")
    settings = client("apigateway").get_stage(restApiId=api, stageName=name)["methodSettings"]
    names = ("throttlingRateLimit", "throttlingBurstLimit")
    return {
        route: [str(each[name]) for name in names]
        for route, each in settings.items()
        if all(name in each for name in names)
    }


def set_limits(stage: str, limits: Mapping[str, list[Any]]) -> None:
    api, name = stage.split("/")
    changes = [
        {"op": "replace", "path": f"/{route}/throttling/{which}", "value": value}
        for route, (rate, burst) in limits.items()
        for which, value in (("rateLimit", rate), ("burstLimit", whole(burst)))
    ]
    client("apigateway").update_stage(restApiId=api, stageName=name, patchOperations=changes)


def whole(number: str) -> str:
    """The gateway takes no fraction of a request."""
    return str(int(float(number)))


def state_of_schedule(name: str) -> str:
    return str(client("scheduler").get_schedule(Name=name)["State"])


def set_schedule(name: str, state: str) -> None:
    """Change the state of a schedule, which AWS takes only together with all else of it."""
    schedules = client("scheduler")
    found = schedules.get_schedule(Name=name)
    taken = schedules.meta.service_model.operation_model("UpdateSchedule").input_shape.members
    kept = {key: value for key, value in found.items() if key in taken and value is not None}
    schedules.update_schedule(**{**kept, "State": state})


def policy_of(stack: str) -> str:
    """What may be deployed; a stack without a policy lets everything be."""
    found = client("cloudformation").get_stack_policy(StackName=stack)
    return str(found.get("StackPolicyBody") or policy("Allow"))


def set_policy(stack: str, body: str) -> None:
    client("cloudformation").set_stack_policy(StackName=stack, StackPolicyBody=body)


def policy(effect: str) -> str:
    every = {"Effect": effect, "Action": "Update:*", "Principal": "*", "Resource": "*"}
    return json.dumps({"Statement": [every]})


def is_enabled(mapping: str) -> bool:
    state = client("lambda").get_event_source_mapping(UUID=mapping)["State"]
    return not state.startswith("Disabl")


def set_mapping(mapping: str, enabled: Setting) -> None:
    client("lambda").update_event_source_mapping(UUID=mapping, Enabled=bool(enabled))


def concurrency_of(function: str) -> int | None:
    found = client("lambda").get_function_concurrency(FunctionName=function)
    number: int | None = found.get("ReservedConcurrentExecutions")
    return number


def set_concurrency(function: str, number: int | None) -> None:
    functions = client("lambda")
    if number is None:
        functions.delete_function_concurrency(FunctionName=function)
    else:
        functions.put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=number
        )


STACK_POLICY: Final = "StackPolicy"
SWITCHES: Final[Mapping[str, Switch]] = {
    # A deployment would set all the others to what the template says.
    STACK_POLICY: Switch(policy_of, lambda name, _: set_policy(name, policy("Deny")), set_policy),
    "AWS::ApiGateway::Stage": Switch(
        limits_of,
        lambda name, limits: set_limits(name, {each: ["0", "0"] for each in limits}),
        set_limits,
    ),
    "AWS::Scheduler::Schedule": Switch(
        state_of_schedule, lambda name, _: set_schedule(name, "DISABLED"), set_schedule
    ),
    "AWS::Lambda::EventSourceMapping": Switch(
        is_enabled, lambda name, _: set_mapping(name, enabled=False), set_mapping
    ),
    "AWS::Lambda::Function": Switch(
        concurrency_of, lambda name, _: set_concurrency(name, 0), set_concurrency
    ),
}
"""In the order in which they are paused; they are opened the other way round."""


@cache
def client(service: str) -> Any:
    """A client of the one deployment that a command is about."""
    return boto3.client(service, config=PATIENT)  # type: ignore[call-overload]


def notes_of(deployment: Deployment) -> Table:
    """The table that no restore changes."""
    return deployment.process.table(deployment.settings.activity_table)


def pause(deployment: Deployment) -> bool:
    """Pause every part, also one that came since it was paused; false if it was paused before."""
    notes = notes_of(deployment)
    with domain_errors():
        known = noted(notes)
        parts = [part for part in parts_of(deployment) if part not in (known or {})]
        new = {part: setting for part in parts for setting in settings_of(part)}
        if known is None:
            pausing = notes.write_new(note_of(new))
            # whoever was faster has read what nobody had changed
            deployment.trail().commit(Act(Action.PAUSED), pausing)
        elif new:
            notes.put(note_of(known | new))
        in_turn(noted(notes) or {}, "Pausing", lambda switch: switch.pause)
    return known is None


def settings_of(part: Part) -> Iterator[Setting]:
    """What a part is set to; nothing of one that is gone, though the stack still names it.

    An event source mapping that somebody made again is such a part. What it begins stands still
    by the functions, which may not run at all.
    """
    try:
        yield SWITCHES[part.kind].read(part.name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def note_of(settings: Mapping[Part, Setting]) -> Item:
    parts = [[part.kind, part.name, settings[part]] for part in settings]
    return {"pk": NOTES, "sk": PAUSED, "parts": parts}


def reopen(deployment: Deployment) -> bool:
    """Set every part to what it was; false if nothing was paused."""
    notes = notes_of(deployment)
    with domain_errors():
        settings = noted(notes)
        if settings is None:
            return False
        backwards = dict(reversed(settings.items()))
        in_turn(backwards, "Opening", lambda switch: switch.set)
        deployment.trail().commit(Act(Action.OPENED), notes.write_deletion(NOTES, PAUSED))
    return True


def in_turn(
    settings: Mapping[Part, Setting],
    title: str,
    how: Callable[[Switch], Callable[[str, Setting], None]],
) -> None:
    with progress_bar(title, len(settings)) as progress:
        for part, setting in settings.items():
            when_possible(how(SWITCHES[part.kind]), part.name, setting)
            progress.advance(1)


def when_possible(change: Callable[[str, Setting], None], name: str, setting: Setting) -> None:
    """Change a part once its last change is over; one that is not there any more is left."""
    for wait in backoff():
        try:
            return change(name, setting)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in GONE:
                return None
            if code not in NOT_NOW:
                raise
        wait()
    raise Unavailable(name)


def noted(notes: Table) -> dict[Part, Setting] | None:
    """What the parts were when they were paused; None if they are open."""
    item = notes.get(NOTES, PAUSED)
    if item is None:
        return None
    parts: Any = item["parts"]
    return {Part(kind, name): setting for kind, name, setting in parts}


def parts_of(deployment: Deployment) -> Iterator[Part]:
    """All through which work begins, in the order in which it is paused."""
    stack = stack_name(deployment)
    found = [(STACK_POLICY, stack), *resources_of(stack)]
    (api,) = [name for kind, name in found if kind == "AWS::ApiGateway::RestApi"]
    for kind in SWITCHES:
        for name in sorted(name for each, name in found if each == kind):
            is_stage = kind == "AWS::ApiGateway::Stage"
            yield Part(kind, f"{api}/{name}" if is_stage else name)


def resources_of(stack: str) -> Iterator[tuple[str, str]]:
    """The kinds and names of all resources of a stack."""
    stacks = client("cloudformation").get_paginator("list_stack_resources")
    for page in stacks.paginate(StackName=stack):
        for each in page["StackResourceSummaries"]:
            yield each["ResourceType"], each.get("PhysicalResourceId", "")


def stack_name(deployment: Deployment) -> str:
    """The stack that is meant; a local one by what it is made of."""
    if deployment.stack:
        return deployment.stack
    if not deployment.outputs:
        raise Misused("Which stack?", "Give --stack, or --local.")
    for page in client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
            if outputs.get("UsageTable") == deployment.outputs["UsageTable"]:
                return str(stack["StackName"])
    raise NotFound("the stack of these tables")


def longest_run_seconds(deployment: Deployment) -> int:
    """How long a run that had begun before the pause may last."""
    names = [part.name for part in parts_of(deployment) if part.kind == "AWS::Lambda::Function"]
    functions = client("lambda")
    with domain_errors():
        found = [functions.get_function_configuration(FunctionName=name) for name in names]
    return max((each["Timeout"] for each in found), default=0)
