"""Go through a storm, and say what was lost, doubled, leaked or wrong.

python -m tests.storm --minutes 30 --seed 7 --write
"""

import argparse
import sys
from pathlib import Path

from local.stack import Stack
from tests.storm.plan import Setup
from tests.storm.storm import Storm


def main() -> int:
    given = arguments()
    setup = Setup(given.seed, 60 * given.minutes, given.organizations, given.processes)
    running = Stack.read(given.beside) if given.beside else None
    return Storm(setup, given.home, running, writes=given.write).go()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="what is asked, and what fails")
    parser.add_argument("--organizations", type=int, default=6)
    parser.add_argument("--processes", type=int, default=4, help="of clients")
    parser.add_argument("--home", type=Path, default=Path(".local/storm"))
    parser.add_argument("--beside", type=Path, help="the home of a stack that runs: none is made")
    parser.add_argument("--write", action="store_true", help="docs/storm.md and its picture")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
