"""Fuzzing: every reader of stored bytes and of texts from outside, each in a process of its own.

python -m tests.fuzz --cases 1000000 --seed 7           # everything, and a table
python -m tests.fuzz --cases 10000 --only frame         # targets with that in their name
python -m tests.fuzz --case 'strip' 5f00…               # one case again
python -m tests.fuzz --cases 1000000 --seed 7 --write   # the table into docs/fuzz.md
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.fuzz.driver import Result, run
from tests.fuzz.table import Row, table, write
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

MOST_BYTES = 3 * 2**30
"""No process gets more memory than this."""
PATIENCE_SECONDS = 3_600


def main(words: Sequence[str]) -> int:
    asked = arguments().parse_args(words)
    if asked.case:
        name, case = asked.case
        print(target_called(name).outcome(bytes.fromhex(case)))
        return 0
    if asked.target:
        print(json.dumps(run_here(target_called(asked.target), asked.cases, asked.seed).to_json()))
        return 0
    chosen = [target for target in TARGETS if asked.only in target.name]
    began = time.monotonic()
    rows = list(run_all(chosen, asked.cases, asked.seed, asked.jobs))
    print(table(rows))
    print(f"{sum(row.cases for row in rows):,} cases in {time.monotonic() - began:,.0f} s")
    if asked.write:
        write(rows, asked.seed)
    return int(any(row.findings for row in rows))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="the same cases for the same seed")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--write", action="store_true", help="write docs/fuzz.md")
    parser.add_argument("--case", nargs=2, metavar=("TARGET", "HEX"), help="run one case again")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    return parser


def target_called(name: str) -> Target:
    return next(target for target in TARGETS if target.name == name)


def run_here(target: Target, cases: int, seed: int) -> Result:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    return run(target, cases, seed)


def run_all(targets: Sequence[Target], cases: int, seed: int, jobs: int) -> Iterator[Row]:
    """By target, what came of it; what is found is shown as soon as its target has ended."""
    shares = sum(target.share for target in targets)

    def run_apart(target: Target) -> Row:
        return row_of(target, -(-cases * target.share // shares), seed)

    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(run_apart, targets):
            print(f"{row.target}: {row.cases:,} cases, {len(row.findings)} findings")
            for place, case in row.findings.items():
                print(f"  {place}\n{case}")
            sys.stdout.flush()
            yield row


def row_of(target: Target, cases: int, seed: int) -> Row:
    """Run a target in a process of its own, of which nothing is left in the end."""
    words = ["--target", target.name, "--cases", str(cases), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        died = {f"the process died with {done.returncode}": done.stderr[-3_000:]}
        return Row(target.name, 0, {}, died, 0.0, 0)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Row(
        target.name,
        said["cases"],
        said["outcomes"],
        said["findings"],
        said["slowest_ms"],
        said["grown_kb"],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
