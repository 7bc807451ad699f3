"""`make invoke-…`: what it says is missing, and how a container reaches the stack."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from local import invoke
from local.ports import LOOPBACK


def test_an_unknown_function_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(
        SystemExit, match=r"No function is called nobody\. There are: .*usage-metrics-team"
    ):
        invoke.main("nobody", "ok")


def test_an_unknown_case_is_refused_with_the_cases_that_there_are() -> None:
    with pytest.raises(SystemExit, match=r"CASE=… with .*ok"):
        invoke.main("usage-metrics-team", "never")


def test_without_docker_it_says_that_docker_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="no `docker` is on the PATH") as refused:
        invoke.main("usage-metrics-team", "ok")
    assert "tests/integration/test_sample_events.py" in str(refused.value)


def test_an_engine_that_does_not_answer_is_named_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'is the docker daemon running?' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SystemExit, match=r"no container engine answers\. is the docker daemon"):
        invoke.main("usage-metrics-team", "ok")


def test_make_exits_with_an_error_where_nothing_was_invoked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.invoke", "usage-metrics-team", "ok"]
    env = {"PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Not invoked: no `docker` is on the PATH.")


@pytest.mark.engine
def test_a_forwarded_connection_carries_both_ways_and_ends_with_the_stack() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    async def answer() -> bytes:
        async with await asyncio.start_server(shout, LOOPBACK, 0) as stack:
            port = stack.sockets[0].getsockname()[1]
            async with await invoke.forward(LOOPBACK, port) as server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\n")
                found = await reader.read()
                writer.close()
                return found

    assert asyncio.run(answer()) == b"HELLO\n"
