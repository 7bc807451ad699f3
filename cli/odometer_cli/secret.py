"""`odometer secret`: for operators, who reach the tables and the deployment's secret."""

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from odometer.access.secret import Secret
from odometer.domain.acts import Act, Action
from odometer.services.secret_versions import Standing, hash_all_again, standing
from odometer.storage.secret import write_secret
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Refused
from odometer_cli.output import count_of, err, out, show_json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The secret that access keys are hashed with (operators).",
)

PAUSE_SECONDS = 10.0
"""A version that was just stored may not be read everywhere at once."""

AtOnce = Annotated[
    bool, typer.Option("--at-once", help="End embed tokens and cursors of before now; no key ends.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def status(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show how many versions there are, and how many keys still need an older one."""
    deployment: Deployment = ctx.obj
    secret, found = deployment.secret, standing_of(deployment)
    if as_json:
        until = found.signed_before_until
        ends = {"signed_before_until": until.isoformat() if until else None}
        show_json({"newest": secret.newest, "keys": found.keys, "behind": found.behind, **ends})
        return
    out.print(f"The newest version is {secret.newest}.")
    for version, count in found.keys.items():
        out.print(f"Hashed with version {version}: {count_of(count, 'key')}.")
    if found.behind:
        out.print("Some are hashed with an older version yet. Go on: odometer secret finish")
    if found.signed_before_until:
        out.print(f"Tokens and cursors of before end by {found.signed_before_until:%F %R} UTC.")


@app.command()
def rotate(ctx: typer.Context, *, at_once: AtOnce = False) -> None:
    """Make a new version, and hash every key again with it; no key ends, and none is needed."""
    deployment: Deployment = ctx.obj
    refuse_two_at_once(standing_of(deployment), at_once=at_once)
    secret = deployment.secret.with_version(secrets.token_hex(32))
    details = {"version": secret.newest}
    deployment.trail().commit(Act(Action.SECRET_ROTATING, details=details))
    write_secret(deployment.settings.secret_id, secret)
    err.print(f"Version {secret.newest} is stored.", style="dim")
    time.sleep(PAUSE_SECONDS)
    hash_keys(deployment, secret, at_once=at_once)


@app.command()
def finish(ctx: typer.Context, *, at_once: AtOnce = False) -> None:
    """Go on with a rotation that was interrupted; where nothing is left, nothing is done."""
    deployment: Deployment = ctx.obj
    hash_keys(deployment, deployment.secret, at_once=at_once)


def standing_of(deployment: Deployment) -> Standing:
    return standing(deployment.directories, deployment.secret, datetime.now(UTC))


def refuse_two_at_once(found: Standing, *, at_once: bool) -> None:
    """A rotation is over when all keys are hashed again and what was signed before has ended."""
    if found.behind:
        begun = f"{count_of(found.behind, 'key')} of the rotation before are not hashed again."
        raise Refused(begun, "Finish it first: odometer secret finish")
    if found.signed_before_until and not at_once:
        signed = f"Tokens of the rotation before are good until {found.signed_before_until:%F %R}."
        raise Refused(signed, "Wait until then, or end them now with --at-once.")


def hash_keys(deployment: Deployment, secret: Secret, *, at_once: bool) -> None:
    directories, done = deployment.directories, 0
    for _ in hash_all_again(directories, secret, lambda: datetime.now(UTC), at_once=at_once):
        done += 1
        if done % 1000 == 0:
            err.print(f"{done} keys are hashed again …", style="dim")
    tell_of_rotation(deployment, secret, at_once=at_once)
    out.print(f"Hashed again with version {secret.newest}: {count_of(done, 'key')}.")


def tell_of_rotation(deployment: Deployment, secret: Secret, *, at_once: bool) -> None:
    """Let the trail tell once that a version is in use; the first one is of no rotation."""
    if secret.newest > 1:
        trail, details = deployment.trail(), {"version": secret.newest, "at_once": at_once}
        name = f"secret#{secret.newest}#{at_once}"
        trail.commit_once(Act(Action.SECRET_ROTATED, details=details), name, trail.actor.kept_until)
