"""`odometer backlog`: what waits, where, and since when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from odometer.domain.time import epoch_second, format_seconds, instant_at
from odometer.engine.format.marks import Mark
from odometer.engine.write.steps import Progress
from odometer_cli.deployment import Deployment
from odometer_cli.maintenance import AsJson
from odometer_cli.organization_lookup import NamedOrAll, id_of_organization
from odometer_cli.output import out, show_json, show_rows, show_values

COLUMNS = ("organization", "due", "waits_seconds", "overdue", "failures", "next")
BAR_CELLS = 20


def backlog(
    ctx: typer.Context, organization: NamedOrAll = None, *, as_json: AsJson = False
) -> None:
    """Show who has something to do, the longest wait first, or all that waits of one of them."""
    deployment: Deployment = ctx.obj
    if organization is None:
        show_everyone(deployment, as_json=as_json)
    else:
        name = id_of_organization(deployment.directories, organization)
        found = backlog_of(deployment, name)
        show_json(found) if as_json else show_values({**found, **bars(found)})


def show_everyone(deployment: Deployment, *, as_json: bool) -> None:
    now = epoch_second(datetime.now(UTC))
    rows = [row_of(mark, now) for mark in deployment.process.work.marks.all()]
    rows.sort(key=lambda row: (-row["waits_seconds"], row["organization"]))
    if as_json:
        show_json(rows)
    elif rows:
        show_rows(COLUMNS, [{**row, "failures": words(row["failures"])} for row in rows])
    else:
        out.print("Nobody has anything to do.")


def row_of(mark: Mark, now: int) -> dict[str, Any]:
    """What a mark says; `next` is when the first task is due that is not due yet."""
    due = due_tasks(mark, now)
    later = min((second for second in mark.due.values() if second > now), default=None)
    return {
        "organization": mark.organization,
        "due": due,
        "waits_seconds": max((now - mark.due[task] for task in due), default=0),
        "overdue": mark.overdue_seconds(now) > 0,
        "failures": dict(mark.failures),
        "next": shown(later),
    }


def backlog_of(deployment: Deployment, organization: str) -> dict[str, Any]:
    now, work = datetime.now(UTC), deployment.process.work
    mark = work.marks.get(organization) or Mark(organization, epoch_second(now))
    waiting = deployment.engine.waiting(organization, now)
    return {
        **row_of(mark, epoch_second(now)),
        "due_since": {task: shown(mark.due[task]) for task in due_tasks(mark, epoch_second(now))},
        "batches_in_log": waiting.in_log.entries,
        "in_log_since": shown_ms(waiting.in_log.oldest_ms),
        "events_unsettled": waiting.events,
        "unsettled_since": shown(waiting.since),
        "plan_steps": waiting.plan._asdict(),
        "rebuild_steps": waiting.rebuild._asdict(),
        "parked": waiting.parked,
        "audited_through": shown_ms(waiting.audited_ms),
    }


def due_tasks(mark: Mark, now: int) -> list[str]:
    return sorted(task for task, second in mark.due.items() if second <= now)


def shown(second: int | None) -> str | None:
    return format_seconds(instant_at(second)) if second else None


def shown_ms(ms: int | None) -> str | None:
    return shown(ms // 1000) if ms else None


def bars(found: Mapping[str, Any]) -> dict[str, str]:
    progress = {name: bar(Progress(**found[name])) for name in ("plan_steps", "rebuild_steps")}
    return {**progress, **{name: words(found[name]) for name in ("failures", "due_since")}}


def bar(progress: Progress) -> str:
    """A bar of the steps done of all."""
    if not progress.of:
        return "none on its way"
    full = progress.done * BAR_CELLS // progress.of
    return f"[{'#' * full:.<{BAR_CELLS}}] {progress.done} of {progress.of}"


def words(by_task: Mapping[str, object]) -> str:
    return ", ".join(f"{task} {value}" for task, value in by_task.items())
