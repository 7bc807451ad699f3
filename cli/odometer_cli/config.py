"""`odometer config`: the deployments that this command line knows by name."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from odometer_cli import config_file
from odometer_cli.config_file import ConfigFile, Entry
from odometer_cli.deployment import checked_key, is_url
from odometer_cli.failure import Misused
from odometer_cli.output import err, is_interactive, out, show_json, show_rows

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Deployments that this command line knows by name.",
)


def known_names(incomplete: str) -> list[str]:
    """For the completion of a name; a file that cannot be read completes nothing."""
    try:
        return [name for name in ConfigFile.read().entries if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001  nobody reads a failure in the middle of a line
        return []


Name = Annotated[str, typer.Argument(help="What it is called here.", autocompletion=known_names)]


@app.command("list")
def list_deployments(
    *, as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False
) -> None:
    """The deployments of the configuration file; keys are never shown."""
    config = ConfigFile.read()
    rows: list[dict[str, Any]] = [
        {"name": name, "where": it.where, "key": it.how_key, "in_use": name == config.use}
        for name, it in config.entries.items()
    ]
    if as_json:
        show_json({"file": str(config_file.path()), "deployments": rows})
    elif rows:
        show_rows(
            ("", "name", "where", "key"), [{"": "*" if it["in_use"] else "", **it} for it in rows]
        )
    else:
        out.print(f"{config_file.path()} has no deployments yet: odometer config add")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is to be called here.")],
    *,
    url: Annotated[str | None, typer.Option(help="Where its public API answers.")] = None,
    stack: Annotated[str | None, typer.Option(help="Its stack, for operators.")] = None,
    home: Annotated[Path | None, typer.Option(help="The home of a local stack.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Where the key is, - for stdin; asked for if left out.")
    ] = None,
    key_command: Annotated[
        str | None, typer.Option(help="What prints the key whenever it is needed.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Even if the name is taken.")] = False,
) -> None:
    """Give a deployment a name here, and keep its key in a file that only you may read."""
    config_file.checked_name(name)
    if not (url or stack or home):
        raise Misused("Nothing says where it is.", "Give --url, --stack or --home.")
    if home and (url or stack):
        raise Misused("A local stack has no --url and no --stack.", "Give --home alone.")
    if url and not is_url(url):
        raise Misused(f"{url}: no URL.", "Give one that begins with https://.")
    key = None if key_command else given_key(key_file)
    entry = Entry(url, stack, str(home.resolve()) if home else None, key, key_command)
    in_use = config_file.put_entry(name, entry, replace=replace)
    hint = "It is in use." if in_use else f"To use it: odometer config use {name}"
    out.print(f"{name} is in {config_file.path()}. {hint}")


def given_key(file: Path | None) -> str | None:
    """The key from a file, or from whoever sits here; nobody may have one yet."""
    if file is None:
        if not is_interactive():
            err.print("It has no key: give one by --key-file, --key-command or ODOMETER_KEY.")
            return None
        text = typer.prompt("Access key", default="", hide_input=True, show_default=False, err=True)
    else:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    return str(checked_key(text.strip())) if text.strip() else None


@app.command()
def use(name: Name) -> None:
    """Use a deployment wherever no option and no variable names another one."""
    config_file.use_entry(name)
    out.print(f"{name} is in use.")


@app.command()
def remove(name: Name) -> None:
    """Forget a deployment and its key here; the key itself lives on."""
    config_file.remove_entry(name)
    out.print(f"{name} is removed. Its key is not revoked: odometer keys revoke")
