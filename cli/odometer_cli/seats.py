"""`odometer seats`: who has a seat, and does not use it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from odometer.domain.people import State
from odometer.reports.ranking import Direction
from odometer.reports.seats import SeatOrder, SeatStatus
from odometer_cli.asking import (
    FEW_ROWS,
    MOST_ROWS,
    AsCsv,
    AsJson,
    Limit,
    all_pages,
    check_form,
    exact,
    joined,
    show_csv,
    show_exact_json,
    split,
    tell_more,
)
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.me import Me
from odometer_cli.output import out, show_rows

SEATS: Final = "/v1/seats"
COLUMNS: Final = ("username", "team", "state", "status", "last_active", "product", "active_days")

Text = str | None


def seats(
    ctx: typer.Context,
    *,
    inactive_days: Annotated[
        int | None, typer.Option(help="Who used nothing in so many days is inactive; 30.")
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="Only the use of this product; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only the use of all products of a kind.")
    ] = None,
    team: Annotated[Text, typer.Option(help="Only of a team, by id or name.")] = None,
    department: Annotated[Text, typer.Option(help="Only of a department.")] = None,
    user: Annotated[Text, typer.Option(help="Only of a user, by username or id.")] = None,
    search: Annotated[Text, typer.Option(help="List only users with this in a name.")] = None,
    state: Annotated[State | None, typer.Option(help="List only users in this state.")] = None,
    status: Annotated[
        SeatStatus | None, typer.Option(help="List only seats with this status.")
    ] = None,
    sort: Annotated[SeatOrder | None, typer.Option(help="By what they are sorted.")] = None,
    order: Annotated[Direction | None, typer.Option(help="Smallest or largest first.")] = None,
    limit: Limit = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show who has a seat and does not use it, longest unused first."""
    check_form(as_csv=as_csv, as_json=as_json, limit=limit)
    if product and kind:
        raise Misused("--product and --kind exclude each other.", "Give one of them.")
    deployment: Deployment = ctx.obj
    client = deployment.client
    me = Me.of(client)
    params = {
        "inactive_days": str(inactive_days) if inactive_days else None,
        "product": joined([me.product(each) for each in split(product)]),
        "kind": joined([me.kind(each) for each in split(kind)]),
        **me.whom(team, department, user),
        "q": search,
        "state": state,
        "status": status,
        "sort": sort,
        "order": order,
    }
    if as_csv:
        show_csv(client, SEATS, params)
        return
    most = limit or (MOST_ROWS if as_json else FEW_ROWS)
    content = all_pages(client, SEATS, params, "data", most, exact)
    show_exact_json(content) if as_json else show_seats(content, me)
    tell_more(len(content["data"]), content["total_count"])


def show_seats(content: Mapping[str, Any], me: Me) -> None:
    """Print how many seats have which status, and a line for each that is listed."""
    out.print(in_words(content["seats"]), style="bold")
    names = {row["id"]: row["name"] for row in me.products}
    rows = [row_of(seat, names) for seat in content["data"]]
    shown = [name for name in COLUMNS if any(row[name] for row in rows)]
    if rows:
        show_rows(shown, rows)
    else:
        out.print("There are none of those.")


def in_words(counts: Mapping[str, Any]) -> str:
    licensed = "" if counts["licensed"] is None else f" of {counts['licensed']:,} licensed"
    names: Sequence[str] = ("active", "inactive", "never_used")
    parts = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)
    return f"{counts['assigned']:,} seats{licensed}: {parts}; {counts['invited']:,} invited"


def row_of(seat: Mapping[str, Any], products: Mapping[str, str]) -> dict[str, Any]:
    user, last = seat["user"], seat["last_active"]
    return {
        "username": user["username"],
        "team": (user["team"] or {}).get("name"),
        "state": seat["state"],
        "status": seat["status"],
        "last_active": (last["at"] or "")[:10],
        "product": products.get(last["product"], last["product"]),
        "active_days": seat["active_days"],
    }
