"""Fuzzing: every reader of stored bytes and of texts from outside, each in a process of its own.

python -m tests.fuzz --cases 1000000 --seed 7           # everything, and a table
python -m tests.fuzz --cases 10000 --only frame         # targets with that in their name
python -m tests.fuzz --case 'strip' 5f00…               # one case again
python -m tests.fuzz --cases 1000000 --seed 7 --write   # the table into docs/fuzz.md
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection

from tests.fuzz.damage import bombs
from tests.fuzz.driver import Result, run
from tests.fuzz.requests import world
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
    chosen = [target for target in TARGETS if asked.only in target.name]
    began, _ = time.monotonic(), (world(), bombs())  # made once, for all processes
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
    return parser


def target_called(name: str) -> Target:
    return next(target for target in TARGETS if target.name == name)


def run_here(target: Target, cases: int, seed: int, answer: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    answer.send(run(target, cases, seed))


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
    processes = get_context("fork")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=run_here, args=(target, cases, seed, there))
    process.start()
    there.close()
    try:
        found = here.recv() if here.poll(PATIENCE_SECONDS) else Result()
    except EOFError:
        found = Result(findings={"the process died": ""})
    process.kill()
    process.join()
    return Row(
        target.name,
        found.cases,
        found.outcomes,
        found.findings,
        found.slowest_ms,
        found.grown_kb,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
