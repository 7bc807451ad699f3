"""Starting the emulator: whatever happens, no process is left that nobody knows of."""

import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from local import __main__ as local
from local import emulator
from local.ports import LOOPBACK, free_port
from local.stack import Stack

pytestmark = pytest.mark.engine


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that was started in place of the emulator: one that never serves."""
    found: list[subprocess.Popen[bytes]] = []

    def launch(home: Path, port: int) -> subprocess.Popen[bytes]:
        endless = [sys.executable, "-c", "import time; time.sleep(600)"]
        found.append(subprocess.Popen(endless, start_new_session=True))
        return found[-1]

    monkeypatch.setattr(emulator, "_launch", launch)
    return found


def interrupted(_: str) -> bool:
    raise KeyboardInterrupt


def never(_: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("serving", "end"), [(interrupted, KeyboardInterrupt), (never, emulator.CannotStartError)]
)
def test_a_start_that_does_not_end_well_leaves_no_process(
    serving: Callable[[str], bool],
    end: type[BaseException],
    started: list[subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(emulator, "is_serving", serving)
    monkeypatch.setattr(emulator, "START_SECONDS", 0)
    with pytest.raises(end):
        emulator.start(tmp_path, free_port())
    (process,) = started
    assert process.wait(timeout=10) != 0


def test_an_emulator_that_is_too_busy_to_answer_is_waited_for_and_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(emulator, "is_alive", lambda _: True)
    monkeypatch.setattr(emulator, "is_serving", lambda _: next(answers))
    stack = Stack("http://here", 1)
    stack.write(tmp_path)
    assert local._find_running(tmp_path) == stack  # noqa: SLF001
    assert list(answers) == []


@pytest.mark.parametrize(("command", "status"), [([], 0), (["pytest"], 130)])
def test_tests_that_are_interrupted_have_not_passed(
    command: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is how a stack ends; a command on it that is cut short has shown nothing."""
    monkeypatch.setattr(local, "up", interrupted)
    monkeypatch.setattr("local.__main__.signal.signal", lambda *_: None)
    assert local.run(Namespace(home=tmp_path, command=command)) == status


def test_a_port_that_is_taken_is_named_with_its_holder_and_another(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(emulator.CannotStartError, match=f"Another one: PORT={port + 1}"):
            emulator.start(tmp_path, port)


@pytest.mark.parametrize("port", ["abc", "-1", "99999", "", "4_566"])
def test_a_port_that_is_none_is_refused_by_its_name(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["local", "up", f"--port={port}"])
    with pytest.raises(SystemExit):
        local.main()
    assert f"PORT={port}: expected a number up to 65535" in capsys.readouterr().err
