"""The two walks of docs/architecture.md pass the files that they name, in that order."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.test_walks import FUNCTIONS, HOME, Walk, walked
from tests.support import apps
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of
from tests.support.usage_sender import (
    dispatch,
    fold,
    log_of,
    make_queue,
    run,
    stream,
    usage_event,
    used,
)

TEXT = Path("docs/architecture.md").read_text()
ROOTS = (f"{HOME}/", f"{FUNCTIONS.removesuffix('functions')}")
DRILLDOWN = "/insights/api/v3/public/usage-report/drilldown"
HALF_DAYS = "from=2026-02-01%2000:00:00&to=2026-02-28%2023:59:59&timezone=%2B05:30"
"""A range in another zone than UTC cuts the days at its edges."""


def named(title: str) -> Sequence[str]:
    """The files that a walk names, in the order of its steps."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", TEXT, re.DOTALL | re.MULTILINE)
    return list(dict.fromkeys(re.findall(r"`([\w/]+\.py)`", section)))


def passed(walk: Walk) -> Sequence[str]:
    """The files that a request passed, in the order of the first visit."""
    return [file.removeprefix(ROOTS[0]).removeprefix(ROOTS[1]) for file in walk.files]


def check(title: str, walk: Walk) -> None:
    files = passed(walk)
    assert named(title)
    assert [file for file in named(title) if file not in files] == []
    assert named(title) == [file for file in files if file in named(title)]


def test_an_event_passes_the_files_of_its_walk(stack: Stack) -> None:
    key = admin_of(stack, ACME)
    names = iter(range(9))

    def sent_folded_and_settled() -> None:
        time = datetime.now(UTC) - timedelta(days=2)
        event = usage_event(f"run-{next(names)}", time=f"{time:%Y-%m-%dT%H:%M:%SZ}")
        stack.call("POST", "/v1/events", key, body=event)
        fold(stream(log_of(stack, ACME)[-1:]))
        make_queue()
        dispatch()
        run("settle")

    check("An event, from POST to a frame", walked(sent_folded_and_settled))


def test_a_query_passes_the_files_of_its_walk(stack: Stack) -> None:
    client = apps.example_client(stack)
    client.used(used("sarah.chen", "automation", datetime(2026, 2, 9, tzinfo=UTC), 3, 120))
    client.settle()
    query = f"type=account-user&product=automation&{HALF_DAYS}"
    check("A query, from GET to a row", walked(lambda: client.get(DRILLDOWN, query)))
