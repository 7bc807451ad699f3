"""Events through everything that goes wrong at once: each must count exactly once.

    python -m clients.python.tests.crashes --events 100000

Applications that share a spool count events and are killed at any instant. Meanwhile the intake
refuses connections, answers 429, 500 and 503, loses its answers after it has accepted, and loses
requests; and the clocks of the applications are hours and years off, and jump.
"""

import argparse
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from clients.python.tests.intake import Intake, lines_of, served
from odometer_client import Meter
from odometer_client.clock import Clock

KEY = "odo_test"
MODULE = "clients.python.tests.crashes"
HOUR, DAY = 3600.0, 86_400.0
CLOCKS = (2 * HOUR, 0.0, 400 * DAY, -2 * HOUR, -20_000 * DAY, 0.0)
LEDGER = struct.Struct("qq")
TRIES = 1_000
SHORT_LIFE = 0.1
"""Seconds until the first kill of each application, which is not through by then."""


@dataclass(frozen=True)
class Outcome:
    """What became of the events."""

    counted: int
    unsure: int
    """Killed inside of `count`: nobody can tell whether it returned."""
    lost: list[str]
    double: list[str]
    kills: int
    happened: Counter[str]
    seconds: float


@dataclass(frozen=True)
class Application:
    """An application that counts some events, however often it is killed."""

    name: str
    events: int
    folder: Path
    port: int
    longest_life: float

    @property
    def ledger(self) -> Path:
        return self.folder / f"{self.name}.ledger"

    def run(self) -> tuple[int, set[int]]:
        """Start it until it is through; how often it was killed, and inside of which calls."""
        self.ledger.write_bytes(LEDGER.pack(0, 0))
        unsure: set[int] = set()
        for kills in range(TRIES):
            if self._live(kills):
                return kills, unsure
            begun, done = LEDGER.unpack(self.ledger.read_bytes())
            if begun != done:
                unsure.add(done)
                self.ledger.write_bytes(LEDGER.pack(begun, begun))
        raise RuntimeError("the application never comes to its end")

    def _live(self, kills: int) -> bool:
        chance = random.Random(f"{self.name} {kills}")
        words = [self.name, str(self.events), str(self.folder), str(self.port), str(kills)]
        command = [sys.executable, "-m", MODULE, "--live", *words]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()  # it has begun
            try:
                process.wait(chance.uniform(0.0, self.longest_life if kills else SHORT_LIFE))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            return process.wait() == 0


def live(name: str, events: int, folder: Path, port: int, kills: int) -> None:
    """Count the events that are left, in bursts; each is noted before and after."""
    meter = meter_of(folder, port, skewed(kills))
    ledger = os.open(folder / f"{name}.ledger", os.O_RDWR)
    _, first = LEDGER.unpack(os.pread(ledger, LEDGER.size, 0))
    os.write(1, b"begun\n")
    for number in range(first, events):
        os.pwrite(ledger, LEDGER.pack(number + 1, number), 0)
        meter.count("chat", user=f"{name}-{number}", interactions=1)
        os.pwrite(ledger, LEDGER.pack(number + 1, number + 1), 0)
        if number % 20 == 0:
            time.sleep(0.01)
    os._exit(0)


def meter_of(folder: Path, port: int, clock: Clock | None = None) -> Meter:
    address = f"http://127.0.0.1:{port}"
    return Meter(
        "crashes", spool=folder / "spool", url=address, key=KEY, interval=0.05, clock=clock
    )


def skewed(first: int) -> Clock:
    """A clock that is off, by something else every now and then."""
    began = time.monotonic()

    def wall() -> float:
        turn = first + int((time.monotonic() - began) / 0.2)
        return time.time() + CLOCKS[turn % len(CLOCKS)]

    return Clock(wall)


def run(events: int, folder: Path, *, applications: int = 2, longest_life: float = 1.0) -> Outcome:
    """Count events through crashes, then let one quiet process send what is left."""
    began, intake = time.monotonic(), Intake(trouble=0.3)
    port, over = free_port(intake), Event()
    network = Thread(target=come_and_go, args=(intake, port, over))
    network.start()
    share = events // applications
    all_of_them = [
        Application(f"app{n}", share, folder, port, longest_life) for n in range(applications)
    ]
    try:
        with ThreadPoolExecutor(applications) as pool:
            runs = list(pool.map(Application.run, all_of_them))
    finally:
        over.set()
        network.join()
    intake.trouble = 0.1
    with served(intake, port):
        meter = meter_of(folder, port)
        while meter.stats().waiting_bytes:
            meter.flush(1.0)
        meter.close()
    names = [f"app{n}-{number}" for n in range(applications) for number in range(share)]
    unsure = {f"app{n}-{number}" for n, (_, calls) in enumerate(runs) for number in calls}
    assert lines_of(folder / "spool" / "rejected.ndjson") == []
    return outcome_of(names, unsure, intake, sum(kills for kills, _ in runs), began)


def outcome_of(
    names: Sequence[str], unsure: set[str], intake: Intake, kills: int, began: float
) -> Outcome:
    counted = intake.counted
    return Outcome(
        counted=sum(counted[name] == 1 for name in names),
        unsure=len(unsure),
        lost=[name for name in names if not counted[name] and name not in unsure],
        double=[name for name, times in counted.items() if times > 1],
        kills=kills,
        happened=intake.happened,
        seconds=time.monotonic() - began,
    )


def free_port(intake: Intake) -> int:
    with served(intake) as port:
        return port


def come_and_go(intake: Intake, port: int, over: Event) -> None:
    """Serve most of the time, and refuse connections in between."""
    chance = random.Random(1)
    while not over.is_set():
        with served(intake, port):
            over.wait(chance.uniform(0.3, 1.5))
        intake.happened["refused connections, times"] += 1
        over.wait(chance.uniform(0.05, 0.3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--longest-life", type=float, default=3.0, help="seconds until a kill")
    parser.add_argument("--live", nargs=5)
    asked = parser.parse_args()
    if asked.live:
        name, events, folder, port, kills = asked.live
        live(name, int(events), Path(folder), int(port), int(kills))
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(asked.events, Path(folder), longest_life=asked.longest_life)
    lost, double = len(outcome.lost), len(outcome.double)
    sys.stdout.write(f"{outcome.counted} counted once, {lost} lost, {double} counted twice, ")
    sys.stdout.write(f"{outcome.unsure} killed inside of count, {outcome.kills} kills, ")
    sys.stdout.write(f"{outcome.seconds:.0f} s\n{dict(outcome.happened)}\n")
    sys.exit(bool(outcome.lost or outcome.double))


if __name__ == "__main__":
    main()
