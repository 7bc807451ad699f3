"""A whole deployment in this process, on an engine that is atomic and computes what it costs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from odometer.services.engine import engine
from odometer.storage import directory, dynamo, key_activity
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Meter, Table
from tests.support.counting import counting_engine
from tests.support.memory_directory import ACME, new_head
from tests.support.stack import ENVIRONMENT, OTHER, Stack


@contextmanager
def stack_on_an_engine() -> Iterator[Stack]:
    """Like the one on moto, with the same two organizations."""
    with counting_engine() as client:
        address = {"AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url}
        with (
            patch.dict(os.environ, {**ENVIRONMENT, **address}),
            patch("odometer.storage.secret.secret", lambda _: b"not a secret"),
        ):
            as_a_new_process()
            stack = Stack(DirectoryStore(Table("directory", Meter())))
            for organization in (ACME, OTHER):
                stack.directories.create(new_head(organization, organization))
            yield stack
        as_a_new_process()


def as_a_new_process() -> None:
    """Forget all that a process remembers."""
    dynamo.dynamodb.cache_clear()
    engine.cache_clear()
    directory.forget()
    key_activity.forget()
