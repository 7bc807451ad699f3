"""`odometer organization`: for operators, who reach the tables and not the public API."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer

from odometer.access.keys import AccessKey, act_of_making, issue
from odometer.access.limits import LIMITS
from odometer.access.policy import Scope
from odometer.api.v1.directory import OrganizationRow, UserRow, values_of
from odometer.api.v1.keys import NamedKey
from odometer.directory.columns import DirectoryHead, Row
from odometer.directory.registers import is_admin
from odometer.directory.upsert import NEW_ORGANIZATION, DirectoryEdit, Outcome, Status
from odometer.domain.acts import Act, Action
from odometer.domain.errors import Invalid
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.domain.people import Role, State
from odometer.domain.time import epoch_ms, format_seconds
from odometer.engine.format.lanes import MOST_LANES
from odometer.services.engine import Engine
from odometer.storage.trail import Trail
from odometer.web.models import fill
from odometer_cli.config_file import put_entry, refuse_taken_name, use_entry
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused, Refused
from odometer_cli.organization_lookup import (
    Named,
    describe,
    id_of_organization,
    organizations_named,
    users_in,
)
from odometer_cli.output import (
    count_of,
    err,
    is_interactive,
    out,
    show_json,
    show_rows,
    show_values,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Organizations and their first keys (operators).",
)

AdminUsername = Annotated[str, typer.Option(help="Username of the Admin who gets the key.")]


def valid_key_name(name: str) -> str:
    """A name that `POST /v1/keys` would take as well."""
    return fill(NamedKey, {"name": name}).name


KeyName = Annotated[
    str, typer.Option(help="What the key is called in lists.", callback=valid_key_name)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
MOST_LISTED = 100
LANES = tuple(2**power for power in range(MOST_LANES.bit_length()))
AT_ONCE = 16


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Name of the organization.")],
    admin_username: AdminUsername,
    id: Annotated[UUID | None, typer.Option(help="Its id; a new one if left out.")] = None,  # noqa: A002
    time_zone: Annotated[str, typer.Option(help="IANA zone whose days apps count.")] = "UTC",
    key_name: KeyName = "first key",
    force: Annotated[bool, typer.Option("--force", help="Even if the name is taken.")] = False,
    save: Annotated[
        str | None,
        typer.Option(help="Keep the key under this name, for `odometer config`; do not show it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an organization with the default products, its Admin and the first key, shown once."""
    if save:
        refuse_taken_name(save)
    row = values_of(fill(OrganizationRow, {"name": name, "time_zone": time_zone}))
    admin = admin_row(admin_username)
    organization = str(id or uuid4())
    now = datetime.now(UTC)
    deployment: Deployment = ctx.obj
    if not force:
        refuse_taken(deployment, organization, row["name"])
    trail = deployment.trail(organization)
    act = Act(Action.ORGANIZATION_MADE)
    deployment.directories.create(new_head(organization, row, now), partial(trail.commit, act))
    user_id = deployment.directories.change(
        organization,
        now,
        lambda edit: add_products_and_admin(edit, admin),
        lambda edit, user_id, write: trail.commit(members_made(edit, user_id), write),
    )
    made = key_for(deployment, organization, user_id, key_name, trail)
    owner = {"admin_username": admin_username, "user_id": user_id}
    if save:
        keep_key(deployment, save, made)
        values = {"organization": organization, **owner, "key_id": made.key_id}
        show_json(values) if as_json else show_values(values)
    else:
        show_key(made, owner, as_json)


def keep_key(deployment: Deployment, name: str, key: AccessKey) -> None:
    """Write down where the deployment is and the key, and use both from now on."""
    put_entry(name, replace(deployment.as_entry(), key=str(key)))
    use_entry(name)
    err.print(f"Its key is kept as {name}, which is in use from now on.")


@app.command()
def key(
    ctx: typer.Context,
    organization: Named,
    *,
    admin_username: AdminUsername,
    grant_admin: Annotated[
        bool, typer.Option("--grant-admin", help="Make an Admin of whoever is none; or a new user.")
    ] = False,
    key_name: KeyName = "operator's key",
    as_json: AsJson = False,
) -> None:
    """Make a new key for an Admin of an organization: the way in when every other key is lost."""
    admin, now = admin_row(admin_username), datetime.now(UTC)
    deployment: Deployment = ctx.obj
    name = id_of_organization(deployment.directories, organization)
    trail = deployment.trail(name)
    user_id, changed = deployment.directories.change(
        name,
        now,
        lambda edit: find_or_make_admin(edit, admin, grant=grant_admin),
        lambda edit, answer, write: trail.commit(admin_made(edit, answer[0]), write),
    )
    made = key_for(deployment, name, user_id, key_name, trail)
    owner = {"admin_username": admin_username, "user_id": user_id, "changed": changed}
    show_key(made, owner, as_json)


