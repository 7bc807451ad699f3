"""`odometer report`: who used what, how much and when, in the terminal, as CSV or as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from odometer.reports.periods import Granularity, PeriodName
from odometer.reports.ranking import Direction
from odometer_cli.asking import (
    FEW_ROWS,
    MOST_ROWS,
    AsCsv,
    AsJson,
    Limit,
    Params,
    all_pages,
    check_form,
    exact,
    joined,
    show_csv,
    show_exact_json,
    split,
    tell_more,
)
from odometer_cli.client import Client
from odometer_cli.deployment import Deployment
from odometer_cli.failure import BadRequest, Misused
from odometer_cli.me import Me
from odometer_cli.report_table import show_report

USAGE: Final = "/v1/usage"
OVERVIEW: Final = "active_users"
MOST_PRODUCTS: Final = 100
GROUPS: Final = ("none", "product", "team", "department", "user", "user_type")
HOURS: Final = (PeriodName.TODAY, PeriodName.YESTERDAY)
WEEKS: Final = (PeriodName.LAST_90_DAYS, PeriodName.QUARTER_TO_DATE, PeriodName.LAST_QUARTER)
MONTHS: Final = (PeriodName.LAST_12_MONTHS, PeriodName.YEAR_TO_DATE, PeriodName.LAST_YEAR)
MOST_DAYS, MOST_WEEKS = timedelta(days=31), timedelta(days=200)


class Compare(StrEnum):
    """What a period is compared with."""

    NONE = "none"
    PREVIOUS_PERIOD = "previous_period"
    PREVIOUS_YEAR = "previous_year"


def known_groups(incomplete: str) -> list[str]:
    return [name for name in GROUPS if name.startswith(incomplete)]


Names = list[str] | None
Text = str | None


def report(
    ctx: typer.Context,
    *,
    product: Annotated[Names, typer.Option(help="Id or name; may be repeated.")] = None,
    kind: Annotated[Names, typer.Option(help="All products of a kind; may be repeated.")] = None,
    measure: Annotated[
        Names, typer.Option(help="Measure, ratio, active_users or active_days; may be repeated.")
    ] = None,
    period: Annotated[
        PeriodName | None, typer.Option(help="28d if left out.", show_default=False)
    ] = None,
    start: Annotated[
        Text, typer.Option("--from", help="Instead of --period: a date, or an instant.")
    ] = None,
    end: Annotated[Text, typer.Option("--to", help="The instant just after it.")] = None,
    timezone: Annotated[
        Text, typer.Option(help="Like Europe/Berlin or +02:00; the organization's if left out.")
    ] = None,
    granularity: Annotated[
        Granularity | None, typer.Option(help="Blocks of a series; a table chooses them itself.")
    ] = None,
    group_by: Annotated[
        Text,
        typer.Option(help=f"{', '.join(GROUPS)}, or a breakdown.", autocompletion=known_groups),
    ] = None,
    team: Annotated[Text, typer.Option(help="Only of a team, by id or name.")] = None,
    department: Annotated[Text, typer.Option(help="Only of a department.")] = None,
    user: Annotated[Text, typer.Option(help="Only of a user, by username or id.")] = None,
    user_type: Annotated[Text, typer.Option(help="Only people, or only machines.")] = None,
    compare: Annotated[
        Compare | None, typer.Option(help="A table compares with the previous period by itself.")
    ] = None,
    search: Annotated[Text, typer.Option(help="Only groups with this in their name.")] = None,
    sort: Annotated[
        Text, typer.Option(help="A figure, one with _change behind it, or name.")
    ] = None,
    order: Annotated[Direction | None, typer.Option(help="Smallest or largest first.")] = None,
    limit: Limit = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show who used what, how much and when, beside the period before.

    Without --product and --kind it shows how many users each product has.
    """
    check_form(as_csv=as_csv, as_json=as_json, limit=limit)
    deployment: Deployment = ctx.obj
    client = deployment.client
    me = Me.of(client)
    params = {
        **what_is_asked(me, product, kind, measure, group_by),
        **when_is_asked(period, start, end),
        "timezone": timezone,
        "granularity": granularity,
        **me.whom(team, department, user),
        "user_type": user_type,
        "compare": None if compare is Compare.NONE else compare,
        "q": search,
        "sort": sort,
        "order": order,
    }
    if as_csv:
        show_csv(client, USAGE, params)
    elif as_json:
        content = all_pages(client, USAGE, params, "groups", limit or MOST_ROWS, exact)
        show_exact_json(content)
        tell_more(len(content["groups"]), content["total_groups"])
    else:
        params["compare"] = params["compare"] or (None if compare else Compare.PREVIOUS_PERIOD)
        content = for_a_table(client, params, limit or FEW_ROWS)
        show_report(content, me.units(kinds_asked(me, params)))


def for_a_table(client: Client, params: Params, most: int) -> dict[str, Any]:
    """An answer with a series, unless it was not asked for and cannot be had."""
    chosen = {**params, "granularity": params["granularity"] or fitting(params)}
    try:
        return all_pages(client, USAGE, chosen, "groups", most, Decimal)
    except BadRequest:
        return all_pages(client, USAGE, params, "groups", most, Decimal)


def what_is_asked(
    me: Me, product: Names, kind: Names, measure: Names, group_by: Text
) -> dict[str, str | None]:
    if product and kind:
        raise Misused("--product and --kind exclude each other.", "Give one of them.")
    if not (product or kind):
        return every_product(me, measure, group_by)
    return {
        "product": joined([me.product(each) for each in split(product)]),
        "kind": joined([me.kind(each) for each in split(kind)]),
        "measure": joined(split(measure)),
        "group_by": group_by,
    }


def every_product(me: Me, measure: Names, group_by: Text) -> dict[str, str | None]:
    """How many users each product has."""
    products = [row["id"] for row in me.products]
    if not 0 < len(products) <= MOST_PRODUCTS:
        many = f"There are more than {MOST_PRODUCTS} products." if products else "Of what?"
        raise Misused(many, "Give --product or --kind.")
    return {
        "product": joined(products),
        "measure": joined(split(measure)) or OVERVIEW,
        "group_by": group_by or "product",
    }


def when_is_asked(period: PeriodName | None, start: Text, end: Text) -> dict[str, str | None]:
    if period and (start or end):
        raise Misused("--period and --from or --to exclude each other.", "Give one of them.")
    if bool(start) != bool(end):
        raise Misused("--from and --to go together.", "Give both, or --period.")
    named = None if start else period or PeriodName.LAST_28_DAYS
    return {"period": named, "from": start, "to": end}


def fitting(params: Params) -> str | None:
    """Blocks of a length that a line has room for."""
    period, start, end = (params[name] for name in ("period", "from", "to"))
    if period:
        few = {**dict.fromkeys(HOURS, "hour"), **dict.fromkeys(WEEKS, "week")}
        return {**few, **dict.fromkeys(MONTHS, "month")}.get(PeriodName(period), "day")
    try:
        first, last = (datetime.fromisoformat(str(it)).date() for it in (start, end))
    except ValueError:
        return None
    length = last - first
    return "day" if length <= MOST_DAYS else "week" if length <= MOST_WEEKS else "month"


def kinds_asked(me: Me, params: Mapping[str, str | None]) -> Sequence[str]:
    kinds = split([params.get("kind") or ""])
    return kinds or [*me.kinds_of(split([params.get("product") or ""]))]
