"""`odometer whoami`: whose key is used."""

from typing import Annotated, Any

import typer

from odometer_cli.client import Client, checked, content_of
from odometer_cli.deployment import Deployment
from odometer_cli.output import show_json, show_values

FORBIDDEN = 403


def whoami(ctx: typer.Context, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Whose key this is, what it is for, and whether it is accepted."""
    deployment: Deployment = ctx.obj
    key = deployment.key
    known = {"organization": key.organization, "key_id": key.key_id}
    values = known | key_row(deployment.client, key.key_id)
    show_json(values) if as_json else show_values(values)


def key_row(client: Client, key_id: str) -> dict[str, Any]:
    """The key's row in the list of keys, if its scopes let it read that list."""
    response = client.send("GET", f"/v1/keys?cursor={key_id}&limit=1")
    if response.status_code == FORBIDDEN:
        return {"scopes": "(hidden: keys:write is not among them)"}
    rows = content_of(checked(response))["keys"]
    return next((dict(row) for row in rows if row["key_id"] == key_id), {})
