"""`odometer cost`: what a deployment has cost, from its metrics and list prices."""

import csv
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from odometer_cli.asking import check_form
from odometer_cli.bill import Bill, Share, as_document, metrics_of, row_of
from odometer_cli.cloudwatch import count_ours, metrics_of_alarms, sums
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.output import count_of, err, out, show_columns, show_json
from odometer_cli.prices import LOOKED_UP, REGION
from odometer_cli.stack_parts import parts_of

LONGEST_DAYS: Final = 90
LEAST: Final = 0.0001
HOUR: Final = timedelta(hours=1)
WHICH: Final = "Give --stack (or ODOMETER_STACK), or --local for the stack that `make up` starts."

AsCsv = Annotated[bool, typer.Option("--csv", help="Every line of the bill as CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="The bill as a JSON document.")]


def cost(
    ctx: typer.Context,
    *,
    days: Annotated[
        int, typer.Option(min=1, max=LONGEST_DAYS, help="How many days, up to this hour.")
    ] = 7,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show what a stack has cost, by metrics and list prices, and what a million events cost."""
    check_form(as_csv=as_csv, as_json=as_json, limit=None)
    bill = bill_of(name_of(ctx.obj), days)
    if as_json:
        show_json(as_document(bill))
    elif as_csv:
        write_csv(bill)
    else:
        show(bill)


def name_of(deployment: Deployment) -> str:
    """The stack whose bill is wanted."""
    name = deployment.stack or deployment.outputs.get("StackName")
    if not name:
        raise Misused("Which stack? Only a stack has a bill.", WHICH)
    return name


def bill_of(stack: str, days: int) -> Bill:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    parts = parts_of(stack)
    found = sums(metrics_of(stack, parts), end - timedelta(days), end)
    return Bill(stack, parts, days, found, count_ours(stack), metrics_of_alarms(parts.alarms))


def write_csv(bill: Bill) -> None:
    rows = [row_of(line, bill) for line in bill.lines]
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else ["service"])
    writer.writeheader()
    writer.writerows(rows)


def show(bill: Bill) -> None:
    days = count_of(bill.days, "day")
    out.print(f"{bill.stack}, {days}: ${bill.dollars:,.2f}", style="bold")
    out.print(f"A month of such days: ${bill.month:,.2f}")
    show_lines(bill)
    show_shares(bill.shares)
    err.print(f"List prices of {REGION}, looked up on {LOOKED_UP}. Not in it:")
    for each in bill.not_seen:
        err.print(f"* {each}")
    if bill.is_silent:
        err.print("CloudWatch has no metrics of this stack; an emulator writes few of them.")


def show_lines(bill: Bill) -> None:
    """Lines of a hundredth of a cent and more, the dearest first; JSON and CSV have all."""
    seen = [line for line in bill.lines if line.dollars >= LEAST]
    rows = [row_of(line, bill) for line in sorted(seen, key=lambda it: -it.dollars)]
    columns = [[f"{row[name]}" for row in rows] for name in ("service", "what", "about")]
    counts = [f"{row['count']:,.0f}" for row in rows]
    paid = [[f"{row[name]:,.4f}" for row in rows] for name in ("dollars", "dollars_a_month")]
    words = zip(("service", "what", "of"), columns, (False,) * 3, strict=True)
    figures = [("count", counts, True), ("$", paid[0], True), ("$ a month", paid[1], True)]
    show_columns([*words, *figures])


def show_shares(shares: list[Share]) -> None:
    """What each family took for as many as a person can picture."""
    show_columns(
        [
            ("for", [it.family for it in shares], False),
            ("done", [f"{it.done:,.0f}" for it in shares], True),
            ("$", [f"{it.dollars:,.4f}" for it in shares], True),
            ("each", [f"{it.per:,}" for it in shares], True),
            ("$ for that", ["" if it.rate is None else f"{it.rate:,.4f}" for it in shares], True),
        ]
    )
