"""Runs the cases of one target, one after the other, and says what came of them."""

import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import FrameType

from tests.fuzz.choices import CASE_BYTES
from tests.fuzz.damage import bombs
from tests.fuzz.target import Target

LONGEST_SECONDS = 5
MOST_SHOWN = 8


class TooSlow(BaseException):
    """A case has computed for longer than anything that is sent or stored may take."""


@dataclass
class Result:
    """What came of the cases of a target."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    """By what was raised and where, how and by which case: the first of each."""
    slowest_ms: float = 0.0
    """What the slowest case has computed, whatever else the machine did."""
    grown_kb: int = 0
    """By how much the process has grown, at its largest."""


def run(target: Target, cases: int, seed: int) -> Result:
    """Run so many cases, the same ones for the same seed."""
    result, luck = Result(), Random(f"{seed} {target.name}")
    bombs()
    target.outcome(b"")  # what is made once for all cases is no part of any
    before = largest_kb()
    for _ in range(cases):
        run_case(target, luck.randbytes(CASE_BYTES), result)
    result.grown_kb = largest_kb() - before
    return result


def run_case(target: Target, case: bytes, result: Result) -> None:
    began = time.process_time()
    try:
        with at_most(LONGEST_SECONDS):
            result.outcomes[target.outcome(case)] += 1
    except (Exception, TooSlow, RecursionError, MemoryError) as error:  # noqa: BLE001  a finding
        result.outcomes["FOUND"] += 1
        name = f"{type(error).__name__} at {place_of(error)}"
        if len(result.findings) < MOST_SHOWN:
            shown = "".join(traceback.format_exception(error, limit=-6))
            result.findings.setdefault(name, f"{case.hex()}\n{shown[-3_000:]}")
    result.cases += 1
    result.slowest_ms = max(result.slowest_ms, 1000 * (time.process_time() - began))


def place_of(error: BaseException) -> str:
    """The last two places, so that one fault is shown once."""
    frames = traceback.extract_tb(error.__traceback__)[-2:]
    return ", ".join(f"{each.filename.rpartition('/')[2]}:{each.lineno}" for each in frames)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(_: int, frame: FrameType | None) -> None:
        raise TooSlow(str(frame))

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def largest_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
