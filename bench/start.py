"""What the first answer of a new process costs: every function beside a bare one on boto3.

The bare function imports boto3, makes a client and reads an item, which is the least that anyone
does who reads a table. Ours answer the sample event of each, the deployment's secret included. All
ask the same tables over TLS. What the runtime of Lambda has imported before a function is imported
before the clock runs. Each process is new; compiled modules are there, as they are in the layer:
the first round compiles them, and does not count.
"""

from __future__ import annotations

import argparse
import json
import os
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
    found = parser.parse_args(words)
    with deployment() as (bare, functions, environment):
        chosen = [bare, *(each for each in functions if found.function in str(each.folder))]
        taken = starts(chosen, environment, found.rounds)
    text = table(bare, taken)
    print(f"\n{text}")
    if write:
        publish("start", text)


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
    path = os.pathsep.join(map(str, (function.folder, ROOT / "layers" / "odometer")))
    found = subprocess.run(  # noqa: S603  our own functions
        [sys.executable, "-c", PROBE],
        env={**environment, "PYTHONPATH": path},
        input=function.event,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(found.stderr)
    said = json.loads(found.stdout.splitlines()[-1])
    if said["answer"].get("batchItemFailures") or said["answer"].get("statusCode", 0) >= BAD:
        raise RuntimeError(found.stdout)
    return Start(said["cpu_ms"], said["wall_ms"])


def table(bare: Function, taken: Mapping[Function, Sequence[Start]]) -> str:
    """The families, each by its middle and its slowest function, all by their best start."""
    best = {each: min(start.cpu_ms for start in starts) for each, starts in taken.items()}
    families = defaultdict[str, dict[Function, float]](dict)
    for function, ms in best.items():
        families[function.family][function] = ms
    lines = [
        f"Load average {os.getloadavg()[0]:.1f}; the best of {len(taken[bare])} starts\n",
        "| family | functions | median, CPU ms | slowest, CPU ms | slowest, times bare | slowest |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for family, each in families.items():
        slowest = max(each, key=each.__getitem__)
        ms = each[slowest]
        cells = f"{len(each)} | {median(each.values()):.0f} | {ms:.0f} | {ms / best[bare]:.2f}"
        lines.append(f"| {family} | {cells} | {slowest.folder.name} |")
    return "\n".join(lines)
