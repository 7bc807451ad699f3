"""`odometer token`: a token with which a page of your own shows usage."""

import re
from typing import Annotated, Any, Final

import typer

from odometer_cli.asking import split
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused
from odometer_cli.me import Me
from odometer_cli.output import err, out, show_json

SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600}
LIFE: Final = re.compile(r"([1-9][0-9]{0,5})([smh]?)")


def token(
    ctx: typer.Context,
    *,
    organization: Annotated[
        bool, typer.Option("--organization", help="Of everything that the organization uses.")
    ] = False,
    team: Annotated[str | None, typer.Option(help="Of a team, by id or name.")] = None,
    user: Annotated[str | None, typer.Option(help="Of a user, by username or id.")] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="Of this product only; may be repeated.")
    ] = None,
    origin: Annotated[
        list[str], typer.Option(help="Of a page that may read, like https://app.example.com.")
    ],
    expires_in: Annotated[
        str, typer.Option(help="When it ends, like 45s, 15m or 24h, which is the longest.")
    ] = "1h",
    as_json: Annotated[bool, typer.Option("--json", help="The token and when it ends.")] = False,
) -> None:
    """Make a token for a page of your own, which shows somebody's usage until it ends."""
    deployment: Deployment = ctx.obj
    me = Me.of(deployment.client) if team or product else Me({})
    asked = {
        "for": subject_of(organization, me.team(team) if team else None, user),
        "products": [me.product(each) for each in split(product)] or None,
        "expires_in": seconds_of(expires_in),
        "origins": split(origin),
    }
    made: dict[str, Any] = deployment.client.post("/v1/embed-tokens", asked)
    if as_json:
        show_json(made)
        return
    out.print(made["token"])
    err.print(f"It ends at {made['expires_at']}, or with the key that made it.")


def subject_of(organization: bool, team: str | None, user: str | None) -> dict[str, Any]:
    named = {"organization": organization, "team": team, "user": user}
    given = {name: value for name, value in named.items() if value}
    if len(given) != 1:
        raise Misused("Whose usage?", "Give one of --organization, --team and --user.")
    return given


def seconds_of(text: str) -> int:
    found = LIFE.fullmatch(text)
    if not found:
        raise Misused(f"{text}: no length of time.", "Like 45s, 15m or 24h.")
    return int(found[1]) * SECONDS[found[2]]
