"""`odometer doctor`: what is wrong with a deployment, or with the way to it, and what to do."""

from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from odometer.domain.errors import OdometerError
from odometer_cli import api_checks, table_checks
from odometer_cli.checks import FAIL, OK, SKIPPED, STYLES, Check
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Failure, failure_of
from odometer_cli.output import out, printable, show_json

WIDTH = 13


def doctor(
    ctx: typer.Context,
    *,
    silent_hours: Annotated[
        int,
        typer.Option(
            min=1, max=8_784, help="Warn of a source that sent nothing for so many hours."
        ),
    ] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="Every check, in JSON.")] = False,
) -> None:
    """Say what is wrong with this deployment, or with your way to it, and what to do.

    The exit code is that of the first check that fails: 1, 2 or 3; 0 if none does.
    """
    deployment: Deployment = ctx.obj
    found = list(checks_of(deployment, silent_hours))
    if as_json:
        show_json([check.as_row() for check in found])
    else:
        for check in found:
            show(check)
    failed = [check.exit_code for check in found if check.status == FAIL]
    raise typer.Exit(failed[0] if failed else 0)


def checks_of(deployment: Deployment, silent_hours: int) -> Iterator[Check]:
    """Whatever can be found out; what is out of reach is a check that failed, and no end."""
    found = list(guarded(lambda: api_checks.checks_of(deployment, silent_hours), "deployment"))
    yield from found
    if table_checks.are_reachable(deployment):
        yield from guarded(lambda: table_checks.checks_of(deployment), "tables")
    elif all(check.name != "deployment" for check in found):
        yield Check("tables", SKIPPED, "for operators", "Give --stack, or --local.")


def guarded(checks: Callable[[], Iterator[Check]], name: str) -> Iterator[Check]:
    try:
        yield from checks()
    except Failure as failure:
        yield Check.of_failure(name, failure)
    except OdometerError as error:
        yield Check.of_failure(name, failure_of(error))


def show(check: Check) -> None:
    out.print(f"{check.status:<7}", style=STYLES[check.status], end="")
    out.print(f" {check.name:<{WIDTH}} {printable(check.what)}")
    if check.next and check.status != OK:
        out.print(f"{'':<{WIDTH + 8}}{printable(check.next)}", style="dim")
