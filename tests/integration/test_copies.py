"""SnapStart: copies of a process that was frozen when it had imported everything, thawed later."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.support.loopback import served_on_loopback
from tests.support.memory_directory import ACME
from tests.support.stack import ENVIRONMENT, ROOT, admin_of, proxy_event, stack_on_moto

WANTED = {"name": "a copy", "user": f"admin@{ACME[:4]}.example", "scopes": ["usage:read"]}
APPS = sorted((ROOT / "functions").glob("*/*/app.py"))
IMPORT = """
import contextlib, importlib.util, io, json, os, socket, sys, threading, time
from types import SimpleNamespace

asked = json.load(sys.stdin)

def imported(path):
    spec = importlib.util.spec_from_file_location("app", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
COPIES = f"""{IMPORT}
app = imported(asked["app"])
time.sleep(1.1)  # whatever was noted before is a second old

def copy(to):
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000)
    with contextlib.redirect_stdout(io.StringIO()):
        answer = app.handler(asked["event"], context)
    answer["dice"] = sys.modules["odometer.storage.aws"].DICE.random()
    os.write(to, json.dumps(answer).encode())
    os._exit(0)

found = []
thawed = time.time()
for _ in range(2):
    end, begin = os.pipe()
    if not os.fork():
        copy(begin)
    os.close(begin)
    found.append(json.loads(b"".join(iter(lambda: os.read(end, 65536), b""))))
print(json.dumps({{"thawed": thawed, "answers": found}}))
"""
BEGUN = f"""{IMPORT}
import secrets
from odometer import bootstrap

drawn, opened = [], []
sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
secrets.token_bytes = secrets.token_hex = secrets.randbits = lambda *_: drawn.append(1)
models = lambda of: [each for one in of.__subclasses__() for each in (one, *models(one))]
for app in asked["apps"]:
    imported(app)
from odometer.web.models import Answer, Body, Query
every = [each for base in (Query, Body, Answer) for each in models(base)]
said = {{
    "process": bootstrap.process.cache_info().currsize,
    "certificates": sys.modules["odometer.storage.trust"].certificates.cache_info().currsize,
    "threads": threading.active_count(),
    "drawn": drawn,
    "opened": opened,
    "botocore": "botocore.session" in sys.modules,
    "unbuilt": [each.__name__ for each in every if not each.__pydantic_complete__],
}}
print(json.dumps(said))
"""


class Keys(BaseHTTPRequestHandler):
    """Gives a copy its keys, as Lambda does where the environment has none."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["authorization"])
        later = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        keys = {"AccessKeyId": "thawed", "SecretAccessKey": "s", "Token": "t", "Expiration": later}
        content = json.dumps(keys).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving_keys() -> Iterator[dict[str, str]]:
    """The environment of a copy, which has no keys but says where they are."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield {
            **{name: value for name, value in ENVIRONMENT.items() if "ACCESS_KEY" not in name},
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a token",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/",
            "AWS_LAMBDA_FUNCTION_NAME": "copied",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        server.shutdown()


def said(script: str, environment: dict[str, str], **asked: Any) -> Any:
    path = str(ROOT / "layers" / "odometer")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "PATH": os.environ["PATH"], "PYTHONPATH": path},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_process_that_will_be_copied_has_loaded_everything_and_begun_nothing() -> None:
    copied = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    assert said(BEGUN, copied, apps=list(map(str, APPS))) == {
        "process": 0,
        "certificates": 0,
        "threads": 1,
        "drawn": [],
        "opened": [],
        "botocore": True,
        "unbuilt": [],
    }


@pytest.mark.engine
def test_copies_of_one_process_know_their_own_time_keys_and_secrets() -> None:
    with stack_on_moto() as stack, served_on_loopback() as address, serving_keys() as environment:
        key = admin_of(stack, ACME)
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        event = proxy_event("POST", "/v1/keys", sent, json.dumps(WANTED))
        found = said(
            COPIES,
            {
                **environment,
                "AWS_ENDPOINT_URL": address.url,
                "AWS_CA_BUNDLE": str(address.certificates),
            },
            app=str(ROOT / "functions/v1/create_key/app.py"),
            event=event,
        )
    answers = found["answers"]
    assert [each["statusCode"] for each in answers] == [201, 201], answers
    assert answers[0]["dice"] != answers[1]["dice"]
    made = [json.loads(each["body"]) for each in answers]
    assert made[0]["access_key"] != made[1]["access_key"]
    created = [datetime.fromisoformat(each["created_at"]).timestamp() for each in made]
    assert min(created) >= int(found["thawed"])
    assert set(Keys.asked) == {"a token"}
