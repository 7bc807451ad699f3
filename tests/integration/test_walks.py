"""How much code a newcomer meets who follows one request: the files and functions that it passes.

The numbers are bounds. A change that needs more of them says why.
"""

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from odometer.bootstrap import process
from odometer.web.endpoint import Endpoint
from tests.support import apps
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of, endpoints
from tests.support.usage_sender import fold, log_of, run, stream, usage_event, used

HOME = str(Path("layers/odometer/odometer").resolve())
FUNCTIONS = str(Path("functions").resolve())
UNNAMED = {"<module>", "<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>"}


class Walk(NamedTuple):
    """The files and functions that a request passes, in the order of the first visit."""

    files: dict[str, None]
    functions: dict[str, None]


def app_of(endpoint: Endpoint) -> str:
    """The file that gives a path to the function that answers it."""
    route = (endpoint.method, endpoint.path)
    (name,) = [name for name, each in endpoints().items() if (each.method, each.path) == route]
    return f"{FUNCTIONS}/{name}/app.py"


def walked(request: Callable[[], object]) -> Walk:
    """Do the request once to load everything, and once more to see where it goes."""
    request()
    for pool in ("readers", "workers"):  # threads tell of their steps only from their start
        vars(process()).pop(pool, None)
    walk = Walk({}, {})

    def step(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code is Endpoint.__call__.__code__:
            walk.files.setdefault(app_of(frame.f_locals["self"]))
        if event == "call" and code.co_filename.startswith((HOME, FUNCTIONS)):
            walk.files.setdefault(code.co_filename)
            if code.co_name not in UNNAMED:
                walk.functions.setdefault(f"{code.co_filename}:{code.co_qualname}")

    former = sys.getprofile()
    sys.setprofile(step)
    threading.setprofile(step)
    try:
        request()
    finally:
        sys.setprofile(former)
        threading.setprofile(None)
    return walk


def test_the_users_of_a_product_are_few_files_away(stack: Stack) -> None:
    client = apps.example_client(stack)
    client.used(used("sarah.chen", "automation", datetime(2026, 2, 9, tzinfo=UTC), 3, 120))
    client.settle()
    query = "type=account-user&product=automation&from=2026-02-01 00:00:00&to=2026-02-28 23:59:59"
    path = "/insights/api/v3/public/usage-report/drilldown"
    walk = walked(lambda: client.get(path, query.replace(" ", "%20")))
    assert len(walk.files) <= 48


def test_the_users_of_an_app_are_few_files_away(stack: Stack) -> None:
    client = apps.example_client(stack)
    client.settle()
    walk = walked(lambda: client.users(apps.COMPARED))
    assert len(walk.files) <= 52


def test_an_accepted_event_is_few_files_away(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    walk = walked(lambda: stack.call("POST", "/v1/events", key, body=usage_event()))
    assert len(walk.files) <= 26


def test_a_settled_event_is_few_files_away(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    names = iter(range(9))

    def settled() -> None:
        time = datetime.now(UTC) - timedelta(hours=3)
        event = usage_event(f"run-{next(names)}", time=f"{time:%Y-%m-%dT%H:%M:%SZ}")
        stack.call("POST", "/v1/events", key, body=event)
        fold(stream(log_of(stack, ACME)[-1:]))
        run("settle")

    walk = walked(settled)
    assert len(walk.files) <= 61
