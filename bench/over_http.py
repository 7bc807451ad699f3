"""50,000 events through a running deployment, over HTTP: nothing lost, nothing counted twice.

python -m bench.over_http          # after `make up`
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx

from tests.support.live_deployment import Deployment, running
from tests.support.usage_sender import ago, usage_event

USERS = 500
PATIENCE_SECONDS = 600


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.over_http", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    found = running() or sys.exit("No deployment with the demo runs: `make up` starts one.")
    with httpx.Client(timeout=60, trust_env=False) as client, TemporaryDirectory() as folder:
        deployment = Deployment(found[0], client, found[1])
        key, file = new_key(deployment), Path(folder) / "usage.ndjson"
        write(file, arguments.events)
        began = time.monotonic()
        words = ("import", str(file), "--connections", str(arguments.connections), "--json")
        done = deployment.odometer(*words, key=key)
        sent = time.monotonic() - began
        print(f"sent in {sent:.1f} s, {arguments.events / sent:,.0f} events/s: {done.stdout}")
        wait_for(deployment, key, arguments.events)
        shown = time.monotonic() - began - sent
        print(f"{arguments.events:,} counted, none twice; the last showed {shown:.1f} s later")


def new_key(deployment: Deployment) -> str:
    username = f"bench-{uuid4().hex[:8]}@example.com"
    words = ("--name", "Bench", "--admin-username", username, "--json")
    made = deployment.odometer("organization", "create", *words)
    return str(json.loads(made.stdout)["access_key"])


def write(file: Path, events: int) -> None:
    """A file of events; every hundredth stands there twice."""
    with file.open("w") as lines:
        for number in range(events):
            subject, moment = f"user-{number % USERS}", ago(minutes=number % 600)
            line = json.dumps(usage_event(f"{number}", subject=subject, time=moment)) + "\n"
            lines.write(line * (2 if number % 100 == 0 else 1))


def wait_for(deployment: Deployment, key: str, expected: int) -> None:
    """Ask until every event shows; end here when one never does, or too many do."""
    gives_up_at, events = time.monotonic() + PATIENCE_SECONDS, -1
    while events != expected:
        if time.monotonic() > gives_up_at or events > expected:
            sys.exit(f"{events:,} counted instead of {expected:,}")
        time.sleep(0.2)
        answer = deployment.get("/v1/coverage?product=automation", key)
        events = answer.json()["products"][0]["events"]


if __name__ == "__main__":
    main()
