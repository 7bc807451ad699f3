"""Load the demo into a running deployment, through its own command line and public endpoints.

    python -m local.demo --home .local

The address of the deployment comes from the environment, as `local.stack.Stack` gives it. What
the demo is made of stands in `<home>/demo.env` afterwards; a second run finds it there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.demo_organization import APPS, DAYS_OF_A_REPORT, DAYS_OF_USAGE, DemoOrganization
from local.demo_usage import demo_events, event_batches
from odometer.access.policy import Scope
from odometer_cli.client import Client, pages
from odometer_cli.directory import EXPORT
from odometer_cli.directory_rows import Row, put_rows
from odometer_cli.failure import Failure, Misused, Refused, Unreachable
from odometer_cli.output import out, progress_bar, show_failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PATIENCE_SECONDS = 180
EXPIRES_AFTER = timedelta(seconds=3)
ASKED_EVERY_SECONDS = 1.0
FIRST_QUESTIONS = ("/v1/me", "/v1/seats?limit=1")
PAGE_FILE = re.compile(r'(?:href|src)="(page/[^"]+)"')
HEADING = "# Made by local/demo.py, edition 4. For this machine only.\n"
"""The edition changes with what is loaded, so that an older demo is completed."""
FIRST_ORGANIZATION = (
    *("BASE_URL", "ORG_ID", "ADMIN_USERNAME", "ADMIN_ACCESS_KEY", "ADMIN_TOKEN"),
    *("MANAGER_TOKEN", "TEAMLEAD_TOKEN", "MEMBER_TOKEN", "EXPIRED_TOKEN", "REVOKED_TOKEN"),
    *("INGEST_TOKEN", "TEAM_ID", "USER_ID", "DEPARTMENT_ID", "APP_ID", "DEMO_FROM", "DEMO_TO"),
)
SECOND_ORGANIZATION = (
    *("OTHER_ORG_ID", "OTHER_ADMIN_USERNAME", "OTHER_ADMIN_ACCESS_KEY", "OTHER_ADMIN_TOKEN"),
    *("OTHER_TEAM_ID", "OTHER_USER_ID", "OTHER_APP_ID"),
)
NAMES = FIRST_ORGANIZATION + SECOND_ORGANIZATION


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".local"))
    record: Path = parser.parse_args().home / "demo.env"
    base_url = os.environ["BASE_URL"]
    try:
        names = read_names(record) | {"BASE_URL": base_url}
        if not (is_current_edition(record) and is_loaded(names)):
            began = time.monotonic()
            names = load(base_url)
            out.print(f"Loading the demo: {time.monotonic() - began:.1f} s")
        write_names(record, names)
    except Failure as failure:
        show_failure(failure)
        return failure.exit_code
    with suppress(Failure):  # of a machine that is too busy: whoever looks waits instead
        start_page(Client(base_url, names["ADMIN_TOKEN"]), names["APP_ID"])
    show(names, record)
    return 0


def is_current_edition(record: Path) -> bool:
    return record.exists() and record.read_text().startswith(HEADING)


def is_loaded(names: Mapping[str, str]) -> bool:
    """Whether every name is recorded and the Admin's key is accepted."""
    if not set(NAMES) <= set(names):
        return False
    try:
        wait_for_answer(Client(names["BASE_URL"], names["ADMIN_TOKEN"]))
    except Refused:
        return False
    return True


