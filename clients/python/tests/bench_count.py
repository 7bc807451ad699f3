"""How long `Meter.count` takes, while its thread sends.

python -m clients.python.tests.bench_count
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


def times_of(clock: Callable[[], float], meter: Meter, events: int, pause: float) -> list[float]:
    """Microseconds of each call, by a clock."""
    found = []
    for _ in range(events):
        began = clock()
        meter.count("chat", user="ada@example.com", interactions=1)
        found.append((clock() - began) * MICRO)
        time.sleep(pause)
    return found


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
        bench(Meter("bench", spool=folder, url=f"http://127.0.0.1:{port}", key=KEY))
        intake.communicate("\n")


def bench(meter: Meter) -> None:
    times_of(time.perf_counter, meter, 100, 0.0)
    for name, pause in (("1,000 a second", 0.001), ("as fast as it goes", 0.0)):
        events = EVENTS // 4 if pause else EVENTS
        wall = times_of(time.perf_counter, meter, events, pause)
        cpu = times_of(time.thread_time, meter, events, pause)
        sys.stdout.write(line(f"{name}, wall", wall) + line(f"{name}, processor", cpu))
    meter.close(30)
    sys.stdout.write(f"{meter.stats()}\n")


if __name__ == "__main__":
    main()
