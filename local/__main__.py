"""Start and stop the system on this machine: `python -m local run | up | down`."""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from local import deployment, emulator
from local.emulator import CannotStartError
from local.ports import LAST_PORT, free_port
from local.stack import Stack

console = Console(highlight=False)
INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    arguments = _arguments()
    try:
        match arguments.verb:
            case "run":
                return run(arguments)
            case "up":
                return stay_up(arguments)
            case "down":
                down(arguments.home)
    except CannotStartError as reason:
        console.print(str(reason), style="red", markup=False)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or until the given command ends, and leave no process behind."""
    for end in STOP_SIGNALS:
        signal.signal(end, _raise_interrupt)
    try:
        stack = up(arguments)
        if arguments.command:
            return _run_command(arguments.home, stack, arguments.command)
        console.print("Ctrl-C stops it; what was written stays.")
        while emulator.is_alive(stack.pid):
            time.sleep(1)
        console.print(f"The emulator ended by itself: see {arguments.home}/log", style="red")
    except KeyboardInterrupt:
        return INTERRUPTED if arguments.command else 0
    finally:
        for end in STOP_SIGNALS:
            signal.signal(end, signal.SIG_IGN)  # an impatient second Ctrl-C must not cost the data
        down(arguments.home)
    return 1


def stay_up(arguments: argparse.Namespace) -> int:
    """Start in the background; an interrupted start is stopped again."""
    try:
        stack = up(arguments)
    except KeyboardInterrupt:
        down(arguments.home)
        return INTERRUPTED
    if arguments.port and stack.endpoint != emulator.endpoint(arguments.port):
        console.print(f"It was up already, at {stack.endpoint}: to move it, make down first.")
    console.print("It runs in the background until [bold]make down[/bold].")
    return 0


def up(arguments: argparse.Namespace) -> Stack:
    """Start the emulator, deploy the sources if they changed, and load the demo."""
    home: Path = arguments.home
    if arguments.fresh:
        down(home)
        emulator.forget(home)
    stack = _find_running(home) or _start(home, arguments.port or free_port())
    stack = _deploy(home, stack)
    if importlib.util.find_spec("local.demo"):
        _load_demo(home, stack)
    else:
        console.print(f"BASE_URL={stack.base_url}")
    return stack


def down(home: Path) -> None:
    stack = Stack.read(home)
    if stack and emulator.is_alive(stack.pid):
        with _progress("Saving and stopping"):
            emulator.stop(stack.pid, home)


def _find_running(home: Path) -> Stack | None:
    stack = Stack.read(home)
    if stack is None or not emulator.is_alive(stack.pid):
        return None
    emulator.wait_for(stack.pid, stack.endpoint, home)
    return stack


def _start(home: Path, port: int) -> Stack:
    with _progress("Starting the emulator"):
        stack = Stack(emulator.endpoint(port), emulator.start(home, port))
        stack.write(home)
        deployment.recreate_stream_mappings(stack.endpoint)
    return stack


def _deploy(home: Path, stack: Stack) -> Stack:
    digest = deployment.source_digest()
    outputs = deployment.outputs(stack.endpoint, digest)
    if not outputs:
        with _progress("Building the layer and the functions (sam build)"):
            deployment.build(home)
        with _progress("Deploying template.yaml (sam deploy)"):
            emulator.deploying(home).touch()
            deployment.deploy(home, stack.endpoint, digest)
        outputs = deployment.outputs(stack.endpoint)
    if not outputs:
        raise CannotStartError(f"The deployment did not complete: see {home}/log, or `make clean`.")
    emulator.deploying(home).unlink(missing_ok=True)
    address = f"{stack.endpoint}/restapis/{outputs['ApiId']}/{deployment.STAGE}/_user_request_"
    stack = replace(stack, base_url=address, outputs=outputs)
    stack.write(home)
    return stack


def _load_demo(home: Path, stack: Stack) -> None:
    command = [sys.executable, "-m", "local.demo", "--home", str(home)]
    if subprocess.run(command, env={**os.environ, **stack.environment()}, check=False).returncode:
        raise CannotStartError("The demo data could not be loaded.")


def _run_command(home: Path, stack: Stack, command: list[str]) -> int:
    addresses = {"BASE_URL": stack.base_url, "DEMO_ENV": str(home / "demo.env")}
    return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode


@contextmanager
def _progress(title: str) -> Iterator[None]:
    """Print one line of progress: what is done and how long it took."""
    began = time.monotonic()
    with console.status(title + " …"):
        yield
    console.print(f"{title}: {time.monotonic() - began:.1f} s")


def _raise_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("verb", choices=["run", "up", "down"])
    parser.add_argument(
        "--home", type=Path, default=Path(".local"), help="where state and logs are kept"
    )
    parser.add_argument("--port", type=_port, default=4566, help="0: any free one")
    parser.add_argument("--fresh", action="store_true", help="forget what `home` holds")
    parser.epilog = "run … -- command: with BASE_URL and DEMO_ENV set, and then stop"
    words = [*sys.argv[1:], "--"]
    own = words.index("--")
    return parser.parse_args(words[:own], argparse.Namespace(command=words[own + 1 : -1]))


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= LAST_PORT:
        return int(text)
    message = f"PORT={text}: expected a number up to {LAST_PORT}"
    raise argparse.ArgumentTypeError(message)


if __name__ == "__main__":
    sys.exit(main())
