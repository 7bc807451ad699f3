"""One function, one sample event, a real container: `make invoke-usage-metrics-team CASE=ok`.

The event is filled with the names of the running demo, and the function meets that stack.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from samtranslator.yaml_helper import yaml_parse

from local import emulator
from local.demo import read_names
from local.deployment import SAM
from local.lambda_image import ARCHITECTURE, IMAGE, VERSION, make
from local.record import REGION, Stack
from local.relay import relay
from local.sample_event import filled, of_demo

HOME = Path(".local")
TEMPLATE = HOME / "invoke/template.yaml"
REMEDY = (
    "Install Docker (or Podman with its docker command), start it, or set DOCKER_HOST to where one "
    "runs. Without containers the same event is run by tests/integration/test_sample_events.py."
)


def main(slug: str, case: str = "") -> None:
    cases = sorted(path.name.split(".")[1] for path in Path("events").glob(f"{slug}.*.json"))
    if not cases:
        names = sorted({path.name.split(".")[0] for path in Path("events").glob("*.json")})
        sys.exit(f"No function is called {slug}. There are: {', '.join(names)}")
    if case not in cases:
        sys.exit(f"Which case? make invoke-{slug} CASE=… with {' or '.join(cases)}")
    if reason := why_not():
        sys.exit(f"Not invoked: {reason}")
    stack = Stack.read(HOME)
    if not stack or not emulator.is_serving(stack.endpoint):
        sys.exit("Not invoked: the function needs a stack to talk to. Start one: make up")
    have_image()
    with door(urlsplit(stack.endpoint).port or 0) as endpoint:
        # SAM lets its own environment win over the template's, for the names that this declares.
        os.environ.update(stack.environment(), AWS_ENDPOINT_URL=endpoint)
        build()
        name = "".join(word.capitalize() for word in slug.split("-"))
        options = ("--template", str(TEMPLATE), "--event", "-", "--skip-pull-image")
        done = sam("local", "invoke", name, *options, *parameters(), input=event_of(slug, case))
    sys.exit(done.returncode)


def event_of(slug: str, case: str) -> str:
    """A sample event with the names of the running demo in it."""
    names = read_names(HOME / "demo.env")
    event = Path(f"events/{slug}.{case}.json").read_text()
    return filled(event, lambda name: of_demo(name, names))


def why_not() -> str:
    """Why no container can run here; empty when one can."""
    if not shutil.which("docker"):
        return f"no `docker` is on the PATH. {REMEDY}"
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    words = f"no container engine answers. {asked.stderr.strip()}\n{REMEDY}"
    return words if asked.returncode else ""


def have_image() -> None:
    """The public image if it can be had, else one made of this machine's Python."""
    for attempt in ("image inspect", "pull --quiet"):
        command = ["docker", *attempt.split(), IMAGE]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    make()


@contextmanager
def door(port: int) -> Iterator[str]:
    """How a container reaches a port of this machine's loopback."""
    if sys.platform != "linux":
        yield f"http://host.docker.internal:{port}"
        return
    question = ["docker", "network", "inspect", "bridge"]
    answer = subprocess.run(question, capture_output=True, text=True, check=True).stdout
    subnet = ip_network(json.loads(answer)[0]["IPAM"]["Config"][0]["Subnet"])
    gateway = str(next(subnet.hosts()))
    with relay(gateway, port) as opened:
        yield f"http://{gateway}:{opened}"


def build() -> None:
    """Build for the container, and let the functions be told where AWS is."""
    done = sam("build", "--build-dir", str(TEMPLATE.parent), *parameters(), capture_output=True)
    if done.returncode:
        sys.exit(done.stderr)
    template = yaml_parse(TEMPLATE.read_text())
    template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
    TEMPLATE.write_text(json.dumps(template))


def parameters() -> tuple[str, ...]:
    runtime = f"PythonRuntime=python{VERSION}"
    return ("--parameter-overrides", runtime, f"Architecture={ARCHITECTURE}", "--region", REGION)


def sam(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run SAM with this stack for AWS: it asks who is calling before it starts a container."""
    environment = {
        **os.environ,
        "LAYER_PYTHON": VERSION,
        "LAYER_ARCH": ARCHITECTURE,
        "SAM_CLI_TELEMETRY": "0",
    }
    return subprocess.run([SAM, *arguments], env=environment, text=True, check=False, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
