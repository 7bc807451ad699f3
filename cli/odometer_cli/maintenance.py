"""`odometer verify`, `rebuild` and `redrive`: for operators, who reach the tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from odometer.domain.acts import Act, Action
from odometer.domain.text import as_kept
from odometer.engine.format.decisions import ALL
from odometer.services.engine import Engine
from odometer_cli.cloudformation import empty_queue
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.organization_lookup import Named, NamedOrAll, id_of_organization
from odometer_cli.output import count_of, err, out, progress_bar, show_json, show_rows

SET_ASIDE = ("UnfoldedQueue", "FailedWorkQueue")
MOST_SHOWN = 20

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def verify(ctx: typer.Context, organization: NamedOrAll = None, *, as_json: AsJson = False) -> None:
    """Add up what was settled, event by event, and report every frame that says otherwise."""
    deployment: Deployment = ctx.obj
    names, frames, drifts, waiting = list(chosen_ids(deployment, organization)), 0, [], 0
    for name in names:
        waiting += deployment.engine.unsettled_events(name, datetime.now(UTC))
        for found in deployment.engine.verify(name, datetime.now(UTC)):
            frames += found.frames
            drifts += [{"organization": name, **each._asdict()} for each in found.drifts]
    if as_json:
        compared = {"organizations": len(names), "frames": frames, "unsettled_events": waiting}
        show_json({"compared": compared, "drifts": [{**d, "day": str(d["day"])} for d in drifts]})
    else:
        if drifts:
            show_rows(("organization", "product", "shard", "day", "what"), drifts)
        out.print(verdict(len(names), frames, len(drifts)))
        if waiting:
            out.print(
                f"Not settled yet: {count_of(waiting, 'event')}. What waits: odometer backlog"
            )
    raise typer.Exit(1 if drifts else 0)


def verdict(organizations: int, frames: int, drifts: int) -> str:
    """One sentence about what was compared and found."""
    whose = count_of(organizations, "organization")
    if not frames:
        return f"Nothing to compare: no day of {whose} is settled yet."
    compared = f"Compared {count_of(frames, 'frame')} of {whose} with the events"
    if not drifts:
        return f"{compared}: all agree."
    return f"{compared}: {drifts} differ. Make them again: odometer rebuild"


def rebuild(
    ctx: typer.Context,
    organization: Named,
    *,
    product: Annotated[str | None, typer.Option(help="Only this product; needs --year.")] = None,
    year: Annotated[int | None, typer.Option(help="Only this year of --product.")] = None,
) -> None:
    """Make frames again from the events, beside the old ones, and then show them."""
    deployment: Deployment = ctx.obj
    engine, name = deployment.engine, id_of_organization(deployment.directories, organization)
    scope = scope_of(engine, name, product, year)
    steps = finish_rebuild(engine, name)
    zone = engine.directories.open(name).organization.time_zone
    if item := engine.rebuilding.item_of_request(name, scope, zone):
        asking = deployment.process.usage_store(deployment.process.engine_meter).write_new(item)
        deployment.trail(name).commit(Act(Action.REBUILD_ASKED, details={"scope": scope}), asking)
    steps += finish_rebuild(engine, name)
    out.print(f"Done in {count_of(steps, 'step')}.")


def scope_of(engine: Engine, organization: str, product: str | None, year: int | None) -> str:
    """What is made again: everything, or a year of a product in which something was used."""
    if product is None and year is None:
        return ALL
    if product is None or year is None:
        raise Misused("--product and --year go together.", "Give both, or neither.")
    product = as_kept(product)
    known = {each.id: each for each in engine.products(organization)}
    if product not in known:
        more = ", …" if len(known) > MOST_SHOWN else ""
        some = ", ".join(islice(known, MOST_SHOWN))
        remedy = f"Give the id of one of its products: {some}{more}"
        raise Misused(f"{product} is no product of this organization.", remedy)
    found = engine.years(organization, [known[product]], datetime.now(UTC))
    years = [year for _, year in found]
    if year not in years:
        remedy = f"Give {' or '.join(map(str, years))}." if years else "There is nothing to make."
        raise Misused(f"{product} has no settled events in {year}.", remedy)
    return f"{product}#{year}"


def finish_rebuild(engine: Engine, organization: str) -> int:
    """Finish a rebuild that is under way; return its number of steps."""
    steps = 0
    while engine.rebuild(organization, datetime.now(UTC)):
        steps += 1
    return steps


def redrive(
    ctx: typer.Context, organization: NamedOrAll = None, *, as_json: AsJson = False
) -> None:
    """Put parked log entries back, fold all that waits, and try again at once what has failed."""
    deployment: Deployment = ctx.obj
    engine, rows = deployment.engine, []
    names = list(chosen_ids(deployment, organization))
    with progress_bar("Folding", len(names)) as progress:
        for name in names:
            found = engine.redrive(name, datetime.now(UTC))
            engine.fold_outstanding(name, datetime.now(UTC))
            deployment.process.work.begin_again(name, datetime.now(UTC))
            rows += [{"organization": name, **found._asdict()}] if any(found) else []
            progress.advance(1)
    if organization is None:
        clear_queues(deployment)
    if as_json:
        show_json(rows)
    elif rows:
        show_rows(("organization", "returned", "unreadable"), rows)
    else:
        whose = count_of(len(names), "organization")
        out.print(f"Nothing was parked; what waited in {whose} is folded.")
    raise typer.Exit(1 if any(row["unreadable"] for row in rows) else 0)


def clear_queues(deployment: Deployment) -> None:
    """Empty the queues of what was set aside: all of it is folded now, or due by its marks."""
    for name in SET_ASIDE:
        if name in deployment.outputs:
            empty_queue(deployment.outputs[name])
    if not deployment.outputs:
        err.print("Without --stack the queues of what was set aside are left as they are.")


def chosen_ids(deployment: Deployment, organization: str | None) -> Iterator[str]:
    if organization is None:
        return deployment.directories.organizations()
    return iter([id_of_organization(deployment.directories, organization)])
