"""One storm from its beginning to its report."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from traceback import format_exception
from types import FrameType
from typing import Any, Final

import httpx

from local.ports import free_port, is_taken
from local.stack import Stack
from tests.storm import crowd, proxy
from tests.storm.caller import TRIED_AGAIN
from tests.storm.checks import Checks, check_items, check_lines
from tests.storm.crowd import Board, size_of_board
from tests.storm.faults import Faults
from tests.storm.model import Model, models
from tests.storm.operator import Operator, make_organizations
from tests.storm.plan import APP, Place, Setup
from tests.storm.records import Records, Sum, lines_of
from tests.storm.report import Report
from tests.storm.stage import Stage, address_of

CONTEXT: Final = get_context("spawn")
SETTLED_SECONDS: Final = 1200
SHOWN_EVERY_SECONDS: Final = 30
TABLES: Final = ("DirectoryTable", "UsageTable", "ActivityTable")
"""Where names of the erased must not be; the log keeps what was sent for 35 days."""
MOST_TRIES: Final = 20
USUAL_FIRST_PORT: Final = 32_768
"""Where ports of outgoing connections begin."""
LICENSE: Final = {"exp": 2, "iat": 1, "seats": 10, "seats_cap": 12}


class Interrupted(Exception):
    """A second Ctrl-C: whatever is being done is left."""


@dataclass
class Storm:
    """A storm over a stack of its own, or over a second one beside a stack that runs."""

    setup: Setup
    home: Path
    running: Stack | None = None
    writes: bool = False
    keepers: list[str] = field(default_factory=list)
    processes: list[SpawnProcess] = field(default_factory=list)
    began: float = 0
    over: float = 0
    """When the last client had its last answer."""
    settled_seconds: float = 0
    interrupts: int = 0

    @cached_property
    def blows(self) -> Event:
        """Set while calls meet faults."""
        return CONTEXT.Event()

    @cached_property
    def stop(self) -> Event:
        """Set when clients are to end early."""
        return CONTEXT.Event()

    @cached_property
    def board(self) -> Board:
        """What all processes count together."""
        return CONTEXT.Array(c_int64, size_of_board(self.setup.places))

    @cached_property
    def records(self) -> Records:
        return Records(self.home, "operator")

    @cached_property
    def stage(self) -> Stage:
        calls = address_of(self.proxy_port)
        if self.running:
            return Stage.beside(self.home, self.running, calls)
        return Stage.alone(self.home, self.port, calls)

    @cached_property
    def port(self) -> int:
        """Where the services are."""
        return port_of(self.running.endpoint) if self.running else lasting_port()

    @cached_property
    def proxy_port(self) -> int:
        return free_port()

    @cached_property
    def operator(self) -> Operator:
        alone = not self.running
        return Operator(self.stage, self.setup, self.records, self.board, restarts=alone)

    def go(self) -> int:
        """Go through the storm; 1 if anything was wrong."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        signal.signal(signal.SIGINT, self.interrupt)
        try:
            with self.progress("A stack of its own, of which every call goes through the proxy"):
                self.begin()
            self.blow()
            self.calm_down()
            self.check()
        except Interrupted:
            self.records.check("the storm was not cut short", holds=False)
        except Exception as failure:  # noqa: BLE001  what has been counted is told all the same
            found = "".join(format_exception(failure))[-1500:]
            self.records.check("the storm and its checks reach their end", holds=False, found=found)
        finally:
            self.end()
        return self.tell()

    def interrupt(self, _: int, __: FrameType | None) -> None:
        self.stop.set()
        self.interrupts += 1
        if self.interrupts > 1:
            raise Interrupted

    # the storm

    def begin(self) -> None:
        faults, record = Faults(self.setup.seed), self.home / "calls.json"
        served = proxy.Proxy(self.port, faults, self.blows, record)
        self.start(partial(proxy.serve, served, self.proxy_port))
        self.keepers = make_organizations(self.stage, self.setup)
        for place in self.setup.places:
            self.fill(place)

    def start(self, target: Callable[[], None]) -> None:
        process = CONTEXT.Process(target=target, daemon=True)
        process.start()
        self.processes.append(process)

    def fill(self, place: Place) -> None:
        """Put what the questions ask about."""
        app = {"id": place.app, "name": f"{place.mark} app", "kind": APP}
        document = {"license": LICENSE, "products": [app]}
        self.insist(place, "PUT", "/v1/directory", json=document)

    def insist(self, place: Place, method: str, path: str, **request: Any) -> httpx.Response:
        """Ask without faults, until there is an answer."""
        headers = {"Authorization": f"Bearer {self.keepers[place.number]}"}
        for _ in range(MOST_TRIES):
            try:
                answer = httpx.request(
                    method,
                    self.stage.address + path,
                    headers=headers,
                    timeout=60,
                    trust_env=False,
                    **request,
                )
            except httpx.HTTPError:
                time.sleep(1)
                continue
            if answer.status_code not in TRIED_AGAIN:
                return answer.raise_for_status()
            time.sleep(1)
        raise TimeoutError(path)

    def blow(self) -> None:
        """Faults, clients and the operator at once, for as long as the storm lasts."""
        self.began = time.time()
        ends_at = self.began + self.setup.seconds
        self.blows.set()
        shared = (self.stage.address, self.home, self.keepers, self.board, ends_at, self.stop)
        for number in range(self.setup.processes):
            self.start(partial(crowd.run, self.setup, number, *shared))
        self.operate(ends_at)

    def operate(self, ends_at: float) -> None:
        acts, kill_at, shown_at = [*self.setup.acts], self.began + 5, self.began
        while time.time() < ends_at and not self.stop.is_set():
            now = time.time()
            if acts and now > self.began + acts[0].at * self.setup.seconds:
                self.operator.act(acts.pop(0).name)
            elif now > kill_at:
                kill_at = now + self.operator.kill()
            elif now > shown_at + SHOWN_EVERY_SECONDS:
                shown_at = now
                self.show()
            time.sleep(0.2)

    def show(self) -> None:
        found = Sum.of(self.home)
        say(
            f"{(time.time() - self.began) / 60:5.1f} min: {found.number('request')} requests, "
            f"{found.number('events')} events, {found.number('check')} checks, "
            f"{found.number('wrong')} wrong, {found.number('kills')} kills"
        )

    def calm_down(self) -> None:
        """No faults any more: what has no answer gets one, and everything is settled."""
        self.blows.clear()
        with self.progress("What has no answer is sent again"):
            clients = self.processes[1:]
            for process in clients:
                process.join()
            for process in clients:
                self.records.check(
                    "clients end by themselves", process.exitcode == 0, found=process.exitcode
                )
        self.over = time.time()
        with self.progress("Everything is settled"):
            while not (settled := self.is_settled()) and time.time() < self.over + SETTLED_SECONDS:
                time.sleep(2)
            self.settled_seconds = time.time() - self.over
        self.records.check("everything is settled within twenty minutes", settled)

    def is_settled(self) -> bool:
        """Whether everything is counted, and after a long storm settled as well."""
        return all(map(self.is_counted, models(self.setup.places, lines_of(self.home))))

    def is_counted(self, model: Model) -> bool:
        content = self.insist(model.place, "GET", "/v1/coverage").json()
        if self.setup.is_short:
            found: int = sum(each["events"] for each in content["products"])
            return found >= sum(model.events.values())
        through = datetime.fromisoformat(content["through"]).timestamp()
        return through > self.over and not int(content["unsettled_events"])

    # what must hold

    def check(self) -> None:
        with self.progress("Every figure beside a model"):
            found = models(self.setup.places, lines_of(self.home))
            for model in found:
                restored = self.records.counts["restores"] > 0
                Checks(model, self.ask, self.records, datetime.now(UTC), restored).all()
        with self.progress("Every item and every line of the logs"):
            self.check_what_is_kept(found)
        with self.progress("odometer verify"):
            self.verify()

    def ask(self, place: Place, path: str) -> str:
        return self.insist(place, "GET", path).text

    def check_what_is_kept(self, found: list[Model]) -> None:
        for name in TABLES:
            pages = self.stage.client("dynamodb").get_paginator("scan")
            items = (
                item
                for page in pages.paginate(TableName=self.stage.outputs[name])
                for item in page["Items"]
            )
            check_items(name, items, found, self.records)
        marks = [place.mark for place in self.setup.places]
        for group, lines in self.logs():
            check_lines(group, lines, marks, self.records)

    def logs(self) -> Iterator[tuple[str, Iterator[str]]]:
        client = self.stage.client("logs")
        for page in client.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                name = group["logGroupName"]
                if f"/{self.stage.name}/" not in name:
                    continue
                events = client.get_paginator("filter_log_events").paginate(logGroupName=name)
                yield name, (each["message"] for one in events for each in one["events"])

    def verify(self) -> None:
        done = self.stage.odometer("verify", "--json", faults=False)
        content = json.loads(done.stdout) if done.stdout else {}
        drifts = content.get("drifts", [done.stderr[-400:]])
        self.records.check("odometer verify", not drifts and not done.returncode, found=drifts[:5])
        self.records.count("frames", number=content.get("compared", {}).get("frames", 0))
        for place in self.setup.places:
            told = self.stage.odometer("backlog", place.id, "--json", faults=False)
            parked = json.loads(told.stdout)["parked"]
            self.records.check("nothing is parked", not parked, organization=place.id, found=parked)

    # the end

    def end(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.records.note(at_once=True)
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(10)
        if "stage" in vars(self):
            with self.progress("The stack ends"):
                self.stage.down()

    def tell(self) -> int:
        acted = self.operator.acted if "operator" in vars(self) else ()
        report = Report.of(self.home, self.setup, self.began, self.settled_seconds, acted)
        report.write(self.home)
        if self.writes:
            report.write(Path("docs"))
        say(report.text if self.writes else f"See {self.home}/storm.md")
        for wrong in report.found.wrongs[:20]:
            say(f"WRONG {json.dumps(wrong)}")
        return 1 if report.wrongs else 0

    @contextmanager
    def progress(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        say(f"{title}: {time.monotonic() - began:.1f} s")


def lasting_port() -> int:
    """A free port that no outgoing connection is given while the emulator restarts."""
    below = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(below.read_text().split()[0]) if below.exists() else USUAL_FIRST_PORT
    return next(port for port in range(first - 1, first - MOST_TRIES, -1) if not is_taken(port))


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def say(text: str) -> None:
    print(text, flush=True)