def wait_for_answer(client: Client) -> None:
    """Ask until there is an answer: after a restart, all functions start at once."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client.call("GET", "/api/v1/organization")
        except Unreachable:
            if time.monotonic() > give_up:
                raise
            time.sleep(1)
        else:
            return


def start_page(client: Client, product: str) -> None:
    """Ask for what the page begins with, so that whoever looks at it waits for no function."""
    began = time.monotonic()
    document = client.call("GET", "/").text
    files = [f"/{file}" for file in PAGE_FILE.findall(document)]
    questions = [*FIRST_QUESTIONS, f"/v1/usage?product={product}&period=28d&group_by=team"]
    with ThreadPoolExecutor(len(questions)) as threads:
        list(threads.map(lambda path: client.call("GET", path), [*questions, *files]))
    out.print(f"Starting what the page asks first: {time.monotonic() - began:.1f} s")


def load(base_url: str, days: int = DAYS_OF_USAGE) -> dict[str, str]:
    """Create both organizations and all keys; return the content of `demo.env`.

    While the usage of the first is settled, everything else is made.
    """
    today = datetime.now(UTC).date()
    demo = DemoOrganization("demo", size=200, teams=8, today=today, days=days)
    less = min(days, DAYS_OF_A_REPORT)
    other = DemoOrganization("other", size=40, teams=3, today=today, days=less)
    first, sent = load_organization(base_url, demo)
    second, sent_by_other = load_organization(base_url, other)
    names = {"BASE_URL": base_url, **create_keys(first, demo), **ids_and_dates(demo)}
    names |= {"ADMIN_ACCESS_KEY": first.token, "OTHER_ADMIN_ACCESS_KEY": second.token}
    names |= {f"OTHER_{name}": value for name, value in ids_and_dates(other).items()}
    names["OTHER_ADMIN_TOKEN"] = new_access_key(
        second, admin_id(second, other), "other admin's token"
    )
    wait_until_shown(first, sent)
    wait_until_shown(second, sent_by_other)
    return {name: names[name] for name in NAMES}


def load_organization(base_url: str, organization: DemoOrganization) -> tuple[Client, int]:
    """Create an organization with all users and usage; its Admin's client, and how many events."""
    client = Client(base_url, create_organization(organization))
    known = since_when(client)
    waves = [[row for row in wave if is_new(row, known)] for wave in organization.waves()]
    with progress_bar(f"Loading {organization.name}", sum(map(len, waves))) as progress:
        for wave in waves:
            expect_no_rejection(put_rows(client, list(rows_of(wave)), progress.advance))
    return client, send_usage(client, organization)


def wait_until_shown(client: Client, events: int) -> None:
    """Wait until reports count so many events: usage of a year is settled part by part."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    with progress_bar("Settling usage", events) as progress:
        shown = 0
        while shown < events and time.monotonic() < give_up:
            products = client.get("/v1/coverage")["products"]
            now_shown = sum(each["events"] for each in products)
            progress.advance(now_shown - shown)
            shown = now_shown
            if shown < events:
                time.sleep(ASKED_EVERY_SECONDS)


def create_organization(organization: DemoOrganization) -> str:
    """The access key of the Admin; a new key if an earlier run created the organization."""
    options = ("--admin-username", organization.admin, "--json")
    attributes = (
        *("--id", organization.id, "--name", organization.name),
        *("--time-zone", "Europe/Berlin"),
    )
    made = odometer("organization", "create", "--force", *attributes, *options)
    if made.returncode == 1:
        made = odometer("organization", "key", organization.id, "--grant-admin", *options)
    if made.returncode:
        raise Misused(f"odometer organization: {made.stderr.strip()}")
    return str(json.loads(made.stdout)["access_key"])


def odometer(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "odometer_cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def since_when(client: Client) -> dict[str, str]:
    """Since when each user that an earlier run has sent is in their state."""
    return {user["id"]: user["state_since"] for user in exported_users(client)}


def is_new(row: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """Whether a row is not of a user, or of a user's later state than the known one."""
    return row["kind"] != "user" or str(row["state_since"]) > known.get(row["id"], "")


