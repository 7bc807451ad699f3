"""The demo, loaded into a deployment in this process as it is loaded into a real one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import CompletedProcess
from unittest.mock import patch

from typer.testing import CliRunner

from local import demo
from odometer_cli import app
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.stack import stack_on_moto

DAYS_OF_USAGE = 7


@contextmanager
def demo_on_moto() -> Iterator[Mapping[str, str]]:
    """The names of the demo, by which its sample events are filled."""
    with (
        stack_on_moto() as stack,
        open_to_clients(stack),
        patch.object(demo, "odometer", in_this_process),
        patch.object(demo, "wait_until_shown"),  # nothing is folded here
    ):
        yield demo.load(ADDRESS, days=DAYS_OF_USAGE)


def in_this_process(*words: str) -> CompletedProcess[str]:
    done = CliRunner().invoke(app, words)
    return CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
