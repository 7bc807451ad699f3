"""Run functions in AWS's public Lambda image, by `sam local`, on the stack that runs.

`make invoke-usage-metrics-team CASE=ok` runs one on one sample event, filled with the ids of the
demo. `make start-api` serves every route at http://127.0.0.1:3000, each function in its container.
"""

import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from samtranslator.yaml_helper import yaml_parse

from local import emulator
from local.demo import read_names
from local.deployment import PYTHON, SAM, sam_environment
from local.ports import LOOPBACK
from local.sample_event import demo_value, fill_placeholders
from local.stack import REGION, Stack

HOME = Path(os.environ.get("ODOMETER_HOME", ".local"))
TEMPLATE = HOME / "invoke/template.yaml"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
IMAGE = f"public.ecr.aws/lambda/python:{PYTHON}-{ARCHITECTURE}"
PARAMETERS = (
    *("--parameter-overrides", f"PythonRuntime=python{PYTHON}", f"Architecture={ARCHITECTURE}"),
    *("--region", REGION),
)
START_API = "start-api"
SUBNET = ("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
REMEDY = (
    "Install Docker (or Podman with its docker command), start it, or set DOCKER_HOST to where one "
    "runs. Without containers the same event is run by tests/integration/test_sample_events.py."
)


def main(function: str, *words: str) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(start_api(*words) if function == START_API else invoke(function, *words))


def invoke(function: str, case: str = "") -> int:
    event = event_file(function, case).read_text()
    stack = running_stack()
    names = read_names(HOME / "demo.env")
    build(stack)
    content = fill_placeholders(event, lambda name: demo_value(name, names))
    name = "".join(word.capitalize() for word in function.split("-"))
    return asyncio.run(sam_local(stack, "invoke", name, "--event", "-", given=content))


def start_api(*options: str) -> int:
    stack = running_stack()
    build(stack)
    return asyncio.run(sam_local(stack, START_API, "--warm-containers", "LAZY", *options))


def running_stack() -> Stack:
    """The stack that functions talk to; ends the program where it or containers are missing."""
    if reason := missing_engine():
        sys.exit(f"Not invoked: {reason}\n{REMEDY}")
    stack = Stack.read(HOME)
    if not stack or not emulator.is_serving(stack.endpoint):
        sys.exit("Not invoked: the function needs a stack to talk to. Start one: make up")
    return stack


def event_file(function: str, case: str) -> Path:
    """The sample event of a case; ends the program where there is none."""
    cases = sorted(path.name.split(".")[1] for path in Path("events").glob(f"{function}.*.json"))
    if not cases:
        names = sorted({path.name.split(".")[0] for path in Path("events").glob("*.json")})
        sys.exit(f"No function is called {function}. There are: {', '.join(names)}")
    if case not in cases:
        sys.exit(f"Which case? make invoke-{function} CASE=… with {' or '.join(cases)}")
    return Path(f"events/{function}.{case}.json")


def missing_engine() -> str:
    """Why no container can run here; empty when one can."""
    try:
        docker("info")
    except FileNotFoundError:
        return "no `docker` is on the PATH."
    except subprocess.CalledProcessError as error:
        return f"no container engine answers. {error.stderr.strip()}"
    return ""


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def build(stack: Stack) -> None:
    """Build for Linux, and declare AWS_ENDPOINT_URL: SAM sets no variable that is not declared."""
    command = [str(SAM), "build", "--build-dir", str(TEMPLATE.parent), *PARAMETERS]
    environment = sam_environment(stack.endpoint, ARCHITECTURE)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    template = yaml_parse(TEMPLATE.read_text())
    template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
    TEMPLATE.write_text(json.dumps(template))


async def sam_local(stack: Stack, *words: str, given: str = "") -> int:
    """Run `sam local` until it ends; interrupted, it removes its containers first."""
    async with way_to(stack) as endpoint:
        reaching = {"AWS_ENDPOINT_URL": endpoint}
        process = await asyncio.create_subprocess_exec(
            *(str(SAM), "local", *words, "--template", str(TEMPLATE), *PARAMETERS),
            env={**sam_environment(endpoint, ARCHITECTURE), **stack.environment(), **reaching},
            stdin=subprocess.PIPE,
        )
        try:
            await process.communicate(given.encode())
        finally:
            await process.wait()
    return process.returncode or 0


@asynccontextmanager
async def way_to(stack: Stack) -> AsyncIterator[str]:
    """The stack's address for containers; on Linux a port of their network leads to it."""
    port = urlsplit(stack.endpoint).port or 0
    if sys.platform != "linux":
        yield f"http://host.docker.internal:{port}"
        return
    gateway = next(ip_network(docker(*SUBNET)).hosts())
    async with await forward(str(gateway), port) as server:
        address, opened = server.sockets[0].getsockname()
        yield f"http://{address}:{opened}"


async def forward(address: str, port: int) -> asyncio.Server:
    """Listen on a free port of `address`, and pass connections on to a port of loopback."""

    async def connect(reader: StreamReader, writer: StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    return await asyncio.start_server(connect, address, 0)


async def copy(source: StreamReader, target: StreamWriter) -> None:
    while chunk := await source.read(65_536):
        target.write(chunk)
        await target.drain()
    target.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
