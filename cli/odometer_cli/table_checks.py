"""What an operator can find out: what waits, what has failed, and whether anybody is told."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from odometer.domain.errors import NotFound, OdometerError
from odometer.domain.time import epoch_second, format_seconds, instant_of_ms
from odometer_cli.api_checks import length
from odometer_cli.checks import FAIL, OK, WARN, Check
from odometer_cli.cloudformation import messages_in, parameter_of
from odometer_cli.deployment import SETTINGS, Deployment
from odometer_cli.failure import Failure
from odometer_cli.output import count_of
from odometer_cli.pausing import NOTES, RESTORE, noted, notes_of

AUDITED: Final = timedelta(days=2)
QUEUES: Final = ("UnfoldedQueue", "FailedWorkQueue")


def are_reachable(deployment: Deployment) -> bool:
    """Whether something says where the tables are."""
    try:
        return bool(deployment.outputs) or all(os.environ.get(name) for name in SETTINGS)
    except (Failure, OdometerError):
        return bool(deployment.place.stack)


def checks_of(deployment: Deployment) -> Iterator[Check]:
    yield from pause_checks(deployment)
    yield backlog_check(deployment)
    yield from queue_checks(deployment)
    yield from organization_checks(deployment)
    if deployment.stack:
        yield alarm_check(deployment.stack)


def pause_checks(deployment: Deployment) -> Iterator[Check]:
    """Why every request gets 429, if a pause is why."""
    notes = notes_of(deployment)
    if noted(notes):
        remedy = "odometer restore" if notes.get(NOTES, RESTORE) else "odometer open"
        yield Check("pause", FAIL, "it is paused, and no request is answered", remedy)
    if deployment.stack and parameter_of(deployment.stack, "Paused") == "true":
        yield Check("pause", FAIL, "it was deployed as paused", "Deploy with Paused=false")


def backlog_check(deployment: Deployment) -> Check:
    now = epoch_second(datetime.now(UTC))
    marks = list(deployment.process.work.marks.all())
    overdue = [mark for mark in marks if mark.overdue_seconds(now) > 0]
    failing = [mark for mark in marks if mark.failures]
    if overdue or failing:
        what = f"{len(overdue)} of {count_of(len(marks), 'organization')} overdue, "
        status = FAIL if overdue else WARN
        return Check("backlog", status, f"{what}{len(failing)} failing", "odometer backlog")
    return Check("backlog", OK, f"{count_of(len(marks), 'organization')} with work, none overdue")


def queue_checks(deployment: Deployment) -> Iterator[Check]:
    """What was set aside, because it failed again and again."""
    for name in QUEUES:
        if name in deployment.outputs and (count := messages_in(deployment.outputs[name])):
            what = f"{count_of(count, 'message')} set aside in {name}"
            yield Check("failed work", FAIL, what, "Look at the logs, then: odometer redrive")


def organization_checks(deployment: Deployment) -> Iterator[Check]:
    """What waits in the organization of the key, if there is one."""
    try:
        organization = deployment.credential.organization
        waiting = deployment.engine.waiting(organization, datetime.now(UTC))
    except (Failure, NotFound):
        return
    if waiting.parked:
        what = f"{count_of(waiting.parked, 'batch')[:-1]}es parked" if waiting.parked > 1 else ""
        yield Check("parked", FAIL, what or "1 batch parked", "odometer redrive")
    if waiting.audited_ms:
        audited = instant_of_ms(waiting.audited_ms)
        late = datetime.now(UTC) - audited
        what = f"accepted batches are verified up to {format_seconds(audited)}"
        status = OK if late <= AUDITED else WARN
        yield Check("verification", status, what, "Verify it now: odometer verify")


def alarm_check(stack: str) -> Check:
    if parameter_of(stack, "Monitoring") == "false":
        return Check("alarms", WARN, "there are none", "Deploy with Monitoring=true")
    if parameter_of(stack, "AlarmTopicArn"):
        return Check("alarms", OK, "they notify a topic")
    remedy = "Deploy with AlarmTopicArn=<an SNS topic to which somebody is subscribed>"
    return Check("alarms", WARN, "they notify nobody", remedy)


def why_refused(deployment: Deployment) -> str:
    """What the tables say of a key that is refused."""
    key = deployment.credential
    try:
        found = deployment.directories.credential(key.organization, key.key_id)
    except OdometerError:
        return ""
    now = datetime.now(UTC)
    if found is None:
        return "this deployment does not have it: it is of another one"
    if found.revoked_at:
        return f"it was revoked {length(now - found.revoked_at)} ago"
    if found.expires_at and found.expires_at <= now:
        return f"it expired {length(now - found.expires_at)} ago"
    return "its secret is not the present one, or its owner is deactivated"
