"""`odometer verify`, `rebuild` and `redrive`: for operators, who reach the tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from odometer.readings.decisions import ALL
from odometer.storage.deployment import empty_queue, outputs_of
from odometer.storage.engine import Engine
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.terminal import bar, err, out, show_json, show_rows

UNFOLDED = "UnfoldedQueue"

Organization = Annotated[UUID | None, typer.Argument(help="Its id; all of them if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def verify(
    ctx: typer.Context, organization: Organization = None, *, as_json: AsJson = False
) -> None:
    """Add up what was settled, event by event, and report every frame that says otherwise."""
    engine = engine_of(ctx)
    columns = ("organization", "product", "shard", "day", "what")
    drifts = [
        {"organization": name, **drift._asdict(), "day": str(drift.day)}
        for name in chosen(engine, organization)
        for drift in engine.verify(name, datetime.now(UTC))
    ]
    if as_json:
        show_json(drifts)
    elif drifts:
        show_rows(columns, drifts)
    else:
        out.print("Every frame says what the events say.")
    raise typer.Exit(1 if drifts else 0)


def rebuild(
    ctx: typer.Context,
    organization: Annotated[UUID, typer.Argument(help="Id of the organization.")],
    *,
    product: Annotated[str | None, typer.Option(help="Only this product; needs --year.")] = None,
    year: Annotated[int | None, typer.Option(help="Only this year of --product.")] = None,
) -> None:
    """Make frames again from the events, beside the old ones, and then show them."""
    if (product is None) != (year is None):
        raise Misused("--product and --year go together.", "Give both, or neither.")
    engine, name = engine_of(ctx), str(organization)
    steps = finish(engine, name)
    zone = engine.tenancy.open(name).organization.time_zone
    engine.rebuilding.request(name, ALL if product is None else f"{product}#{year}", zone)
    steps += finish(engine, name)
    out.print(f"Done in {steps} steps.")


def finish(engine: Engine, organization: str) -> int:
    """Take the rebuild that is on its way to its end; in how many steps."""
    steps = 0
    while engine.rebuild(organization, datetime.now(UTC)):
        steps += 1
    return steps


def redrive(
    ctx: typer.Context, organization: Organization = None, *, as_json: AsJson = False
) -> None:
    """Put parked log entries back, fold all that waits, and clear the queue of what was noted."""
    engine, rows = engine_of(ctx), []
    names = list(chosen(engine, organization))
    with bar("Folding", len(names)) as progress:
        for name in names:
            found = engine.redrive(name, datetime.now(UTC))
            engine.sweep(name, datetime.now(UTC))
            rows += [{"organization": name, **found._asdict()}] if any(found) else []
            progress.advance(1)
    if organization is None:
        clear_queue(ctx.obj)
    show_json(rows) if as_json else show_rows(("organization", "returned", "unreadable"), rows)
    raise typer.Exit(1 if any(row["unreadable"] for row in rows) else 0)


def clear_queue(deployment: Deployment) -> None:
    """Everything that was noted there is folded now."""
    if deployment.stack:
        empty_queue(outputs_of(deployment.stack)[UNFOLDED])
    else:
        err.print("Without --stack the queue of unfolded records is left as it is.")


def engine_of(ctx: typer.Context) -> Engine:
    """The engine on the tables of the deployment."""
    deployment: Deployment = ctx.obj
    return Engine(deployment.settings)


def chosen(engine: Engine, organization: UUID | None) -> Iterator[str]:
    """One organization, or all."""
    if organization is None:
        return engine.tenancy.organizations()
    return iter([engine.tenancy.open(str(organization)).organization.id])
