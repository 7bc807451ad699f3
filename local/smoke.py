"""Prove that a deployed environment works, with an organization of its own.

`make smoke ENV=staging` makes a key as an operator does, sends an event, waits for it in a report,
asks the doctor, and revokes the key. Nobody else's data is touched.
"""

import json
import os
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from local.account import CONFIG
from odometer.domain.errors import OdometerError
from odometer_cli.client import Client
from odometer_cli.cloudformation import outputs_of
from odometer_cli.failure import Failure

ORGANIZATION: Final = "5e1f7e57-0000-4000-8000-000000000001"
USERNAME: Final = "smoke-test@example.com"
WHO: Final = ("--admin-username", USERNAME, "--json")
SENT: Final = 3
PATIENCE_SECONDS: Final = 180
ASKED_EVERY_SECONDS: Final = 0.5


def main(environment: str = "default") -> None:
    place = tomllib.loads(CONFIG.read_text())[environment]["global"]["parameters"]
    os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"] = place["region"]
    stack = str(place["stack_name"])
    try:
        smoke(stack, outputs_of(stack)["ApiUrl"])
    except (Failure, OdometerError) as failure:
        sys.exit(f"{stack}: {failure}")


def smoke(stack: str, address: str) -> None:
    """Ends the program with what is wrong, if anything is."""
    options = ("--stack", stack, "--url", address)
    made = new_key(options)
    client = Client(address, made["access_key"])
    try:
        began = time.monotonic()
        wait_for(client, send(client))
        print(
            f"{stack}: an event shows in reports {time.monotonic() - began:.1f} s after it was sent"
        )
        doctor = odometer(*options, "--key", made["access_key"], "doctor")
        print(doctor.stdout, end="")
    finally:
        client.call("DELETE", f"/v1/keys/{made['key_id']}")
    if doctor.returncode:
        sys.exit(f"{stack}: the doctor is not content")


def new_key(options: tuple[str, ...]) -> dict[str, Any]:
    """A key of the organization for smoke tests, which the first one makes."""
    made = odometer(*options, "organization", "key", ORGANIZATION, *WHO)
    if made.returncode:
        new = ("--id", ORGANIZATION, "--name", "Smoke test")
        made = odometer(*options, "organization", "create", *new, *WHO)
    if made.returncode:
        sys.exit(made.stderr)
    return dict(json.loads(made.stdout))


def odometer(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "odometer_cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def send(client: Client) -> datetime:
    """Send an event of this second."""
    second = datetime.now(UTC).replace(microsecond=0)
    event = {
        "specversion": "1.0",
        "type": "usage",
        "source": "smoke test",
        "id": stamp(second),
        "time": stamp(second),
        "subject": USERNAME,
        "data": {"product": "automation", "tests": SENT},
    }
    client.post("/v1/events", event)
    return second


def wait_for(client: Client, second: datetime) -> None:
    """Wait until a report of that second shows what was sent, and nothing else."""
    end = second + timedelta(seconds=1)
    asked = {"product": "automation", "measure": "tests", "from": stamp(second), "to": stamp(end)}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (
        shown := client.get(f"/v1/usage?{urlencode(asked)}")["totals"]["tests"]["value"]
    ) != SENT:
        if time.monotonic() > deadline:
            sys.exit(f"{SENT} tests were sent, and {PATIENCE_SECONDS} s later reports show {shown}")
        time.sleep(ASKED_EVERY_SECONDS)


def stamp(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    main(*sys.argv[1:])
