"""`odometer trail`: who did what in an organization, or to the whole deployment."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from odometer.api.v1.trail import LARGEST_PAGE, Whose
from odometer.domain.acts import Action
from odometer_cli.deployment import Deployment
from odometer_cli.output import err, show_json, show_rows

COLUMNS: Final = ("number", "at", "action", "by", "key_id", "user", "details")


def trail(
    ctx: typer.Context,
    *,
    of: Annotated[
        Whose, typer.Option(help="The organization, or what operators did to all of them.")
    ] = Whose.ORGANIZATION,
    action: Annotated[Action | None, typer.Option(help="Only what was done so.")] = None,
    key_id: Annotated[str | None, typer.Option(help="Only by or to a key.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only by keys of a user, by id.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this instant on.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this instant.")] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="What came after this entry, oldest first.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LARGEST_PAGE, help="As many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="The API's answer.")] = False,
) -> None:
    """Show who did what, when and with which key, newest first."""
    deployment: Deployment = ctx.obj
    asked: dict[str, Any] = {
        "of": of,
        "action": action,
        "key": key_id,
        "actor": actor,
        "from": since,
        "to": until,
    }
    asked |= {"limit": limit} | ({} if after is None else {"order": "asc", "cursor": after or None})
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    content = deployment.client.get(f"/v1/audit?{query}")
    if as_json:
        show_json(content)
        return
    show_rows(COLUMNS, map(row_of, content["data"]))
    if content["next_cursor"]:
        err.print("There are more entries: --limit, --since and --until choose others.")


def row_of(entry: dict[str, Any]) -> dict[str, Any]:
    actor = entry["actor"]
    by = "operator" if actor["kind"] == "operator" else f"{actor['user'] or 'erased'}"
    details = [f"{name}={value}" for name, value in entry["details"].items()]
    return {**entry, "by": by, "details": details}
