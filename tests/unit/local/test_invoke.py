"""`make invoke-…`: what it says is missing, and how a container reaches the stack."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import patch

import pytest

from local import invoke
from local.ports import LOOPBACK
from local.stack import Stack


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


STAND_INS = {
    "docker": "#!/bin/sh\necho 127.0.0.0/8\n",  # the network of containers
    "sam": f"""#!{sys.executable}
import os, sys, urllib.request
address = os.environ["AWS_ENDPOINT_URL"]
reached = urllib.request.urlopen(address).read().decode()
told = (*sys.argv[1:], os.environ["USAGE_TABLE"], reached, address, sys.stdin.read())
print(*told, sep="\\n", file=open("said", "w"))
""",
}
OUTPUTS = ("DirectoryTable", "ActivityTable", "LogTable", "UsageTable", "SecretId", "WorkQueue")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            ("start-api", "--port", "3001"),
            ["local", "start-api", "--warm-containers", "LAZY", "--port", "3001"],
        ),
        (("edge-not-found", "unknown-path"), ["local", "invoke", "EdgeNotFound", "--event", "-"]),
    ],
)
def test_sam_local_reaches_the_stack_by_a_port_of_the_network_of_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], words: list[str]
) -> None:
    for name, script in STAND_INS.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    event = Path("events").absolute()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events").symlink_to(event)
    with HTTPServer((LOOPBACK, 0), Answer) as server, ThreadPoolExecutor(1) as pool:
        server.timeout = 20
        endpoint = f"http://{LOOPBACK}:{server.server_port}"
        pool.submit(server.handle_request)
        stack = Stack(endpoint, 1, outputs={name: f"our-{name}" for name in OUTPUTS})
        with (
            patch.multiple(invoke, SAM=tmp_path / "sam", build=lambda _: None),
            patch("local.invoke.running_stack", return_value=stack),
            pytest.raises(SystemExit) as ended,
        ):
            invoke.main(*typed)
    assert ended.value.code == 0
    said = (tmp_path / "said").read_text()
    assert said.splitlines()[: len(words)] == words
    assert "\nour-UsageTable\nthe stack\n" in said
    assert f"\n{endpoint}\n" not in said, "that address is not of the network of containers"
    assert ('"httpMethod"' in said) is (typed[0] != "start-api")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the stack")
