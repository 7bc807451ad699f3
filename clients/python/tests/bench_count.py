"""How long `Meter.count` takes, while its thread sends.

python -m clients.python.tests.bench_count
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from clients.python.tests.crashes import KEY
from odometer_client import Meter

EVENTS = 20_000
SERVE = (
    "from clients.python.tests.intake import Intake, served\n"
    "with served(Intake()) as port:\n"
    "    print(port, flush=True)\n"
    "    input()\n"
)
MICRO = 1e6


def times_of(
    clock: Callable[[], float], call: Callable[[], object], events: int, pause: float
) -> list[float]:
    """Microseconds of each call, by a clock."""
    found = []
    for _ in range(events):
        began = clock()
        call()
        found.append((clock() - began) * MICRO)
        time.sleep(pause)
    return found


def floor(folder: str) -> Callable[[], object]:
    """The least that keeping an event takes: the standard library's JSON, and one write."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(Path(folder) / "floor", flags, mode=0o600)
    event = {"id": "bench-1", "source": "bench", "subject": "ada@example.com", "type": "usage"}
    about = {"time": "2026-11-22T07:00:00Z", "data": {"product": "chat", "interactions": 1}}
    return lambda: os.write(descriptor, json.dumps({**event, **about}).encode())


def line(name: str, times: list[float]) -> str:
    p99, p999 = quantiles(times, n=1000)[989], quantiles(times, n=1000)[998]
    return f"{name:<44}p50 {median(times):6.1f}   p99 {p99:6.1f}   p99.9 {p999:7.1f} µs\n"


def main() -> None:
    command = [sys.executable, "-c", SERVE]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as intake,
    ):
        port = intake.stdout.readline().strip() if intake.stdout else ""
        meter = Meter("bench", spool=folder, url=f"http://127.0.0.1:{port}", key=KEY)
        bench("floor", floor(folder))
        bench("count", lambda: meter.count("chat", user="ada@example.com", interactions=1))
        meter.close(30)
        sys.stdout.write(f"{meter.stats()}\n")
        intake.communicate("\n")


def bench(what: str, call: Callable[[], object]) -> None:
    times_of(time.perf_counter, call, 100, 0.0)
    for name, pause in (("1,000 a second", 0.001), ("as fast as it goes", 0.0)):
        events = EVENTS // 4 if pause else EVENTS
        wall = times_of(time.perf_counter, call, events, pause)
        cpu = times_of(time.thread_time, call, events, pause)
        about = f"{what}, {name}"
        sys.stdout.write(line(f"{about}, wall", wall) + line(f"{about}, processor", cpu))


if __name__ == "__main__":
    main()
