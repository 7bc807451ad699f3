"""`odometer keys`: make, list, revoke and rotate access keys through the public API."""

import json
from typing import Annotated, Any

import typer

from odometer.access.policy import Scope
from odometer.api.v1.keys import DAY_SECONDS, LONGEST_GRACE_SECONDS
from odometer_cli.client import pages, segment
from odometer_cli.deployment import Deployment
from odometer_cli.output import err, out, show_json, show_rows, show_values

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Access keys.")

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
KeyId = Annotated[str, typer.Argument(help="Id of the key, as `odometer keys list` shows it.")]
COLUMNS = ("key_id", "name", "user", "scopes", "expires_at", "revoked_at", "last_used_at")


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="What the key is called in lists.")],
    user: Annotated[str, typer.Option(help="Who will own it: id, username or user_key.")],
    scope: Annotated[list[Scope], typer.Option(help="What it is for; may be repeated.")],
    expires_at: Annotated[
        str | None, typer.Option(help="When it ends, like 2026-12-31T00:00:00Z; never if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once."""
    wanted = {"name": name, "user": user, "scopes": [str(each) for each in scope]}
    until = {"expires_at": expires_at} if expires_at else {}
    deployment: Deployment = ctx.obj
    show_secret(deployment.client.post("/v1/keys", wanted | until), as_json)


@app.command("list")
def list_keys(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """The keys that you may manage, without their secrets."""
    deployment: Deployment = ctx.obj
    found = pages(deployment.client, "/v1/keys")
    keys = [row for page in found for row in json.loads(page)["keys"]]
    show_json({"keys": keys}) if as_json else show_rows(COLUMNS, keys)


@app.command()
def revoke(ctx: typer.Context, key_id: KeyId) -> None:
    """End a key now, for good."""
    deployment: Deployment = ctx.obj
    deployment.client.call("DELETE", f"/v1/keys/{segment(key_id)}")
    out.print(f"{key_id} is revoked.")


@app.command()
def rotate(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    grace_seconds: Annotated[
        int,
        typer.Option(min=0, max=LONGEST_GRACE_SECONDS, help="How long the former secret works on."),
    ] = DAY_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret and show it, this once."""
    deployment: Deployment = ctx.obj
    path = f"/v1/keys/{segment(key_id)}/rotate"
    show_secret(deployment.client.post(path, {"grace_seconds": grace_seconds}), as_json)


def show_secret(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(made)
        return
    show_values(made)
    err.print("Keep the access key: it is not stored and will not be shown again.", style="yellow")
