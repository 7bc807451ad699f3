"""The command `odometer` with everything under it; a command is imported when it is typed."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from odometer import __version__
from odometer.domain.errors import OdometerError
from odometer.domain.stored import UNREADABLE
from odometer_cli.deployment import Deployment, Place
from odometer_cli.failure import INTERRUPTED, Failure, Misused, failure_of, unexpected
from odometer_cli.local_stack import HOME, nearest_home
from odometer_cli.output import show_failure


class Entry(NamedTuple):
    """A command, or a group of commands, and where it is."""

    section: str
    place: str
    help: str


LOOK, SEND, SET_UP, OPERATE = "Look", "Send", "Set up", "Operate"
COMMANDS: Final[Mapping[str, Entry]] = {
    "report": Entry(
        LOOK, "report:report", "Show who used what, how much and when, beside the period before."
    ),
    "seats": Entry(
        LOOK, "seats:seats", "Show who has a seat and does not use it, longest unused first."
    ),
    "trail": Entry(
        LOOK, "trail:trail", "Show who did what, when and with which key, newest first."
    ),
    "doctor": Entry(
        LOOK,
        "doctor:doctor",
        "Say what is wrong with this deployment, or with your way to it, and what to do.",
    ),
    "whoami": Entry(
        LOOK, "whoami:whoami", "Whose key this is, what it is for, and whether it is accepted."
    ),
    "send": Entry(
        SEND,
        "send:send",
        "Send one event that is typed, or all that come from standard input, each of them once.",
    ),
    "import": Entry(
        SEND,
        "event_import:import_file",
        "Send the events of a file; run it again after any failure, nothing counts twice.",
    ),
    "directory": Entry(SEND, "directory:app", "Members of an organization."),
    "config": Entry(SET_UP, "config:app", "Deployments that this command line knows by name."),
    "keys": Entry(SET_UP, "keys:app", "Access keys."),
    "token": Entry(
        SET_UP,
        "token:token",
        "Make a token for a page of your own, which shows somebody's usage until it ends.",
    ),
    "organization": Entry(
        OPERATE, "organization:app", "Organizations and their first keys (operators)."
    ),
    "secret": Entry(
        OPERATE, "secret:app", "The secret that access keys are hashed with (operators)."
    ),
    "backlog": Entry(
        OPERATE,
        "backlog:backlog",
        "Show who has something to do, the longest wait first, or all that waits of one of them.",
    ),
    "verify": Entry(
        OPERATE,
        "maintenance:verify",
        "Add up what was settled, event by event, and report every frame that says otherwise.",
    ),
    "rebuild": Entry(
        OPERATE,
        "maintenance:rebuild",
        "Make frames again from the events, beside the old ones, and then show them.",
    ),
    "cost": Entry(
        OPERATE,
        "cost:cost",
        "Show what a stack has cost, by metrics and list prices, and what a million events cost.",
    ),
    "redrive": Entry(
        OPERATE,
        "maintenance:redrive",
        "Put parked log entries back, fold all that waits, and try again at once what has failed.",
    ),
    "pause": Entry(
        OPERATE,
        "restore:pause_command",
        "Answer 429 to every request and begin no work, until `odometer open`.",
    ),
    "open": Entry(
        OPERATE,
        "restore:open_command",
        "Let requests and work in again, with the settings that there were before the pause.",
    ),
    "restore": Entry(
        OPERATE,
        "restore:restore",
        "Bring usage back to an instant, and fold again what was accepted since; nothing is lost.",
    ),
}
"""What `odometer --help` lists, without an import of any of it; a test compares the sentences."""


def loaded(name: str) -> Any:
    """A command with its options."""
    module, attribute = COMMANDS[name].place.split(":")
    found = getattr(import_module(f"odometer_cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    epilog = getattr(import_module(f"odometer_cli.{module}"), "EPILOG", None)
    alone.command(name, epilog=epilog)(found)
    return get_command(alone)


class Commands(TyperGroup):
    """Whatever goes wrong ends in two sentences and an exit code, never in a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What is known of a command without its import."""
        entry = COMMANDS.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and loaded(str(name)), rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Commands in sections, as they are used."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, it.help) for name, it in COMMANDS.items() if it.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OdometerError as error:
            failure = failure_of(error)
        except Failure as error:
            failure = error
        except BrokenPipeError:  # whoever reads has enough
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except (OSError, ValueError) as error:
            failure = Misused(str(error), "Check the files, addresses and settings that you gave.")
        except UNREADABLE as error:  # an answer has another shape than that of this release
            failure = unexpected(error)
        show_failure(failure)
        raise typer.Exit(failure.exit_code)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help pages: half of the time of a start goes into pretty ones
    pretty_exceptions_enable=False,  # they would show local variables, and keys among them
    epilog="Exit codes: 0 done, 1 refused, 2 misused, 3 unreachable (try again), 130 interrupted.",
)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    deployment: Annotated[
        str | None,
        typer.Option(envvar="ODOMETER_DEPLOYMENT", help="A deployment of the configuration file."),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(envvar="ODOMETER_STACK", help="A deployed stack: its tables and base URL."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            "--base-url",
            envvar=["ODOMETER_URL", "ODOMETER_BASE_URL"],
            help="Where the public API answers.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            "--token",
            envvar=["ODOMETER_KEY", "ODOMETER_TOKEN"],
            help="Your access key; better in the environment or in the configuration file.",
        ),
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
    """Usage is a meter: report it, send it, and look after an Odometer deployment.

    Which deployment and as whom: options come before variables, these before the configuration
    file, and the local stack of the checkout comes last.
    """
    named = Place(deployment, stack, url, home)
    flags = named.only(names_from(ctx, "COMMANDLINE"))
    if local and not flags.home:
        flags = flags._replace(home=home or nearest_home(Path.cwd()) or HOME)
    ctx.obj = Deployment.chosen((flags, named.only(names_from(ctx, "ENVIRONMENT"))), key)


def names_from(ctx: typer.Context, source: str) -> set[str]:
    """The parameters that were given by options, or by variables."""
    found = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, origin in found.items() if origin and origin.name == source}