def rows_of(wave: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, row in enumerate(wave):
        yield Row(f"row {number}", row["kind"], json.dumps(row).encode() + b"\n")


def expect_no_rejection(results: Iterable[Any]) -> None:
    """Fail on the first rejected row."""
    for result in results:
        if result.is_rejected:
            raise Misused(f"{result.row.place} was rejected: {result.reason}")


def send_usage(client: Client, organization: DemoOrganization) -> int:
    """Send all usage; what an earlier run has sent counts once. How many events there are."""
    sent = list(
        event_batches(demo_events(organization, organization.first_day, organization.last_day))
    )
    events = sum(map(len, sent))
    with progress_bar(f"Sending usage of {organization.name}", events) as progress:
        for batch in sent:
            receipt = client.post("/v1/events", batch)
            if receipt["rejected"]:
                raise Misused(f"events were rejected: {receipt['errors'][0]['message']}")
            progress.advance(len(batch))
    return events


def create_keys(client: Client, demo: DemoOrganization) -> dict[str, str]:
    revoked = create_key(client, demo.member.id, "revoked token")
    client.call("DELETE", f"/v1/keys/{revoked['key_id']}")
    return {
        "ADMIN_TOKEN": new_access_key(client, admin_id(client, demo), "admin's token"),
        "MANAGER_TOKEN": new_access_key(client, demo.manager.id, "manager's token"),
        "TEAMLEAD_TOKEN": new_access_key(client, demo.lead.id, "team lead's token"),
        "MEMBER_TOKEN": new_access_key(client, demo.member.id, "member's token"),
        "REVOKED_TOKEN": str(revoked["access_key"]),
        "INGEST_TOKEN": new_access_key(
            client, demo.service_user.id, "ingest", scopes=[Scope.WRITE_USAGE]
        ),
        "EXPIRED_TOKEN": expired_key(client, demo.member.id),
    }


def new_access_key(client: Client, user_id: str, name: str, **wishes: Any) -> str:
    return str(create_key(client, user_id, name, **wishes)["access_key"])


def expired_key(client: Client, user_id: str) -> str:
    """A key that has just expired."""
    expires_at = f"{datetime.now(UTC) + EXPIRES_AFTER:%Y-%m-%dT%H:%M:%SZ}"
    key = new_access_key(client, user_id, "expired token", expires_at=expires_at)
    time.sleep(EXPIRES_AFTER.total_seconds())
    return key


def create_key(client: Client, user_id: str, name: str, **wishes: Any) -> dict[str, Any]:
    """Create a key, with every scope by default, so that only the owner's role decides."""
    wanted = {"name": name, "user": user_id, "scopes": list(Scope), **wishes}
    made: dict[str, Any] = client.post("/v1/keys", wanted)
    return made


def admin_id(client: Client, organization: DemoOrganization) -> str:
    """The id of the Admin, whom the command line created."""
    users = exported_users(client)
    return next(str(user["id"]) for user in users if user["username"] == organization.admin)


def exported_users(client: Client) -> list[dict[str, Any]]:
    lines = [line for page in pages(client, EXPORT) for line in page.splitlines()]
    return [row for row in map(json.loads, lines) if row["kind"] == "user"]


def ids_and_dates(organization: DemoOrganization) -> dict[str, str]:
    return {
        "ORG_ID": organization.id,
        "ADMIN_USERNAME": organization.admin,
        "TEAM_ID": organization.id_of("Team 01"),
        "USER_ID": organization.member.id,
        "DEPARTMENT_ID": organization.id_of("Department 01"),
        "APP_ID": organization.id_of(APPS[0]),
        "DEMO_FROM": str(organization.first_day_of_reports),
        "DEMO_TO": str(organization.last_day),
    }


def read_names(record: Path) -> dict[str, str]:
    """The values of a file of shell assignments; none if there is no file."""
    text = record.read_text() if record.exists() else ""
    return dict(word.split("=", 1) for word in shlex.split(text, comments=True))


def write_names(record: Path, names: Mapping[str, str]) -> None:
    """Write shell assignments that only their owner may read; replace the file at once."""
    lines = [f"{name}={shlex.quote(names[name])}\n" for name in NAMES]
    draft = record.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines([HEADING, *lines])
    draft.replace(record)


def show(names: Mapping[str, str], record: Path) -> None:
    """Print the address, the Admin's credentials and some requests to paste."""
    base_url, bearer = names["BASE_URL"], f"-H 'Authorization: Bearer {names['ADMIN_TOKEN']}'"
    basic = shlex.quote(f"{names['ADMIN_USERNAME']}:{names['ADMIN_ACCESS_KEY']}")
    users = "organization/users?offset=0&limit=3&teamMember=true&active=true"
    for line in (
        f"\nLook at it:       {base_url}/#token={names['ADMIN_TOKEN']}\n",
        f"BASE_URL          {base_url}",
        f"ADMIN_USERNAME    {names['ADMIN_USERNAME']}",
        f"ADMIN_ACCESS_KEY  {names['ADMIN_ACCESS_KEY']}",
        f"More in {record}. Try these:\n",
        f"curl {bearer} '{base_url}/v1/usage?kind=document&period=90d&group_by=team&limit=3'",
        f"curl {bearer} '{base_url}/v1/seats?status=inactive&limit=3'",
        f"curl {bearer} '{base_url}/api/v1/{users}'",
        f"curl -u {basic} '{base_url}/api/v1/team/{names['TEAM_ID']}/users?offset=0&limit=3'\n",
    ):
        out.print(line, markup=False)


if __name__ == "__main__":
    sys.exit(main())