@app.command()
def lanes(
    ctx: typer.Context,
    organization: Named,
    number: Annotated[int, typer.Argument(help="A power of two up to 16; it only grows.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give an organization that is too busy for one writer more logs, each with its own."""
    if number not in LANES:
        choices = ", ".join(map(str, LANES))
        raise Misused(f"{number} lanes are not possible.", f"Give one of {choices}.")
    deployment: Deployment = ctx.obj
    name = id_of_organization(deployment.directories, organization)
    before = deployment.engine.raise_lanes(name, number, datetime.now(UTC), deployment.trail(name))
    if before > number:
        raise Refused(f"It has {before} lanes, and never fewer.", f"Give more than {before}.")
    if as_json:
        show_json({"organization": name, "lanes": number, "before": before})
    elif before == number:
        out.print(f"It has {count_of(number, 'lane')} already.")
    else:
        out.print(f"It has {count_of(number, 'lane')} now, and had {before}.")
        err.print("Events of the new lanes show some minutes later, once: nothing is lost.")


@app.command()
def limits(
    ctx: typer.Context,
    organization: Named,
    *,
    requests: Annotated[
        int | None, typer.Option(min=0, help="Reports a second, and requests with events.")
    ] = None,
    read_units: Annotated[int | None, typer.Option(min=0, help="Read units a second.")] = None,
    events: Annotated[int | None, typer.Option(min=0, help="Events a second.")] = None,
    key_percent: Annotated[
        int | None, typer.Option(min=1, max=100, help="How much of it one key may use.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Take those of the deployment.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show or set how much an organization may ask for in a second; 0 is no limit."""
    given = (requests, read_units, events, key_percent)
    sent = {name: each for name, each in zip(LIMITS, given, strict=True) if each is not None}
    if reset and sent:
        raise Misused("--reset takes no other limits.", "Give either.")
    deployment: Deployment = ctx.obj
    name = id_of_organization(deployment.directories, organization)
    trail = deployment.trail(name)
    own = deployment.directories.change(
        name,
        datetime.now(UTC),
        lambda edit: edit.set_limits({} if reset else {**edit.limits, **sent}),
        lambda _, own, write: trail.commit(Act(Action.LIMITS_CHANGED, details=own), write),
    )
    if as_json:
        show_json({"organization": name, "limits": {each: own.get(each) for each in LIMITS}})
    else:
        show_values({each: own.get(each, "as the deployment says") for each in LIMITS})


@app.command("list")
def list_organizations(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="As many at most.")] = 50,
    after: Annotated[
        UUID | None, typer.Option(help="Go on after this id, the last of the page before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Organizations by id, with their name, how many users they have and their latest event."""
    deployment: Deployment = ctx.obj
    following = deployment.directories.organizations(str(after or ""))
    ids = list(islice(following, limit + 1))
    rows = rows_of(deployment, ids[:limit])
    last = ids[limit - 1] if len(ids) > limit else None
    if as_json:
        show_json({"organizations": rows, "next": last})
        return
    show_rows(("id", "name", "users", "last_event_at"), rows)
    if last:
        err.print(f"There are more: odometer organization list --after {last}")


def rows_of(deployment: Deployment, organizations: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each organization; the latest events are looked up side by side."""
    engine = deployment.engine
    with ThreadPoolExecutor(AT_ONCE) as pool:
        heads = deployment.directories.heads(organizations)
        return list(pool.map(lambda head: row_of(head, engine), heads))


def row_of(head: DirectoryHead, engine: Engine) -> dict[str, Any]:
    """What is listed of an organization."""
    organization = head.organization["id"]
    last = engine.last_event(organization, datetime.now(UTC))
    return {
        "id": organization,
        "name": head.organization["name"],
        "users": users_in(head),
        "last_event_at": format_seconds(last) if last else None,
    }


def refuse_taken(deployment: Deployment, organization: str, name: str) -> None:
    """Ask before a second organization gets a name; refuse where nobody can be asked."""
    others = [
        head
        for head in organizations_named(deployment.directories, name)
        if head.organization["id"] != organization
    ]
    if not others:
        return
    message = f"There is an organization called {name} already:\n{describe(others)}"
    if not is_interactive():
        remedy = "Give --force to make another one, or use that: odometer organization key"
        raise Refused(message, remedy)
    err.print(message)
    typer.confirm("Make another one?", abort=True, err=True)


def new_head(organization: str, row: Row, now: datetime) -> DirectoryHead:
    """An organization without users."""
    created = {"id": organization, "created_at": epoch_ms(now)}
    return DirectoryHead(version=1, organization={**NEW_ORGANIZATION, **row, **created})


def admin_row(username: str) -> Row:
    """The row of an Admin, whose username works with Basic authentication."""
    if ":" in username:
        raise Invalid.parameter("username", "a colon would end it in a Basic header", username)
    return values_of(fill(UserRow, {"username": username, "role": Role.ADMIN}))


def add_products_and_admin(edit: DirectoryEdit, admin: Row) -> str:
    """Put the default products and the Admin into a new organization; answer the Admin's id."""
    for product, kind in DEFAULT_PRODUCTS.items():
        edit.apply("product", {"id": product, "name": product, "kind": kind.name})
    return id_of_outcome(edit.apply("user", admin))


def find_or_make_admin(edit: DirectoryEdit, admin: Row, *, grant: bool) -> tuple[str, list[str]]:
    """The id of an Admin and what was changed to make them one, if that is granted."""
    username = admin["username"]
    number = edit.user_with("username", username)
    before = None if number is None else edit.users.row(number)
    if before and is_admin(before):
        return before["id"], []
    if not grant:
        name = edit.organization["name"]
        fault = (
            f"{username} is {role_in_words(before)} of {name}."
            if before
            else (f"Nobody in {name} has the username {username}.")
        )
        raise Refused(fault, "Name an Admin, or make one of this user: --grant-admin")
    state = {"state": State.REGISTERED} if before and before["state"] == State.DEACTIVATED else {}
    user_id = id_of_outcome(edit.apply("user", {**admin, **state}))
    return user_id, changes(before, {**admin, **state})


def role_in_words(user: Row) -> str:
    """The role and state of a user, in words."""
    prefix = "a deactivated" if user["state"] == State.DEACTIVATED else "a"
    return f"{prefix} {user['role']}"


def changes(before: Row | None, after: Row) -> list[str]:
    """The changes of a user, in words."""
    if before is None:
        return ["user created as Admin"]
    names = [name for name in ("role", "state") if after.get(name, before[name]) != before[name]]
    return [f"{name}: {before[name]} -> {after[name]}" for name in names]


def id_of_outcome(outcome: Outcome) -> str:
    """The id of a row; a failure if it was rejected."""
    if outcome.status is Status.REJECTED or outcome.id is None:
        raise Refused(str(outcome.message), "Give another --admin-username.")
    return outcome.id


def members_made(edit: DirectoryEdit, user_id: str) -> Act:
    """What a new organization begins with, as its trail tells it."""
    created = {"product": len(DEFAULT_PRODUCTS), "user": 1}
    return act_on_user(edit, user_id, created=created)


def admin_made(edit: DirectoryEdit, user_id: str) -> Act:
    return act_on_user(edit, user_id, updated={"user": 1}, fields=["role", "state"])


def act_on_user(edit: DirectoryEdit, user_id: str, **details: Any) -> Act:
    number = edit.user_with("id", user_id)
    users = [] if number is None else [number]
    return Act(Action.DIRECTORY_CHANGED, users=users, details=details)


def key_for(
    deployment: Deployment, organization: str, user_id: str, key_name: str, trail: Trail
) -> AccessKey:
    """A new key with every scope, so that its owner's role alone decides."""
    owner = deployment.directories.open(organization).user_by_id(user_id)
    assert owner is not None  # noqa: S101  it was found just now
    key, credential = issue(
        organization, key_name, owner.ordinal, frozenset(Scope), deployment.secret, trail.actor.at
    )
    commit = partial(trail.commit, act_of_making(credential))
    deployment.directories.add_credential(credential, commit)
    return key


def show_key(key: AccessKey, owner: Row, as_json: bool) -> None:
    """Show a new key: it is not shown again."""
    values: dict[str, Any] = {
        "organization": key.organization,
        **owner,
        "key_id": key.key_id,
        "access_key": str(key),
    }
    if as_json:
        show_json(values)
        return
    show_values(values)
    err.print("Keep the access key: it is not stored and will not be shown again.", style="yellow")
