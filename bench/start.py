"""What the first answer of a new process costs: every function beside a bare one on boto3.

The bare function imports boto3, makes a client and reads an item, which is the least that anyone
does who reads a table. Ours answer the sample event of each, the deployment's secret included. All
ask the same tables over TLS. What the runtime of Lambda has imported before a function is imported
before the clock runs. Each process is new; compiled modules are there, as they are in the layer:
the first round compiles them, and does not count.

    python -m bench start --instructions    # counted by valgrind, so a busy machine changes nothing
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.publish import publish
from local.sample_event import demo_value, fill_placeholders
from tests.support.demo import demo_on_moto
from tests.support.loopback import Address, served_on_loopback
from tests.support.stack import ENVIRONMENT, ROOT
from tests.support.usage_sender import make_queue

BARE = """
import boto3

client = boto3.client("dynamodb")
key = {"pk": {"S": "nobody"}, "sk": {"S": "nothing"}}


def handler(event, context):
    client.get_item(TableName="directory", Key=key)
    return {"statusCode": 200}
"""
PROBE = """
import decimal, enum, importlib, json, logging, sys, time, traceback
from types import SimpleNamespace

event, context = json.load(sys.stdin), SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000)
cpu, wall = time.process_time(), time.perf_counter()
answer = importlib.import_module("app").handler(event, context)
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"cpu_ms": 1000 * cpu, "wall_ms": 1000 * wall, "answer": answer}))
"""
COUNTER = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
COUNTED = re.compile(r"Collected : (\d+)")
WITHOUT_FUNCTION = "import decimal, enum, importlib, json, logging, sys, time, traceback"
"""What a counted process has done before the function, and the clock, begin."""
PATIENT = "import socket; socket.socket.settimeout = lambda *_: None\n"
"""Nobody gives up waiting: a counted process is so slow that its first try would be too late."""
CASES = ("ok", "wrong-verb", "schedule", "stream", "queue")
"""The sample event of a function that is its usual one."""
BAD = 500


class Function(NamedTuple):
    """A function, and what it is asked first."""

    family: str
    folder: Path
    event: str


class Start(NamedTuple):
    """What a process took from its first import to its first answer."""

    cpu_ms: float
    wall_ms: float


def main(words: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--function", default="", help="only those whose folder contains this")
    parser.add_argument("--instructions", action="store_true", help="count them, which takes long")
    found = parser.parse_args(words)
    with deployment() as (bare, functions, environment):
        chosen = [bare, *(each for each in functions if found.function in str(each.folder))]
        if found.instructions:
            counted = instructions(bare, chosen, environment)
            part, text = "instructions", table(bare, counted, "millions")
        else:
            taken = least_cpu_ms(starts(chosen, environment, found.rounds))
            how = f"Load average {os.getloadavg()[0]:.1f}; the best of {found.rounds} starts"
            part, text = "start", f"{how}\n\n{table(bare, taken, 'CPU ms')}"
    print(f"\n{text}")
    if write:
        publish(part, text)


@contextmanager
def deployment() -> Iterator[tuple[Function, list[Function], dict[str, str]]]:
    """The bare function, all of ours, and the environment in which they find the demo's tables."""
    with (
        tempfile.TemporaryDirectory() as folder,
        demo_on_moto() as names,
        served_on_loopback() as address,
    ):
        make_queue()
        home = Path(folder)
        bare = Function("bare boto3", home / "get_item", "{}")
        bare.folder.mkdir()
        (bare.folder / "app.py").write_text(BARE)
        yield bare, list(functions(names)), environment(address, home)


def functions(names: Mapping[str, str]) -> Iterator[Function]:
    for path in sorted((ROOT / "functions").glob("*/*/app.py")):
        family, name = path.parts[-3:-1]
        slug = f"{family}-{name}".replace("_", "-")
        samples = (ROOT / "events" / f"{slug}.{case}.json" for case in CASES)
        sample = next(each for each in samples if each.exists())
        event = fill_placeholders(sample.read_text(), lambda name: demo_value(name, names))
        yield Function(family, path.parent, event)


def environment(address: Address, home: Path) -> dict[str, str]:
    """As Lambda sets it, and where the tables are."""
    return {
        **ENVIRONMENT,
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_CA_BUNDLE": str(address.certificates),
        "AWS_ENDPOINT_URL": address.url,
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "PATH": os.environ["PATH"],
        "POWERTOOLS_SERVICE_NAME": "odometer",
        "PYTHONPYCACHEPREFIX": str(home / "compiled"),
    }


def starts(
    functions: Sequence[Function], environment: Mapping[str, str], rounds: int
) -> dict[Function, list[Start]]:
    """Every function once a round, so that a busy minute is everybody's."""
    taken = defaultdict[Function, list[Start]](list)
    for _ in range(1 + rounds):
        for each in functions:
            taken[each].append(started(each, environment))
    return {function: each[1:] for function, each in taken.items()}


def started(function: Function, environment: Mapping[str, str]) -> Start:
    said = json.loads(ran([sys.executable, "-c", PROBE], function, environment).stdout)
    return Start(said["cpu_ms"], said["wall_ms"])


def ran(
    command: Sequence[str], function: Function, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A new process, which must have answered well; what it printed last is its answer."""
    path = os.pathsep.join(map(str, (function.folder, ROOT / "layers" / "odometer")))
    found = subprocess.run(  # noqa: S603  our own functions
        command,
        env={**environment, "PYTHONPATH": path},
        input=function.event,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(found.stderr)
    last = next(iter(found.stdout.splitlines()[-1:]), "{}")
    answer = json.loads(last).get("answer", {})
    if answer.get("batchItemFailures") or answer.get("statusCode", 0) >= BAD:
        raise RuntimeError(found.stdout)
    return subprocess.CompletedProcess(command, 0, last, found.stderr)


def millions(function: Function, environment: Mapping[str, str], program: str = PROBE) -> float:
    """Instructions of a process whose hashes are always the same, so that two runs are equal."""
    command = [*COUNTER, sys.executable, "-c", PATIENT + program]
    said = ran(command, function, {**environment, "PYTHONHASHSEED": "0"}).stderr
    return sum(map(int, COUNTED.findall(said))) / 1e6


def instructions(
    bare: Function, functions: Sequence[Function], environment: Mapping[str, str]
) -> dict[Function, float]:
    """Millions of them that every function's first answer executes."""
    for each in functions:
        started(each, environment)  # which compiles what it imports
    before = millions(bare, environment, WITHOUT_FUNCTION)
    return {each: millions(each, environment) - before for each in functions}


def least_cpu_ms(taken: Mapping[Function, Sequence[Start]]) -> dict[Function, float]:
    return {each: min(start.cpu_ms for start in starts) for each, starts in taken.items()}


def table(bare: Function, best: Mapping[Function, float], unit: str) -> str:
    """The families, each by its middle and its slowest function."""
    families = defaultdict[str, dict[Function, float]](dict)
    for function, cost in best.items():
        families[function.family][function] = cost
    lines = [
        f"| family | functions | median, {unit} | slowest, {unit} | times bare | which |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for family, each in families.items():
        slowest = max(each, key=each.__getitem__)
        most = each[slowest]
        cells = f"{len(each)} | {median(each.values()):.0f} | {most:.0f} | {most / best[bare]:.2f}"
        lines.append(f"| {family} | {cells} | {slowest.folder.name} |")
    return "\n".join(lines)
