"""How long a new process takes until it can answer: every function beside a bare one.

The bare function imports boto3 and makes a client, which is the least that anyone does who reads a
table. Each process is new; the compiled modules are there, as they are in the layer. The first
round finds them on disk for the first time, and does not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.publish import publish
from tests.support.stack import ENVIRONMENT, ROOT

BARE = "import boto3\nboto3.client('dynamodb')\n"
PROBE = """
import runpy, sys, time
began = time.perf_counter()
runpy.run_path(sys.argv[1])
if "odometer.storage.dynamo" in sys.modules:
    sys.modules["odometer.storage.dynamo"].connect()
print(1000 * (time.perf_counter() - began))
"""


def main(words: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args(words).rounds
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "app.py"
        bare.write_text(BARE)
        functions = sorted((ROOT / "functions").glob("*/*/app.py"))
        taken: defaultdict[Path, list[float]] = defaultdict(list)
        for _ in range(1 + rounds):
            for path in (bare, *functions):
                taken[path].append(started(path))
    text = table({path: median(times[1:]) for path, times in taken.items()}, bare)
    print(f"\n{text}")
    if write:
        publish("cold", text)


def started(function: Path) -> float:
    command = [sys.executable, "-c", PROBE, str(function)]
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "layers" / "odometer")}
    found = subprocess.run(  # noqa: S603  our own functions
        command, env={**ENVIRONMENT, **path}, capture_output=True, text=True, check=True
    )
    return float(found.stdout)


def table(medians: dict[Path, float], bare: Path) -> str:
    """The families, each by its middle and its slowest function."""
    families: defaultdict[str, list[float]] = defaultdict(list)
    for path, ms in medians.items():
        families["bare boto3" if path == bare else path.parents[1].name].append(ms)
    lines = [
        f"Load average {os.getloadavg()[0]:.1f}\n",
        "| family | functions | median ms | slowest ms | median, times the bare one |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for family, times in families.items():
        middle = median(times)
        cells = f"{len(times)} | {middle:.0f} | {max(times):.0f} | {middle / medians[bare]:.2f}"
        lines.append(f"| {family} | {cells} |")
    return "\n".join(lines)
