"""The command line: files that it is given, its configuration, and what deployments answer it."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import httpx
from typer.testing import CliRunner

from odometer.domain.errors import OdometerError
from odometer_cli import app
from odometer_cli.client import content_of, message_of, pause_after
from odometer_cli.config_file import ConfigFile, Entry, put_entry
from odometer_cli.directory_rows import parts as parts_of_rows
from odometer_cli.directory_rows import rows_in
from odometer_cli.event_files import Format, Line, lines_in
from odometer_cli.event_sending import parts
from odometer_cli.failure import Failure
from odometer_cli.local_stack import LocalStack
from odometer_cli.restore import instant_of
from odometer_cli.send import member
from odometer_cli.since import Since
from odometer_cli.token import seconds_of
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged_bytes, damaged_item, damaged_json, damaged_text
from tests.fuzz.requests import NOW, at_work, world
from tests.fuzz.target import Target, same
from tests.fuzz.texts import DOCUMENT, EVENT, OWN_EVENT, ROW
from tests.support.stack import CONTEXT, proxy_event, reply_of, routed

ROWS_OF_TABLE = (
    "id,source,subject,time,product,tests,data.pages,platform\r\n"
    "1,ci,ada@acme.example,2026-02-03T11:00:00Z,automation,3,,\r\n"
    '2,"c""i",bob,2026-02-03T11:00:00Z,document,,"""7""",web\r\n'
)
LINES = "\n".join(map(json.dumps, (EVENT, OWN_EVENT, {"id": 1})))
CONFIG = """use = "production"  # the one that counts
[deployments.production]
url = "https://usage.example.com"
key = "odo_x"
[deployments.local]
home = ".local"
"""
RECORD = {
    "base_url": "http://127.0.0.1:1/x",
    "endpoint": "http://127.0.0.1:1",
    "outputs": {"DirectoryTable": "directory"},
    "aws": {"AWS_REGION": "x"},
}
SINCE = Since("cc7cf840", version=3, users=5, erased=(1, 2), keys=("5f",)).to_item()


TYPES = {
    "POST": {"content-type": "application/json"},
    "PUT": {"content-type": "application/x-ndjson"},
}


def file_target(name: str, seed: str, form: Format) -> Target:
    def read(choices: Choices) -> None:
        text = damaged_text(seed, choices) if choices.below(2) else seed
        content = damaged_bytes(text.encode(errors="surrogatepass"), choices)
        lines = [each for each in lines_in(io.BytesIO(content), form) if isinstance(each, Line)]
        for part in parts(lines):
            same(len(json.loads(part.body)), len(part.lines))

    return Target(name, read, (Failure, UnicodeDecodeError))


def read_rows(choices: Choices) -> None:
    text = damaged_json(json.dumps(choices.of([DOCUMENT, ROW])), choices)
    rows = list(rows_in(text if choices.below(2) else f"{text}\n{json.dumps(ROW)}", "rows.json"))
    for part in parts_of_rows(rows):
        assert all(json.loads(row.line) for row in part)


def read_config(choices: Choices) -> None:
    with TemporaryDirectory() as folder, patch.dict("os.environ", ODOMETER_CONFIG=f"{folder}/c"):
        file = Path(folder) / "c"
        file.touch(mode=0o600)
        file.write_bytes(
            damaged_bytes(damaged_text(CONFIG, choices).encode(errors="replace"), choices)
        )
        before = ConfigFile.read()
        before.in_use  # noqa: B018
        put_entry("another", Entry(url="https://b.example.com"), replace=True)
        same(
            {**before.entries, "another": Entry(url="https://b.example.com")},
            ConfigFile.read().entries,
        )


def read_record(choices: Choices) -> None:
    with TemporaryDirectory() as folder:
        record = damaged_json(json.dumps(RECORD), choices).encode(errors="surrogatepass")
        (Path(folder) / "stack.json").write_bytes(record)
        with patch("odometer_cli.local_stack.is_listening", lambda *_: False):
            LocalStack.running(Path(folder))


def read_answer(choices: Choices) -> None:
    body = damaged_json('{"error": {"code": "x", "message": "no"}}', choices)
    response = httpx.Response(
        choices.of([200, 400, 429, 503]),
        content=damaged_bytes(body.encode(errors="surrogatepass"), choices),
        headers={"retry-after": damaged_text("5", choices).encode("ascii", "ignore").decode()},
    )
    assert isinstance(message_of(response), str)
    assert 0 <= pause_after(response) <= 60
    content_of(response)


def read_argument(choices: Choices) -> None:
    seconds_of(damaged_text("15m", choices))


def read_member(choices: Choices) -> None:
    text = damaged_text(choices.of(["tests=3", 'platform="web"', "cost=1.5e3"]), choices)
    json.loads(f"{{{member(text)}}}")


def read_instant(choices: Choices) -> None:
    instant_of(damaged_text("2026-11-20T06:00:00Z", choices))


def read_since(choices: Choices) -> None:
    found = Since.from_item(damaged_item(SINCE, choices))
    same(Since.from_item(found.to_item()), found)


# whole commands, whose deployment answers something else


WORDS: tuple[Sequence[str], ...] = (
    ("report", "--product", "chat"),
    ("report", "--product", "chat", "--group-by", "user", "--json"),
    ("seats",),
    ("whoami",),
    ("doctor",),
    ("keys", "list"),
    ("keys", "create", "--name", "ci"),
    ("token", "--team", "acme-core", "--origin", "https://app.example.com"),
    ("directory", "export"),
    ("directory", "put", "{rows}"),
    ("send", "--product", "chat", "--user", "ada", "interactions=1"),
    ("import", "{events}"),
)


def command_target(words: Sequence[str]) -> Target:
    def read(choices: Choices) -> str:
        with TemporaryDirectory() as folder:
            rows, events = Path(folder) / "rows.json", Path(folder) / "events.ndjson"
            rows.write_text(json.dumps(DOCUMENT))
            events.write_text(json.dumps(EVENT))
            return exit_of([word.format(rows=rows, events=events) for word in words], choices)

    return Target(f"odometer {' '.join(words)}", read, share=1, quick=4)


def exit_of(words: Sequence[str], choices: Choices) -> str:
    def answer(_: object, request: httpx.Request) -> httpx.Response:
        status, headers, body = true_answer(
            request.method, request.url.raw_path.decode(), request.read()
        )
        if choices.below(2):
            body = damaged_json(body, choices)
        return httpx.Response(status, headers=headers, content=body.encode(errors="surrogatepass"))

    environment = {
        "ODOMETER_URL": "https://usage.example.com",
        "ODOMETER_KEY": world().names["ADMIN_TOKEN"],
    }
    with (
        patch.object(httpx.HTTPTransport, "handle_request", answer),
        patch("time.sleep"),
    ):
        done = CliRunner(env=environment).invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return f"exit {done.exit_code}"


@cache
def true_answer(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], str]:
    """What the functions answer, whatever is done with it afterwards."""
    event = proxy_event(
        method,
        path,
        {"authorization": f"Bearer {world().names['ADMIN_TOKEN']}", **TYPES.get(method, {})},
        body or None,
    )
    endpoint, parameters = routed(method, event["path"])
    with at_work([]):
        answer = replace(endpoint, clock=lambda: NOW)(
            {**event, "pathParameters": parameters or None}, CONTEXT
        )
    reply = reply_of(answer)
    return reply.status, {**reply.headers}, reply.text


TARGETS = [
    file_target("events in lines", LINES, Format.NDJSON),
    file_target("events in a table", ROWS_OF_TABLE, Format.CSV),
    Target("rows of a directory in a file", read_rows, (Failure,)),
    Target("configuration file", read_config, (Failure,), share=8, quick=30),
    Target("record of a local stack", read_record, (Failure,), share=8, quick=30),
    Target("answer to the command line", read_answer, (Failure,)),
    Target("length of time", read_argument, (Failure,)),
    Target("measure of a typed event", read_member, (Failure, ValueError)),
    Target("instant of a restore", read_instant, (Failure,)),
    Target("note of a restore", read_since, (OdometerError,)),
    *map(command_target, WORDS),
]
