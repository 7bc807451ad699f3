"""Starts and stops the emulator: a process on loopback in a session of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import httpx

from local.ports import LOOPBACK, holder, is_taken
from local.stack import REGION, aws_environment

PROGRAM = (".local/tools/stack/bin/python", "-P", "local/saving_emulator.py")
START_SECONDS = 60
STOP_SECONDS = 30  # far more than a save takes


class CannotStartError(Exception):
    """The stack cannot start; the message says why."""


def start(home: Path, port: int) -> int:
    """Start the emulator on the state kept in `home`, wait until it serves, and return its pid."""
    if is_taken(port):
        message = f"Port {port} is taken by {holder(port)}. Another one: PORT={port + 1}"
        raise CannotStartError(message)
    _clear_tmp(home)
    deploying(home).unlink(missing_ok=True)
    for folder in ("state", "objects", "tmp", "log"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    process = _launch(home, port)
    try:
        wait_for(process.pid, endpoint(port), home)
    except BaseException:  # also Ctrl-C: nobody else knows yet that it runs
        end_session(process.pid, signal.SIGKILL)
        raise
    return process.pid


def wait_for(pid: int, address: str, home: Path) -> None:
    """Wait until an emulator serves; a busy one may take a while."""
    deadline = time.monotonic() + START_SECONDS
    while not is_serving(address):
        if not is_alive(pid) or time.monotonic() > deadline:
            message = f"The emulator does not answer; its last words are in {home}/log/emulator.log"
            raise CannotStartError(message)
        time.sleep(0.1)


def _launch(home: Path, port: int) -> subprocess.Popen[bytes]:
    with (home / "log/emulator.log").open("w") as log:
        return subprocess.Popen(
            PROGRAM,
            env=_environment(home.absolute(), port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(pid: int, home: Path) -> None:
    """Stop the emulator after it saved its state, and every function that it runs."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    end_session(pid, signal.SIGKILL)
    _clear_tmp(home)


def _clear_tmp(home: Path) -> None:
    """Delete in the background what functions unpacked: 40 MB for each run."""
    if (home / "tmp").exists():
        (home / "tmp").rename(home / f"tmp.{time.time_ns()}")
    if discarded := list(home.glob("tmp.*")):
        in_background = ("sh", "-c", 'rm -rf "$@" >/dev/null 2>&1 &', "sh")
        subprocess.run([*in_background, *discarded], start_new_session=True, check=False)


def deploying(home: Path) -> Path:
    """The file that exists during a deployment, when the emulator saves nothing."""
    return home / "deploying"


def forget(home: Path) -> None:
    """Delete the state of a stopped emulator."""
    for folder in ("state", "objects"):
        shutil.rmtree(home / folder, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether this pid is still the session that `start` made, and not another process since."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return os.getsid(pid) == pid and not is_zombie(pid)
    except ProcessLookupError:
        return False


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and nobody waited for it, as in containers without an init."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def end_session(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def endpoint(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def is_serving(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_ministack/ready", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _environment(home: Path, port: int) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **aws_environment(endpoint(port)),
        "AUTH": "true",  # a function may do here what its policies grant, and nothing else
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "DEPLOYING": str(deploying(home)),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "objects"),
        "TMPDIR": str(home / "tmp"),
        "IOT_MTLS_ENABLED": "0",  # it would listen on ports of its own
        "SFTP_ENABLED": "0",
    }
