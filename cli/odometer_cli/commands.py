"""The command `odometer` with everything under it."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from typer.core import TyperGroup

from odometer.domain.errors import OdometerError
from odometer_cli import backlog, directory, event_import, keys, maintenance, organization
from odometer_cli.client import Client, checked, content_of
from odometer_cli.deployment import Deployment
from odometer_cli.event_files import CSV_COLUMNS
from odometer_cli.failure import Failure, Misused, failure_of
from odometer_cli.local_stack import HOME, nearest_home
from odometer_cli.output import show_failure, show_json, show_values


class Commands(TyperGroup):
    """Whatever goes wrong ends in two sentences and an exit code, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OdometerError as error:
            failure = failure_of(error)
        except Failure as error:
            failure = error
        except BrokenPipeError:  # whoever reads has enough
            raise
        except (OSError, ValueError) as error:
            failure = Misused(str(error), "Check the files, addresses and settings that you gave.")
        show_failure(failure)
        raise typer.Exit(failure.exit_code)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show local variables, and keys among them
    epilog="Exit codes: 0 done, 1 refused, 2 misused, 3 unreachable (try again).",
)
app.add_typer(organization.app, name="organization")
app.add_typer(directory.app, name="directory")
app.add_typer(keys.app, name="keys")
app.command("import", epilog=CSV_COLUMNS)(event_import.import_file)
for operation in (backlog.backlog, maintenance.verify, maintenance.rebuild, maintenance.redrive):
    app.command()(operation)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("odometer"))
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    stack: Annotated[
        str | None,
        typer.Option(envvar="ODOMETER_STACK", help="A deployed stack: its tables and base URL."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(envvar="ODOMETER_BASE_URL", help="Where the public API answers.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="ODOMETER_TOKEN", help="Your access key; better in the environment."),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(envvar="ODOMETER_HOME", help="The home of a local stack; .local by itself."),
    ] = None,
    *,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="The stack that `make up` starts; by itself inside the checkout when it runs "
            "and nothing else is named.",
        ),
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Usage is a meter: organizations, directories and keys of an Odometer deployment."""
    if local and not home:
        home = nearest_home(Path.cwd()) or HOME
    ctx.obj = Deployment(stack, base_url, token, home)


@app.command()
def whoami(ctx: typer.Context, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Whose key ODOMETER_TOKEN is, what it is for, and whether it is accepted."""
    deployment: Deployment = ctx.obj
    key = deployment.key
    known = {"organization": key.organization, "key_id": key.key_id}
    values = known | key_row(deployment.client, key.key_id)
    show_json(values) if as_json else show_values(values)


def key_row(client: Client, key_id: str) -> dict[str, Any]:
    """The key's row in the list of keys, if its scopes let it read that list."""
    response = client.send("GET", "/v1/keys")
    if response.status_code == httpx.codes.FORBIDDEN:
        return {"scopes": "(hidden: keys:write is not among them)"}
    rows = content_of(checked(response))["keys"]
    return next((dict(row) for row in rows if row["key_id"] == key_id), {})
