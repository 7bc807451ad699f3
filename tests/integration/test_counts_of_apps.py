"""What a request for the users of an app costs, directory and credentials included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from bench.apps import Site, query, site

pytestmark = pytest.mark.engine
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
LENGTHS = (28, 90, 366)
MOST_REQUESTS = {1_000: 14, 10_000: 20}
MOST_UNITS = {1_000: 20, 10_000: 90}
"""By users, in a process that knows nothing."""
HEAD = (
    "| days | compared | departments | read units | requests | warm |",
    "| ---: | :---: | :---: | ---: | ---: | ---: |",
)


@pytest.fixture(scope="module", params=[1_000, 10_000])
def deployed(request: pytest.FixtureRequest) -> Iterator[Site]:
    enable_socket()
    with site(request.param) as deployment:
        yield deployment


def test_a_request_costs_what_is_written_down(deployed: Site) -> None:
    lines = []
    for length, compared, departments in product(LENGTHS, (False, True), (False, True)):
        asked = query(length, compared=compared, departments=departments, ago=3)
        units, requests = deployed.cost(asked)
        warm = float(deployed.get(asked).headers["X-Read-Units"])
        marks = ["yes" if each else "" for each in (compared, departments)]
        lines.append(f"| {length} | {' | '.join(marks)} | {units:g} | {requests} | {warm:g} |")
        assert requests <= MOST_REQUESTS[deployed.dense.users]
        assert units <= MOST_UNITS[deployed.dense.users]
    title = f"## The users of an app: {deployed.dense.users:,} users"
    table = "\n".join([*HEAD, *lines])
    print(f"\n{title}\n{table}")  # noqa: T201  `-s` shows what was counted
    if "UPDATE" in os.environ:
        write(title, table)
    assert f"{title}\n\n{table}" in DOCUMENT.read_text()


def write(title: str, table: str) -> None:
    """Put the table under its title, at the end if it has none yet."""
    text = DOCUMENT.read_text()
    before, found, rest = text.partition(f"{title}\n")
    following = rest.find("\n## ")
    after = rest[following:] if found and following >= 0 else ""
    DOCUMENT.write_text(f"{before.rstrip()}\n\n{title}\n\n{table}\n{after}")
