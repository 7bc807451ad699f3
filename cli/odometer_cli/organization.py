"""`odometer organization`: for operators, who reach the tables and not the public API."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer

from odometer.access.keyring import issue
from odometer.access.keys import AccessKey
from odometer.access.policy import Scope
from odometer.api.directory import OrganizationRow, UserRow, values_of
from odometer.api.keys import NamedKey
from odometer.api.models import fill
from odometer.directory.columns import Head
from odometer.directory.upsert import NEW_ORGANIZATION, Draft, Outcome, Row, Status
from odometer.domain.errors import Conflict, Invalid
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role
from odometer.domain.time import epoch_ms
from odometer_cli.deployment import Deployment
from odometer_cli.terminal import err, show_json, show_values

app = typer.Typer(no_args_is_help=True, help="Organizations and their first keys (operators).")

AdminUsername = Annotated[str, typer.Option(help="Username of the Admin who gets the key.")]


def name_of_key(name: str) -> str:
    """A name that `POST /v1/keys` would take as well."""
    return fill(NamedKey, {"name": name}).name


KeyName = Annotated[
    str, typer.Option(help="What the key is called in lists.", callback=name_of_key)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Name of the organization.")],
    admin_username: AdminUsername,
    id: Annotated[UUID | None, typer.Option(help="Its id; a new one if left out.")] = None,  # noqa: A002
    time_zone: Annotated[str, typer.Option(help="IANA zone whose days apps count.")] = "UTC",
    key_name: KeyName = "first key",
    as_json: AsJson = False,
) -> None:
    """Make an organization with the default products, its Admin and the first key, shown once."""
    row = values_of(fill(OrganizationRow, {"name": name, "time_zone": time_zone}))
    admin = admin_row(admin_username)
    organization = str(id or uuid4())
    now = datetime.now(UTC)
    deployment: Deployment = ctx.obj
    deployment.tenancy.create(new_head(organization, row, now))
    show_key(admit(deployment, organization, admin, key_name, now), admin_username, as_json)


@app.command()
def key(
    ctx: typer.Context,
    organization: Annotated[UUID, typer.Argument(help="Id of the organization.")],
    *,
    admin_username: AdminUsername,
    key_name: KeyName = "operator's key",
    as_json: AsJson = False,
) -> None:
    """Make a new key for an Admin of an organization: the way in when every other key is lost."""
    admin, now = admin_row(admin_username), datetime.now(UTC)
    show_key(admit(ctx.obj, str(organization), admin, key_name, now), admin_username, as_json)


def new_head(organization: str, row: Row, now: datetime) -> Head:
    """An organization with nobody in it."""
    created = {"id": organization, "created_at": epoch_ms(now)}
    return Head(version=1, organization={**NEW_ORGANIZATION, **row, **created})


def admin_row(username: str) -> Row:
    """Someone who may do everything in their organization, and can say who they are with Basic."""
    if ":" in username:
        raise Invalid.parameter("username", "a colon would end it in a Basic header", username)
    return values_of(fill(UserRow, {"username": username, "role": Role.ADMIN}))


def admit(
    deployment: Deployment, organization: str, admin: Row, key_name: str, now: datetime
) -> AccessKey:
    """Give an Admin a key that may do whatever they may; make the Admin if there is none."""
    tenancy = deployment.tenancy
    user_id = tenancy.change(organization, now, lambda draft: with_admin(draft, admin))
    owner = tenancy.open(organization).user_by_id(user_id)
    assert owner is not None  # noqa: S101  it was put just now
    key, credential = issue(
        organization, key_name, owner.ordinal, frozenset(Scope), deployment.pepper, now
    )
    tenancy.add_credential(credential)
    return key


def with_admin(draft: Draft, admin: Row) -> str:
    """Put the default products and the Admin, and answer the Admin's id."""
    for product, kind in DEFAULT_PRODUCTS.items():
        draft.apply("product", {"id": product, "name": product, "kind": kind.name})
    return accepted(draft.apply("user", admin))


def accepted(outcome: Outcome) -> str:
    """The id of a row that was taken."""
    if outcome.status is Status.REJECTED or outcome.id is None:
        raise Conflict(outcome.message)
    return outcome.id


def show_key(key: AccessKey, username: str, as_json: bool) -> None:
    """Show the key to its owner, this once."""
    values: dict[str, Any] = {
        "organization": key.organization,
        "admin_username": username,
        "key_id": key.key_id,
        "access_key": str(key),
    }
    if as_json:
        show_json(values)
        return
    show_values(values)
    err.print("Keep the access key: it is not stored and will not be shown again.", style="yellow")
